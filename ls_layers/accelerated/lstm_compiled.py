"""The loops of LSTM. Needs Numba.

B batch, T time steps, I inputs, U units; the kernels' 4 U columns hold the gates i, f, c, o. The rows ``begin`` to
``end`` of the batch are worked on; see recurrent_compiled.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.accelerated.compiled import jit, jit_apart

from .elementary import sigmoid, tanh
from .recurrent_compiled import add_products, add_row, fill_rows, filled_up, multiply_step, padded, steps_kept, take_row


@jit
def forward(xt: Any, W: Any, U: Any, b: Any, mask: Any, gates: Any, hs: Any, cs: Any, tanh_c: Any, begin: int, end: int) -> None:
    """xt (T, B, I), W and U packed, b (4U,), mask (B, T) or of size 0 -> gates (T, B, 4U), hs and cs (T + 1, B, U), tanh_c (T, B, U)."""
    (T, B, I), n = xt.shape, hs.shape[2]
    z = np.empty((end - begin, padded(hs, 4 * n)), hs.dtype)
    bias = filled_up(b, z.shape[1])
    for t in range(T):
        at = t * B + begin
        fill_rows(z, bias)
        multiply_step(z, xt, at * I, I, W, I)
        multiply_step(z, hs, at * n, n, U, n)
        for m in range(begin, end):
            gate, row = gates[t, m], z[m - begin]
            if mask.size and not mask[m, t]:
                hs[t + 1, m], cs[t + 1, m] = hs[t, m], cs[t, m]
                gate[:] = 0  # whatever: the step has no gradient, but what is kept must be numbers
                tanh_c[t, m] = 0
                continue
            cell_forward(
                row[:n], row[n:], row[2 * n :], row[3 * n :], gate[:n], gate[n:], gate[2 * n :], gate[3 * n :],
                cs[t, m], cs[t + 1, m], tanh_c[t, m], hs[t + 1, m],
            )  # fmt: skip


@jit_apart
def cell_forward(zi: Any, zf: Any, zg: Any, zo: Any, is_: Any, fs: Any, gs: Any, os: Any, c0: Any, c: Any, tanh_c: Any, h: Any) -> None:
    """One row: the gates from their sums, c = f c0 + i g, h = o tanh(c)."""
    for j in range(h.size):
        i, f, g, o = sigmoid(zi[j]), sigmoid(zf[j]), tanh(zg[j]), sigmoid(zo[j])
        is_[j], fs[j], gs[j], os[j] = i, f, g, o
        c[j] = f * c0[j] + i * g
        tanh_c[j] = tanh(c[j])
        h[j] = o * tanh_c[j]


@jit
def backward(
    dh: Any,
    dc: Any,
    dy: Any,
    mask: Any,
    xt: Any,
    gates: Any,
    hs: Any,
    cs: Any,
    tanh_c: Any,
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
    """dh and dc (B, U), of the last states, become those of the first; dy (B, T, U) or of size 0; W^T and U^T packed

    -> dx (B, T, I) or of size 0; dW (I, 4U), dU (U, 4U), db (4U,) += the rows' parts.
    """
    (T, _, I), n, rows = xt.shape, hs.shape[2], end - begin
    passed = np.zeros((rows, padded(dh, n)), dh.dtype)  # dh, with its rows filled up
    dxt = np.empty((rows, padded(dh, dx.shape[2])), dh.dtype)
    most, kept = steps_kept(rows) * rows, 0
    dz, x, h = np.empty((most, 4 * n), dh.dtype), np.empty((most, I), dh.dtype), np.empty((most, n), dh.dtype)
    for r in range(rows):
        take_row(passed[r, :n], dh[begin + r])
    for t in range(T - 1, -1, -1):
        for r in range(rows):
            m, slope, row = begin + r, dz[kept + r], passed[r, :n]
            take_row(x[kept + r], xt[t, m])
            take_row(h[kept + r], hs[t, m])
            if dy.size:
                add_row(row, dy[m, t])
            if mask.size and not mask[m, t]:  # the state passes, and so does its gradient
                slope[:] = 0
                continue
            gate = gates[t, m]
            cell_backward(
                row, dc[m], gate[:n], gate[n:], gate[2 * n :], gate[3 * n :], cs[t, m], tanh_c[t, m],
                slope[:n], slope[n:], slope[2 * n :], slope[3 * n :],
            )  # fmt: skip
            add_row(db, slope)
            row[:] = 0
        multiply_step(passed, dz, kept * 4 * n, 4 * n, U, 4 * n)
        if dx.size:
            dxt[:] = 0
            multiply_step(dxt, dz, kept * 4 * n, 4 * n, W, 4 * n)
            for r in range(rows):
                take_row(dx[begin + r, t], dxt[r])
        if truncate and t and t % truncate == 0:
            passed[:] = 0
            dc[begin:end] = 0
        kept += rows
        if kept == most or t == 0:
            add_products(dW, x, dz, kept)
            add_products(dU, h, dz, kept)
            kept = 0
    for r in range(rows):
        take_row(dh[begin + r], passed[r])


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
