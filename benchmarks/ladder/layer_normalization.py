"""LayerNormalization, forward: y = gamma (x - mean) / sqrt(variance + epsilon) + beta over each row. R rows, N columns."""

from __future__ import annotations

import math

import numpy as np

from ls_core.threads import run_blocks
from ls_layers.layer_normalization import layer_normalization_forward

from ..machine import installed
from .rungs import Ladder, ls_rungs, normal, parts, row_blocks, rung


def loops(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, epsilon: float) -> np.ndarray:
    """Every sum and every product is a step of a Python loop. An operation costs some fifty nanoseconds, a hundred times what
    the processor needs."""
    scale, shift = gamma.tolist(), beta.tolist()
    y = []
    for row in x.tolist():
        mean = sum(row) / len(row)
        variance = sum((v - mean) ** 2 for v in row) / len(row)
        inverse = 1 / math.sqrt(variance + epsilon)
        y.append([(v - mean) * inverse * g + b for v, g, b in zip(row, scale, shift, strict=True)])
    return np.array(y, dtype=x.dtype)


def vectorised(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, epsilon: float) -> np.ndarray:
    """The formula as it is written, on whole arrays. It reads x four times and makes five arrays of its size on the way."""
    mean = x.mean(axis=1, keepdims=True)  # (R, 1)
    variance = x.var(axis=1, keepdims=True)  # (R, 1)
    return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta


def in_place(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, epsilon: float) -> np.ndarray:
    """The centred numbers are made once, used for the variance, and written over until they are y. The sum of squares is one
    product of each row with itself, which needs no array of squares."""
    y = x - x.mean(axis=1, keepdims=True)  # (R, N)
    _normalise(y, gamma, beta, epsilon)
    return y


def _normalise(y: np.ndarray, gamma: np.ndarray, beta: np.ndarray, epsilon: float) -> None:
    variance = np.matmul(y[:, None, :], y[:, :, None])[:, 0] * (1 / y.shape[1])  # (R, 1)
    variance += epsilon
    np.sqrt(variance, out=variance)
    y /= variance
    y *= gamma
    y += beta


def _rows(x: np.ndarray, y: np.ndarray, gamma: np.ndarray, beta: np.ndarray, epsilon: float) -> None:
    np.subtract(x, x.mean(axis=1, keepdims=True), out=y)
    _normalise(y, gamma, beta, epsilon)


def blocked(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, epsilon: float) -> np.ndarray:
    """The same steps on a few rows at a time. All but the first step then find their numbers in the cache."""
    y = np.empty_like(x)
    for i, j in row_blocks(*x.shape):
        _rows(x[i:j], y[i:j], gamma, beta, epsilon)
    return y


def threads(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, epsilon: float) -> np.ndarray:
    """Each thread of a pool takes its share of the rows, block by block. Rows do not depend on each other, so nothing is
    waited for until the end."""
    y = np.empty_like(x)

    def part(begin: int, end: int) -> None:
        for i, j in row_blocks(end - begin, x.shape[1]):
            _rows(x[begin + i : begin + j], y[begin + i : begin + j], gamma, beta, epsilon)

    run_blocks(part, parts(*x.shape))
    return y


def fused(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, epsilon: float) -> np.ndarray:
    """One compiled loop reads a row for the mean, again for the variance, and a third time to write y. The second and third
    time the row is in the first-level cache, so memory moves once each way."""
    from .compiled import normalise_rows

    y = np.empty_like(x)
    run_blocks(lambda begin, end: normalise_rows(x, gamma, beta, epsilon, y, begin, end), parts(*x.shape))
    return y


SHAPES = {"tiny": (3, 5), "small": (64, 64), "large": (8192, 1024)}

LADDER = Ladder(
    "LayerNormalization",
    "y = gamma (x - mean) / sqrt(variance + epsilon) + beta",
    {size: f"{r} x {n}" for size, (r, n) in SHAPES.items()},
    lambda size: (normal(SHAPES[size], 1), normal(SHAPES[size][1:], 2), normal(SHAPES[size][1:], 3), 1e-3),
    layer_normalization_forward,
    [
        rung("loops", loops, slow=True),
        rung("vectorised", vectorised),
        rung("in place", in_place),
        rung("blocked", blocked),
        rung("threads", threads),
        *([rung("fused", fused)] if installed("numba") else []),
        *ls_rungs(
            layer_normalization_forward,
            "ls_layers/accelerated/cuda/normalization.cu",
            "A warp or a block of threads takes a row and exchanges the parts of its sums without memory. For the backward it keeps a "
            "mean and an inverse deviation for each row, so that y is all that is written.",
        ),
    ],
)
