"""What the compiled loops of SimpleRNN, LSTM and GRU share. Needs Numba.

Each thread takes some rows of the batch through all time steps: rows know nothing of each other, so threads meet once,
at the end. A step's product with the weights goes into a small buffer z, whose rows are filled up to whole panels, and is
still in the cache when the gates are computed from it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.accelerated.compiled import jit, jit_apart

from .products import multiply, pack, width_of


@jit
def padded(array: Any, columns: int) -> int:
    """``columns`` rounded up to whole panels of the array's dtype."""
    width = width_of(array)
    return (columns + width - 1) // width * width


@jit
def packed(b: Any, turned: bool) -> Any:
    """All of b (K, N), or of its transpose where ``turned``, as panels for ``multiply_step``."""
    length, columns = (b.shape[1], b.shape[0]) if turned else b.shape
    panels = np.empty(length * padded(b, columns), b.dtype)
    pack(panels, b, turned, 0, length, 0, columns)
    return panels


@jit
def multiply_step(z: Any, ldz: int, a: Any, a_at: int, row_step: int, panels: Any, rows: int, length: int, first: bool) -> None:
    """z (rows, ldz) = (``first`` False: +=) ``rows`` rows of a, from ``a_at`` on and ``row_step`` apart, times packed weights."""
    width = width_of(z)
    for j in range(0, ldz, width):
        multiply(z, j, ldz, a, a_at, row_step, 1, panels, j * length, width, rows, length, first)


@jit_apart
def add_row(total: Any, x: Any) -> None:
    """total += x."""
    for j in range(total.size):
        total[j] += x[j]


@jit
def store_step(dx: Any, t: int, begin: int, z: Any, ldz: int, rows: int) -> None:
    """dx[begin : begin + rows, t] = the rows of z."""
    for r in range(rows):
        to, row = dx[begin + r, t], z[r * ldz : (r + 1) * ldz]
        for j in range(to.size):
            to[j] = row[j]


__all__ = ["add_row", "multiply_step", "packed", "padded", "store_step"]
