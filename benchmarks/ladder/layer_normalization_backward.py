"""LayerNormalization, backward: dx, dgamma and dbeta from dy and what the forward kept. R rows, N columns.

dxhat = gamma dy, dx = inverse (dxhat - mean dxhat - xhat mean(dxhat xhat)), dgamma = sum_R dy xhat, dbeta = sum_R dy
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ls_core.threads import run_blocks
from ls_layers.layer_normalization import layer_normalization_backward, layer_normalization_forward

from ..machine import installed
from .rungs import Ladder, ls_rungs, normal, parts, row_blocks, rung

Gradients = tuple[np.ndarray, np.ndarray, np.ndarray]


def loops(dy: np.ndarray, gamma: np.ndarray, x: np.ndarray, xhat: np.ndarray, inverse: np.ndarray) -> Gradients:
    """Two sums for each row, its gradients, and the row added to the two sums over all rows. The row's sums are known after one
    reading, so a second one is needed."""
    N, scale = len(gamma), gamma.tolist()
    dx, dgamma, dbeta = [], [0.0] * N, [0.0] * N
    for gradients, normalised, [inv] in zip(dy.tolist(), xhat.tolist(), inverse.tolist(), strict=True):
        along = sum(g * s * h for g, s, h in zip(gradients, scale, normalised, strict=True)) / N
        common = sum(g * s for g, s in zip(gradients, scale, strict=True)) / N
        dx.append([(g * s - common - h * along) * inv for g, s, h in zip(gradients, scale, normalised, strict=True)])
        for j in range(N):
            dgamma[j] += gradients[j] * normalised[j]
            dbeta[j] += gradients[j]
    return np.array(dx, dtype=dy.dtype), np.array(dgamma, dtype=dy.dtype), np.array(dbeta, dtype=dy.dtype)


def vectorised(dy: np.ndarray, gamma: np.ndarray, x: np.ndarray, xhat: np.ndarray, inverse: np.ndarray) -> Gradients:
    """The formulas as they are written. Seven arrays of the size of dy are made, and memory is what takes the time."""
    dxhat = dy * gamma  # (R, N)
    dx = inverse * (dxhat - dxhat.mean(axis=1, keepdims=True) - xhat * (dxhat * xhat).mean(axis=1, keepdims=True))
    return dx, (dy * xhat).sum(axis=0), dy.sum(axis=0)


def _rows(dy: np.ndarray, gamma: np.ndarray, xhat: np.ndarray, inverse: np.ndarray, dx: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """dx is written; dgamma and dbeta of these rows are returned."""
    share = 1 / dy.shape[1]
    products = dy * xhat  # (R, N), for dgamma, and gamma's weights of it are what lies along xhat
    along = (products @ gamma)[:, None] * share  # (R, 1)
    common = (dy @ gamma)[:, None] * share  # (R, 1)
    dgamma, dbeta = products.sum(axis=0), dy.sum(axis=0)
    np.multiply(xhat, along, out=products)
    np.multiply(dy, gamma, out=dx)
    dx -= products
    dx -= common
    dx *= inverse
    return dgamma, dbeta


def in_place(dy: np.ndarray, gamma: np.ndarray, x: np.ndarray, xhat: np.ndarray, inverse: np.ndarray) -> Gradients:
    """Both means are products with gamma, and one temporary array serves twice. Two arrays are made instead of seven."""
    dx = np.empty_like(dy)
    return dx, *_rows(dy, gamma, xhat, inverse, dx)


def blocked(dy: np.ndarray, gamma: np.ndarray, x: np.ndarray, xhat: np.ndarray, inverse: np.ndarray) -> Gradients:
    """A block of rows goes through all steps in the cache. Its parts of dgamma and dbeta are added to those of the blocks
    before."""
    dx, dgamma, dbeta = np.empty_like(dy), np.zeros_like(gamma), np.zeros_like(gamma)
    for i, j in row_blocks(*dy.shape):
        of_gamma, of_beta = _rows(dy[i:j], gamma, xhat[i:j], inverse[i:j], dx[i:j])
        dgamma += of_gamma
        dbeta += of_beta
    return dx, dgamma, dbeta


def _in_parts(dy: np.ndarray, work: Callable[[int, int, np.ndarray], None]) -> tuple[np.ndarray, np.ndarray]:
    """``work(begin, end, sums)`` in threads, each with sums (2, N) of its own; the parts are added in one order."""
    shares = parts(*dy.shape)
    sums = {begin: np.zeros((2, dy.shape[1]), dtype=dy.dtype) for begin, _ in shares}
    run_blocks(lambda begin, end: work(begin, end, sums[begin]), shares)
    total = np.zeros((2, dy.shape[1]), dtype=dy.dtype)
    for begin, _ in shares:
        total += sums[begin]
    return total[0], total[1]


def threads(dy: np.ndarray, gamma: np.ndarray, x: np.ndarray, xhat: np.ndarray, inverse: np.ndarray) -> Gradients:
    """Each thread has sums of its own for dgamma and dbeta, since two threads must not add to one. They are added at the end, always
    in the same order, so that results keep their bits."""
    dx = np.empty_like(dy)

    def part(begin: int, end: int, sums: np.ndarray) -> None:
        for i, j in row_blocks(end - begin, dy.shape[1]):
            here = slice(begin + i, begin + j)
            sums += _rows(dy[here], gamma, xhat[here], inverse[here], dx[here])

    return dx, *_in_parts(dy, part)


def fused(dy: np.ndarray, gamma: np.ndarray, x: np.ndarray, xhat: np.ndarray, inverse: np.ndarray) -> Gradients:
    """One compiled function reads a row twice, the second time from the first-level cache, and makes all three gradients. There is
    no temporary array."""
    from .compiled import normalise_gradient_rows

    dx = np.empty_like(dy)

    def part(begin: int, end: int, sums: np.ndarray) -> None:
        normalise_gradient_rows(dy, gamma, xhat, inverse, dx, sums[0], sums[1], begin, end)

    return dx, *_in_parts(dy, part)


EPSILON = 1e-3
SHAPES = {"tiny": (3, 5), "small": (64, 64), "large": (8192, 1024)}


def kept(dy: np.ndarray, gamma: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, ...]:
    """dy, gamma, x, and xhat and 1 / deviation, which the reference's forward keeps."""
    return dy, gamma, x, *layer_normalization_forward.reference(x, gamma, None, EPSILON)[1]


