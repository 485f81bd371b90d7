"""softmax, forward: y = exp(x - max x) / sum exp(x - max x) over each row. R rows, C columns."""

from __future__ import annotations

import math

import numpy as np

from ls_core.threads import run_blocks
from ls_layers.activations.softmax import softmax_forward

from ..machine import installed
from .rungs import Ladder, ls_rungs, normal, parts, row_blocks, rung


def loops(x: np.ndarray) -> np.ndarray:
    """Three Python loops over every row. Each number is a Python object, and each operation is looked up when it runs."""
    y = []
    for row in x.tolist():
        largest = max(row)
        e = [math.exp(v - largest) for v in row]
        total = sum(e)
        y.append([v / total for v in e])
    return np.array(y, dtype=x.dtype)


def vectorised(x: np.ndarray) -> np.ndarray:
    """Whole arrays at a time: NumPy's loops are compiled and use vector instructions. Each step makes a new array, which a large
    input pushes out of the cache before the next step reads it."""
    shifted = x - x.max(axis=1, keepdims=True)  # (R, C)
    e = np.exp(shifted)  # (R, C)
    return e / e.sum(axis=1, keepdims=True)


def in_place(x: np.ndarray) -> np.ndarray:
    """One array is made and written over. That saves two allocations, whose pages the system must clear at first touch."""
    y = x - x.max(axis=1, keepdims=True)  # (R, C)
    np.exp(y, out=y)
    y /= y.sum(axis=1, keepdims=True)
    return y


def blocked(x: np.ndarray) -> np.ndarray:
    """A few rows at a time go through all steps. The block stays in the second-level cache from one step to the next, so memory
    is read once and written once."""
    y = np.empty_like(x)
    for i, j in row_blocks(*x.shape):
        _rows(x[i:j], y[i:j])
    return y


def _rows(x: np.ndarray, y: np.ndarray) -> None:
    np.subtract(x, x.max(axis=1, keepdims=True), out=y)
    np.exp(y, out=y)
    y /= y.sum(axis=1, keepdims=True)


def threads(x: np.ndarray) -> np.ndarray:
    """The blocks are shared out to a pool of threads. NumPy lets go of the interpreter's lock inside its loops, so they run on
    all cores."""
    y = np.empty_like(x)

    def part(begin: int, end: int) -> None:
        for i, j in row_blocks(end - begin, x.shape[1]):
            _rows(x[begin + i : begin + j], y[begin + i : begin + j])

    run_blocks(part, parts(*x.shape))
    return y


def fused(x: np.ndarray) -> np.ndarray:
    """Numba compiles one loop over the rows that does all steps, so a row stays in the first-level cache. It takes an exp that
    LLVM can turn into vector instructions, since the C library's would be called once for each number."""
    from .compiled import softmax_rows

    y = np.empty_like(x)
    run_blocks(lambda begin, end: softmax_rows(x, y, begin, end), parts(*x.shape))
    return y


SHAPES = {"tiny": (3, 5), "small": (64, 64), "large": (8192, 1024)}

LADDER = Ladder(
    "softmax",
    "y = exp(x - max x) / sum exp(x - max x)",
    {size: f"{r} x {c}" for size, (r, c) in SHAPES.items()},
    lambda size: (normal(SHAPES[size], 1),),
    softmax_forward,
    [
        rung("loops", loops, slow=True),
        rung("vectorised", vectorised),
        rung("in place", in_place),
        rung("blocked", blocked),
        rung("threads", threads),
        *([rung("fused", fused)] if installed("numba") else []),
        *ls_rungs(
            softmax_forward,
            "ls_layers/accelerated/cuda/softmax.cu",
            "A warp takes a short row and a block of threads a long one; the maximum and the sum are reduced among them. Where NumPy "
            "makes three passes over memory, the later readings of a row come from the cache.",
        ),
    ],
)
