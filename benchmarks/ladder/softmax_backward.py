"""softmax, backward: dx = y (dy - sum dy y) over each row. R rows, C columns."""

from __future__ import annotations

import numpy as np

from ls_core.threads import run_blocks
from ls_layers.activations.softmax import softmax_backward, softmax_forward

from ..machine import installed
from .rungs import Ladder, ls_rungs, normal, parts, row_blocks, rung


def loops(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The sum of a row, then its gradients, number by number. The two loops can't become one: the sum must be known first."""
    dx = []
    for gradients, outputs in zip(dy.tolist(), y.tolist(), strict=True):
        along = sum(g * v for g, v in zip(gradients, outputs, strict=True))
        dx.append([v * (g - along) for g, v in zip(gradients, outputs, strict=True)])
    return np.array(dx, dtype=y.dtype)


def vectorised(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The formula on whole arrays. It makes three arrays of the size of y, two of which are thrown away."""
    return y * (dy - (dy * y).sum(axis=1, keepdims=True))


def in_place(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The sum is a product of each row of dy with the row of y, without an array of products. The rest is done in the result."""
    dx = dy - np.matmul(dy[:, None, :], y[:, :, None])[:, 0]  # (R, C)
    dx *= y
    return dx


def _rows(dy: np.ndarray, y: np.ndarray, dx: np.ndarray) -> None:
    np.subtract(dy, np.matmul(dy[:, None, :], y[:, :, None])[:, 0], out=dx)
    dx *= y


def blocked(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A few rows at a time. dy and y are read from memory once, though three steps use them."""
    dx = np.empty_like(y)
    for i, j in row_blocks(*y.shape):
        _rows(dy[i:j], y[i:j], dx[i:j])
    return dx


def threads(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The blocks over a pool of threads. Where memory is the limit, two threads gain less than twice the speed."""
    dx = np.empty_like(y)

    def part(begin: int, end: int) -> None:
        for i, j in row_blocks(end - begin, y.shape[1]):
            here = slice(begin + i, begin + j)
            _rows(dy[here], y[here], dx[here])

    run_blocks(part, parts(*y.shape))
    return dx


def fused(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Two compiled loops over a row, the second of which finds it in the first-level cache. The sum is made in vectors of partial
    sums, which needs the compiler's leave to change the order of additions."""
    from .compiled import softmax_gradient_rows

    dx = np.empty_like(y)
    run_blocks(lambda begin, end: softmax_gradient_rows(dy, y, dx, begin, end), parts(*y.shape))
    return dx


SHAPES = {"tiny": (3, 5), "small": (64, 64), "large": (8192, 1024)}


def kept(dy: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, ...]:
    """dy, and the y that the forward keeps."""
    return dy, softmax_forward.reference(x)[0]


LADDER = Ladder(
    "softmax, backward",
    "dx = y (dy - sum dy y)",
    {size: f"{r} x {c}" for size, (r, c) in SHAPES.items()},
    lambda size: (normal(SHAPES[size], 1), normal(SHAPES[size], 2)),
    softmax_backward,
    [
        rung("loops", loops, slow=True),
        rung("vectorised", vectorised),
        rung("in place", in_place),
        rung("blocked", blocked),
        rung("threads", threads),
        *([rung("fused", fused)] if installed("numba") else []),
        *ls_rungs(
            softmax_backward,
            "ls_layers/accelerated/cuda/softmax.cu",
            "A warp or a block of threads has a row: it sums dy y, then writes dx. Both readings of the row are next to each other in "
            "time, so the second comes from the cache.",
        ),
    ],
    kept=kept,
)
