"""The loops of SimpleRNN. Needs Numba.

B batch, T time steps, I inputs, U units. The rows ``begin`` to ``end`` of the batch are worked on; see recurrent_compiled.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.accelerated.compiled import jit, jit_apart

from .elementary import tanh
from .recurrent_compiled import add_products, add_row, fill_rows, filled_up, multiply_step, padded, steps_kept, take_row


@jit
def forward(xt: Any, W: Any, U: Any, b: Any, mask: Any, hs: Any, begin: int, end: int) -> None:
    """xt (T, B, I), W and U packed, b (U,), mask (B, T) or of size 0 -> hs (T + 1, B, U)."""
    (T, B, I), n = xt.shape, hs.shape[2]
    z = np.empty((end - begin, padded(hs, n)), hs.dtype)
    bias = filled_up(b, z.shape[1])
    for t in range(T):
        at = t * B + begin
        fill_rows(z, bias)
        multiply_step(z, xt, at * I, I, W, I)
        multiply_step(z, hs, at * n, n, U, n)
        for m in range(begin, end):
            if mask.size and not mask[m, t]:
                hs[t + 1, m] = hs[t, m]
            else:
                cell_forward(z[m - begin], hs[t + 1, m])


@jit_apart
def cell_forward(z: Any, h: Any) -> None:
    """One row: h = tanh(z)."""
    for j in range(h.size):
        h[j] = tanh(z[j])


@jit
def backward(
    dh: Any,
    dy: Any,
    mask: Any,
    xt: Any,
    hs: Any,
    W: Any,
    U: Any,
    truncate: int,
    dx: Any,
    dW: Any,
    dU: Any,
    db: Any,
    begin: int,
    end: int,
) -> None:
    """dh (B, U), of the last state, becomes that of the first; dy (B, T, U) or of size 0; W^T and U^T packed

    -> dx (B, T, I) or of size 0; dW (I, U), dU (U, U), db (U,) += the rows' parts.
    """
    (T, _, I), n, rows = xt.shape, hs.shape[2], end - begin
    passed = np.zeros((rows, padded(dh, n)), dh.dtype)  # dh, with its rows filled up
    dxt = np.empty((rows, padded(dh, dx.shape[2])), dh.dtype)
    most, kept = steps_kept(rows) * rows, 0
    da, x, h = np.empty((most, n), dh.dtype), np.empty((most, I), dh.dtype), np.empty((most, n), dh.dtype)
    for r in range(rows):
        take_row(passed[r, :n], dh[begin + r])
    for t in range(T - 1, -1, -1):
        for r in range(rows):
            m, slope, row = begin + r, da[kept + r], passed[r, :n]
            take_row(x[kept + r], xt[t, m])
            take_row(h[kept + r], hs[t, m])
            if dy.size:
                add_row(row, dy[m, t])
            if mask.size and not mask[m, t]:  # the state passes, and so does its gradient
                slope[:] = 0
                continue
            cell_backward(row, hs[t + 1, m], slope)
            add_row(db, slope)
            row[:] = 0
        multiply_step(passed, da, kept * n, n, U, n)
        if dx.size:
            dxt[:] = 0
            multiply_step(dxt, da, kept * n, n, W, n)
            for r in range(rows):
                take_row(dx[begin + r, t], dxt[r])
        if truncate and t and t % truncate == 0:
            passed[:] = 0
        kept += rows
        if kept == most or t == 0:
            add_products(dW, x, da, kept)
            add_products(dU, h, da, kept)
            kept = 0
    for r in range(rows):
        take_row(dh[begin + r], passed[r])


@jit_apart
def cell_backward(dh: Any, h: Any, da: Any) -> None:
    """One row: da = dh tanh', where h = tanh(a) and tanh' = 1 - h^2."""
    for j in range(dh.size):
        da[j] = dh[j] * (1 - h[j] * h[j])


__all__ = ["backward", "forward"]