def _given(function: Any, dy: Any, gamma: Any, x: Any, xhat: Any, inverse: Any) -> tuple[Any, ...]:
    """A backward takes what its own forward kept, which an override chooses for itself."""
    if function is layer_normalization_backward.reference:
        return dy, gamma, (xhat, inverse)
    return dy, gamma, layer_normalization_forward(x, gamma, None, EPSILON)[1]


LADDER = Ladder(
    "LayerNormalization, backward",
    "dx = (gamma dy - mean(gamma dy) - xhat mean(gamma dy xhat)) / sqrt(variance + epsilon)",
    {size: f"{r} x {n}" for size, (r, n) in SHAPES.items()},
    lambda size: (normal(SHAPES[size], 1), normal(SHAPES[size][1:], 2), normal(SHAPES[size], 3)),
    layer_normalization_backward,
    [
        rung("loops", loops, slow=True),
        rung("vectorised", vectorised),
        rung("in place", in_place),
        rung("blocked", blocked),
        rung("threads", threads),
        *([rung("fused", fused)] if installed("numba") else []),
        *ls_rungs(
            layer_normalization_backward,
            "ls_layers/accelerated/cuda/normalization.cu",
            "One launch makes dx with a warp or a block of threads for each row, another sums dgamma and dbeta down the columns in chunks "
            "of rows. The chunks are added in a fixed order, without atomics.",
            _given,
        ),
    ],
    kept=kept,
)
