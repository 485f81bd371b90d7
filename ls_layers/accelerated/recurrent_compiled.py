"""What the compiled loops of SimpleRNN, LSTM and GRU share. Needs Numba.

Each thread takes some rows of the batch through all time steps: rows know nothing of each other, so threads meet once, at
the end. A step's product with the weights goes into a small buffer whose rows are filled up to whole panels, and is still in
the cache when the gates are computed from it. On the way back the gradients of the sums of ``STEPS`` steps or so are kept, and
multiplied into those of the weights before they leave the cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.accelerated.compiled import jit, jit_apart

from .products import multiply, pack, product, width_of

ROWS_KEPT = 256  # rows of the batch times steps, whose gradients are multiplied into those of the weights at once


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
def filled_up(b: Any, columns: int) -> Any:
    """b (N,) with zeros behind, ``columns`` in all."""
    full = np.zeros(columns, b.dtype)
    full[: b.size] = b
    return full


@jit
def fill_rows(z: Any, row: Any) -> None:
    """Every row of z (rows, columns) = ``row``."""
    for r in range(z.shape[0]):
        take_row(z[r], row)


@jit
def multiply_step(z: Any, a: Any, a_at: int, row_step: int, panels: Any, length: int) -> None:
    """z (rows, columns) += as many rows of a, from ``a_at`` on and ``row_step`` apart, times packed weights."""
    rows, columns = z.shape
    width = width_of(z)
    for j in range(0, columns, width):
        multiply(z, j, columns, a, a_at, row_step, 1, panels, j * length, width, rows, length, False)


@jit
def steps_kept(rows: int) -> int:
    """Of how many time steps the gradients are kept."""
    return max(1, ROWS_KEPT // rows)


@jit
def add_products(dW: Any, a: Any, dz: Any, length: int) -> None:
    """dW (K, N) += a^T dz, of the first ``length`` rows of a (M, K) and dz (M, N)."""
    product(dW, a, True, dz, False, 0, dW.shape[0], 0, dW.shape[1], 0, length, True)


@jit_apart
def add_row(total: Any, x: Any) -> None:
    """total += x, as many numbers as total has."""
    for j in range(total.size):
        total[j] += x[j]


@jit_apart
def take_row(to: Any, x: Any) -> None:
    """to = x, as many numbers as ``to`` has."""
    for j in range(to.size):
        to[j] = x[j]


__all__ = [
    "add_products",
    "add_row",
    "fill_rows",
    "filled_up",
    "multiply_step",
    "packed",
    "padded",
    "steps_kept",
    "take_row",
]
