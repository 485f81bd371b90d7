"""Matrix products by the pool of threads.

After a product of its own threads OpenBLAS keeps them asking for the next one for 25 ms, each on a core that the pool then
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
    """``a @ b`` of two NumPy matrices, each thread some of its rows or columns: so many that all read the smaller factor.

    >>> multiply(np.ones((2, 3)), np.ones((3, 1)))
    array([[3.],
           [3.]])
    """
    (M, K), N = a.shape, b.shape[1]
    work = M * K * N
    if work <= SMALL or not can_set_blas_threads():
        return a @ b
    c = np.empty((M, N), np.result_type(a, b))

    def rows(top: int, bottom: int) -> None:
        np.matmul(a[top:bottom], b, out=c[top:bottom])

    def columns(left: int, right: int) -> None:
        np.matmul(a, b[:, left:right], out=c[:, left:right])

    longer = max(M, N)
    with blas_threads(1):
        run_blocks(rows if M >= N else columns, split(longer, max(NARROW, SHARE * longer // work)))
    return c


__all__ = ["multiply"]
