"""The loops of GRU. Needs Numba.

B batch, T time steps, I inputs, U units; the kernels' 3 U columns hold the gates z, r, h. The rows ``begin`` to ``end`` of
the batch are worked on; see recurrent_compiled.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.accelerated.compiled import jit, jit_apart

from .elementary import sigmoid, tanh
from .recurrent_compiled import add_row, multiply_step, padded, store_step


@jit
def forward(xt: Any, W: Any, U: Any, b: Any, mask: Any, gates: Any, hs: Any, qs: Any, begin: int, end: int) -> None:
    """xt (T, B, I), W and U packed, b (2, 3U), mask (B, T) or of size 0 -> gates (T, B, 3U), hs (T + 1, B, U), qs (T, B, U)."""
    (T, B, I), n, rows = xt.shape, hs.shape[2], end - begin
    columns = padded(hs, 3 * n)
    of_x, of_h = np.empty(rows * columns, hs.dtype), np.empty(rows * columns, hs.dtype)
    for t in range(T):
        at = t * B + begin
        multiply_step(of_x, columns, xt, at * I, I, W, rows, I, True)
        multiply_step(of_h, columns, hs, at * n, n, U, rows, n, True)
        for r in range(rows):
            m = begin + r
            if mask.size and not mask[m, t]:
                hs[t + 1, m] = hs[t, m]
                gates[t, m] = 0  # whatever: the step has no gradient, but what is kept must be numbers
                qs[t, m] = 0
                continue
            x, h, gate = of_x[r * columns : (r + 1) * columns], of_h[r * columns : (r + 1) * columns], gates[t, m]
            h0, h1, b_x, b_h = hs[t, m], hs[t + 1, m], b[0], b[1]
            cell_forward(
                x[:n], x[n:], x[2 * n :], h[:n], h[n:], h[2 * n :], b_x, b_h, gate[:n], gate[n:], gate[2 * n :], qs[t, m], h0, h1
            )  # fmt: skip


@jit_apart
def cell_forward(
    xz: Any, xr: Any, xg: Any, hz: Any, hr: Any, hq: Any, b: Any, c: Any, zs: Any, rs: Any, gs: Any, qs: Any, h0: Any, h: Any
) -> None:
    """One row: the gates from their sums, q = h0 U_h + c, g = tanh(x part + r q), h = z h0 + (1 - z) g."""
    n = h.size
    for j in range(n):
        z, r = sigmoid(xz[j] + hz[j] + b[j] + c[j]), sigmoid(xr[j] + hr[j] + b[n + j] + c[n + j])
        q = hq[j] + c[2 * n + j]
        g = tanh(xg[j] + b[2 * n + j] + r * q)
        zs[j], rs[j], gs[j], qs[j] = z, r, g, q
        h[j] = z * (h0[j] - g) + g


@jit
def backward(
    dh: Any,
    dy: Any,
    mask: Any,
    gates: Any,
    hs: Any,
    qs: Any,
    U: Any,
    W: Any,
    da: Any,
    du: Any,
    db: Any,
    dx: Any,
    truncate: int,
    begin: int,
    end: int,
) -> None:
    """dh (B, U), of the last state, becomes that of the first; dy (B, T, U) or of size 0; U^T and W^T packed

    -> da and du (T, B, 3U), of x @ W and h before @ U; db (2, 3U) += their sums over steps and rows; dx (B, T, I) or of size 0.
    """
    T, B, n = qs.shape
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
                du[t, m] = 0
                continue
            gate, a, u = gates[t, m], da[t, m], du[t, m]
            cell_backward(row, gate[:n], gate[n:], gate[2 * n :], qs[t, m], hs[t, m], a[:n], a[n:], a[2 * n :], u[:n], u[n:], u[2 * n :])
            add_row(db[0], a)
            add_row(db[1], u)
        at = (t * B + begin) * 3 * n
        multiply_step(passed, columns, du, at, 3 * n, U, rows, 3 * n, False)
        if dx.size:
            multiply_step(dxt, inputs, da, at, 3 * n, W, rows, 3 * n, True)
            store_step(dx, t, begin, dxt, inputs, rows)
        if truncate and t and t % truncate == 0:
            passed[:] = 0
    for r in range(rows):
        dh[begin + r] = passed[r * columns : r * columns + n]


@jit_apart
def cell_backward(dh: Any, zs: Any, rs: Any, gs: Any, qs: Any, h0: Any, az: Any, ar: Any, ag: Any, uz: Any, ur: Any, uq: Any) -> None:
    """One row: the gradients of the gates' sums; dh becomes what reaches h0 past them."""
    for j in range(dh.size):
        z, r, g = zs[j], rs[j], gs[j]
        # 3. h = z * h0 + (1 - z) * g
        dz = dh[j] * (h0[j] - g) * z * (1 - z)
        # 2. g = tanh(x part + r * q)
        dg = dh[j] * (1 - z) * (1 - g * g)
        dr = dg * qs[j] * r * (1 - r)
        # 1. z, r, q = h0 @ U + c
        az[j], ar[j], ag[j] = dz, dr, dg
        uz[j], ur[j], uq[j] = dz, dr, dg * r
        dh[j] *= z


__all__ = ["backward", "forward"]
