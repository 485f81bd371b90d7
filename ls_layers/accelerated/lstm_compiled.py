"""The loops of LSTM. Needs Numba.

B batch, T time steps, I inputs, U units; the kernels' 4 U columns hold the gates i, f, c, o. The rows ``begin`` to
``end`` of the batch are worked on; see recurrent_compiled.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.accelerated.compiled import jit, jit_apart

from .elementary import sigmoid, tanh
from .recurrent_compiled import add_row, multiply_step, padded, store_step


@jit
def forward(xt: Any, W: Any, U: Any, b: Any, mask: Any, gates: Any, hs: Any, cs: Any, tanh_c: Any, begin: int, end: int) -> None:
    """xt (T, B, I), W and U packed, b (4U,), mask (B, T) or of size 0 -> gates (T, B, 4U), hs and cs (T + 1, B, U), tanh_c (T, B, U)."""
    (T, B, I), n, rows = xt.shape, hs.shape[2], end - begin
    columns = padded(hs, 4 * n)
    z = np.empty(rows * columns, hs.dtype)
    for t in range(T):
        at = t * B + begin
        multiply_step(z, columns, xt, at * I, I, W, rows, I, True)
        multiply_step(z, columns, hs, at * n, n, U, rows, n, False)
        for r in range(rows):
            m = begin + r
            if mask.size and not mask[m, t]:
                hs[t + 1, m], cs[t + 1, m] = hs[t, m], cs[t, m]
                tanh_c[t, m] = 0  # whatever: the step has no gradient, but what is kept must be numbers
                gates[t, m] = 0
                continue
            row = z[r * columns : (r + 1) * columns]
            cell_forward(row[:n], row[n:], row[2 * n :], row[3 * n :], b, gates[t, m], cs[t, m], cs[t + 1, m], tanh_c[t, m], hs[t + 1, m])


@jit_apart
def cell_forward(zi: Any, zf: Any, zg: Any, zo: Any, b: Any, gates: Any, c0: Any, c: Any, tanh_c: Any, h: Any) -> None:
    """One row: the gates from their sums, c = f c0 + i g, h = o tanh(c)."""
    n = h.size
    for j in range(n):
        i, f = sigmoid(zi[j] + b[j]), sigmoid(zf[j] + b[n + j])
        g, o = tanh(zg[j] + b[2 * n + j]), sigmoid(zo[j] + b[3 * n + j])
        gates[j], gates[n + j], gates[2 * n + j], gates[3 * n + j] = i, f, g, o
        c[j] = f * c0[j] + i * g
        tanh_c[j] = tanh(c[j])
        h[j] = o * tanh_c[j]


@jit
def backward(
    dh: Any,
    dc: Any,
    dy: Any,
    mask: Any,
    gates: Any,
    cs: Any,
    tanh_c: Any,
    U: Any,
    W: Any,
    dz: Any,
    db: Any,
    dx: Any,
    truncate: int,
    begin: int,
    end: int,
) -> None:
    """dh and dc (B, U), of the last states, become those of the first; dy (B, T, U) or of size 0; U^T and W^T packed

    -> dz (T, B, 4U), db (4U,) += its sum over steps and rows, dx (B, T, I) or of size 0.
    """
    T, B, n = tanh_c.shape
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
                dz[t, m] = 0
                continue
            gate, slope = gates[t, m], dz[t, m]
            cell_backward(
                row, dc[m], gate[:n], gate[n:], gate[2 * n :], gate[3 * n :], cs[t, m], tanh_c[t, m],
                slope[:n], slope[n:], slope[2 * n :], slope[3 * n :],
            )  # fmt: skip
            add_row(db, slope)
            row[:] = 0
        at = (t * B + begin) * 4 * n
        multiply_step(passed, columns, dz, at, 4 * n, U, rows, 4 * n, False)
        if dx.size:
            multiply_step(dxt, inputs, dz, at, 4 * n, W, rows, 4 * n, True)
            store_step(dx, t, begin, dxt, inputs, rows)
        if truncate and t and t % truncate == 0:
            passed[:] = 0
            dc[begin:end] = 0
    for r in range(rows):
        dh[begin + r] = passed[r * columns : r * columns + n]


@jit_apart
def cell_backward(dh: Any, dc: Any, i: Any, f: Any, g: Any, o: Any, c0: Any, tanh_c: Any, di: Any, df: Any, dg: Any, do: Any) -> None:
    """One row: the gradients of the gates' sums; dc becomes that of c0."""
    for j in range(dh.size):
        # 2. h = o * tanh(c)
        total = dc[j] + dh[j] * o[j] * (1 - tanh_c[j] * tanh_c[j])
        do[j] = dh[j] * tanh_c[j] * o[j] * (1 - o[j])
        # 1. c = f * c0 + i * g
        di[j] = total * g[j] * i[j] * (1 - i[j])
        df[j] = total * c0[j] * f[j] * (1 - f[j])
        dg[j] = total * i[j] * (1 - g[j] * g[j])
        dc[j] = total * f[j]


__all__ = ["backward", "forward"]
