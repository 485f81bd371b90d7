"""Dense, forward: z = x W + b. B rows, I inputs, O outputs."""

from __future__ import annotations

import numpy as np

from ls_core.threads import run_blocks
from ls_layers.dense import dense_forward

from ..machine import installed
from .rungs import Ladder, ls_rungs, normal, parts, rung


def loops(x: np.ndarray, W: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Three nested loops, one multiplication and one addition at a time. This is the definition, and the slowest way there is."""
    rows, columns, bias = x.tolist(), W.T.tolist(), b.tolist()
    z = [[sum(p * q for p, q in zip(row, column, strict=True)) + c for column, c in zip(columns, bias, strict=True)] for row in rows]
    return np.array(z, dtype=x.dtype)


def vectorised(x: np.ndarray, W: np.ndarray, b: np.ndarray) -> np.ndarray:
    """One input at a time adds its column times its row of W to all of z. The inner loops are NumPy's, but z is read and written
    I times."""
    z = np.zeros((len(x), W.shape[1]), dtype=x.dtype)  # (B, O)
    for i in range(W.shape[0]):
        z += x[:, i, None] * W[i]
    return z + b


def product(x: np.ndarray, W: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The matrix product of BLAS, which is blocked for every level of cache and for the registers: each number loaded takes part in
    many multiplications. Adding the bias makes a second array."""
    return x @ W + b


def blocked(x: np.ndarray, W: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The rows in blocks of 64, each multiplied and its bias added while it is in the cache. BLAS blocks inside the product itself,
    so there is little left to gain."""
    z = np.empty((len(x), W.shape[1]), dtype=x.dtype)
    for i in range(0, len(x), 64):
        z[i : i + 64] = x[i : i + 64] @ W
        z[i : i + 64] += b
    return z


def in_place(x: np.ndarray, W: np.ndarray, b: np.ndarray) -> np.ndarray:
    """One product into one array, and the bias added to it in place. This is what LS's reference does."""
    z = np.matmul(x, W)  # (B, O)
    z += b
    return z


def threads(x: np.ndarray, W: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Each thread multiplies its share of the rows, with BLAS on one thread each. BLAS has threads of its own, which share the
    product out just as well."""
    z = np.empty((len(x), W.shape[1]), dtype=x.dtype)

    def part(begin: int, end: int) -> None:
        np.matmul(x[begin:end], W, out=z[begin:end])
        z[begin:end] += b

    run_blocks(part, parts(len(x), W.shape[1]))
    return z


def fused(x: np.ndarray, W: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Numba compiles the three loops with the bias as the start of each sum, four rows at a time, the innermost loop in vector
    instructions. It does not pack W for the cache as BLAS does, which is why a library's product is hard to beat."""
    from .compiled import dense_rows

    z = np.empty((len(x), W.shape[1]), dtype=x.dtype)
    run_blocks(lambda begin, end: dense_rows(x, W, b, z, begin, end), parts(len(x), W.shape[1]))
    return z


SHAPES = {"tiny": (5, 4, 3), "small": (16, 64, 64), "large": (128, 512, 512)}


def arguments(size: str) -> tuple[np.ndarray, ...]:
    B, I, O = SHAPES[size]
    return normal((B, I), 1), normal((I, O), 2), normal((O,), 3)


LADDER = Ladder(
    "Dense",
    "z = x W + b",
    {size: f"{B} x {I} -> {O}" for size, (B, I, O) in SHAPES.items()},
    arguments,
    dense_forward,
    [
        rung("loops", loops, slow=True),
        rung("vectorised", vectorised),
        rung("product", product),
        rung("blocked", blocked),
        rung("in place", in_place),
        rung("threads", threads),
        *([rung("fused", fused)] if installed("numba") else []),
        *ls_rungs(
            dense_forward,
            "ls_layers/dense.py",
            "The same reference on CuPy arrays: the product is cuBLAS, the bias an element-wise kernel after it. Nothing of LS's own is "
            "needed to be at the card's peak here.",
        ),
    ],
)
