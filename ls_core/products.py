"""Matrix products by the pool of threads.

After a product of its own threads OpenBLAS keeps them asking for the next one for up to 100 ms, each on a core that the pool then
lacks: a convolutional net's step took twice as long on two cores. So BLAS uses one thread, and each thread of the pool
makes some rows or columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .blas import blas_threads, can_set_blas_threads
from .threads import run_blocks, split
from .types import Array

SMALL = 1 << 18  # multiplications up to which OpenBLAS uses one thread anyway
SHARE = 1 << 21  # multiplications that a thread must have to be worth it
NARROW = 16  # rows or columns, likewise


def multiply(a: Array, b: Array) -> Any:
    """``a @ b`` of two NumPy matrices.

    >>> multiply(np.ones((2, 3)), np.ones((3, 1)))
    array([[3.],
           [3.]])
    """
    return multiply_all((a, b))[0]


def multiply_all(*pairs: tuple[Array, Array]) -> list[Any]:
    """``a @ b`` for each pair (a, b) of matrices. The threads meet once, at the end.

    Each thread makes some rows or columns of each product: so that all read the smaller factor.
    """
    work = sum(a.size * b.shape[1] for a, b in pairs)
    if work <= SMALL or not can_set_blas_threads():
        return [a @ b for a, b in pairs]
    products = [np.empty((len(a), b.shape[1]), np.result_type(a, b)) for a, b in pairs]
    parts = len(split(work, SHARE))

    def part(k: int, _: int) -> None:
        for (a, b), c in zip(pairs, products, strict=True):
            longer = max(c.shape)
            i, j = (longer * edge // parts if longer >= NARROW * parts else longer * (edge > 0) for edge in (k, k + 1))
            if c.shape[0] == longer:
                np.matmul(a[i:j], b, out=c[i:j])
            else:
                np.matmul(a, b[:, i:j], out=c[:, i:j])

    with blas_threads(1):
        run_blocks(part, [(k, k + 1) for k in range(parts)])
    return products


__all__ = ["multiply", "multiply_all"]
