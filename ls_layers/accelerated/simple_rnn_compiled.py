"""The loops of SimpleRNN. Needs Numba.

B batch, T time steps, I inputs, U units. The rows ``begin`` to ``end`` of the batch are worked on; see recurrent_compiled.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.accelerated.compiled import jit, jit_apart

from .elementary import tanh
from .recurrent_compiled import add_row, multiply_step, padded, store_step


@jit
def forward(xt: Any, W: Any, U: Any, b: Any, mask: Any, hs: Any, begin: int, end: int) -> None:
    """xt (T, B, I), W and U packed, b (U,), mask (B, T) or of size 0 -> hs (T + 1, B, U)."""
    (T, B, I), n, rows = xt.shape, hs.shape[2], end - begin
    columns = padded(hs, n)
    z = np.empty(rows * columns, hs.dtype)
    for t in range(T):
        at = t * B + begin
        multiply_step(z, columns, xt, at * I, I, W, rows, I, True)
        multiply_step(z, columns, hs, at * n, n, U, rows, n, False)
        for r in range(rows):
            m = begin + r
            if mask.size and not mask[m, t]:
                hs[t + 1, m] = hs[t, m]
            else:
                cell_forward(z[r * columns :], b, hs[t + 1, m])


@jit_apart
def cell_forward(z: Any, b: Any, h: Any) -> None:
    """One row: h = tanh(z + b)."""
    for j in range(h.size):
        h[j] = tanh(z[j] + b[j])


@jit
def backward(dh: Any, dy: Any, mask: Any, hs: Any, U: Any, W: Any, da: Any, db: Any, dx: Any, truncate: int, begin: int, end: int) -> None:
    """dh (B, U), of the last state, becomes that of the first; dy (B, T, U) or of size 0; U^T and W^T packed

    -> da (T, B, U), db (U,) += its sum over steps and rows, dx (B, T, I) or of size 0.
    """
    T, B, n = da.shape
    rows, columns, inputs = end - begin, padded(dh, n), padded(dh, dx.shape[2])
    passed = np.zeros(rows * columns, dh.dtype)  # dh, with its rows filled up
    dxt = np.empty(rows * inputs, dh.dtype)
    for r in range(rows):
        passed[r * columns : r * columns + n] = dh[begin + r]
    for t in range(T - 1, -1, -1):
        for r in range(rows):
            m = begin + r
            row = passed[r * columns : r * columns + n]
            if dy.size:
                add_row(row, dy[m, t])
            if mask.size and not mask[m, t]:  # the state passes, and so does its gradient
                da[t, m] = 0
                continue
            cell_backward(row, hs[t + 1, m], da[t, m])
            add_row(db, da[t, m])
            row[:] = 0
        at = (t * B + begin) * n
        multiply_step(passed, columns, da, at, n, U, rows, n, False)
        if dx.size:
            multiply_step(dxt, inputs, da, at, n, W, rows, n, True)
            store_step(dx, t, begin, dxt, inputs, rows)
        if truncate and t and t % truncate == 0:
            passed[:] = 0
    for r in range(rows):
        dh[begin + r] = passed[r * columns : r * columns + n]


@jit_apart
def cell_backward(dh: Any, h: Any, da: Any) -> None:
    """One row: da = dh tanh', where h = tanh(a) and tanh' = 1 - h^2."""
    for j in range(dh.size):
        da[j] = dh[j] * (1 - h[j] * h[j])


__all__ = ["backward", "forward"]
