"""The loops of GRU. Needs Numba.

B batch, T time steps, I inputs, U units; the kernels' 3 U columns hold the gates z, r, h. The rows ``begin`` to ``end`` of
the batch are worked on; see recurrent_compiled.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.accelerated.compiled import jit, jit_apart

from .elementary import sigmoid, tanh
from .recurrent_compiled import add_products, add_row, fill_rows, filled_up, multiply_step, padded, steps_kept, take_row


@jit
def forward(xt: Any, W: Any, U: Any, b: Any, mask: Any, gates: Any, hs: Any, qs: Any, begin: int, end: int) -> None:
    """xt (T, B, I), W and U packed, b (2, 3U), mask (B, T) or of size 0 -> gates (T, B, 3U), hs (T + 1, B, U), qs (T, B, U)."""
    (T, B, I), n = xt.shape, hs.shape[2]
    both = np.empty((2, end - begin, padded(hs, 3 * n)), hs.dtype)
    of_x, of_h = both[0], both[1]  # taken apart in one go they would no longer count as contiguous
    of_x_bias, of_h_bias = filled_up(b[0], of_x.shape[1]), filled_up(b[1], of_h.shape[1])
    for t in range(T):
        at = t * B + begin
        fill_rows(of_x, of_x_bias)
        fill_rows(of_h, of_h_bias)
        multiply_step(of_x, xt, at * I, I, W, I)
        multiply_step(of_h, hs, at * n, n, U, n)
        for m in range(begin, end):
            gate, x, h = gates[t, m], of_x[m - begin], of_h[m - begin]
            if mask.size and not mask[m, t]:
                hs[t + 1, m] = hs[t, m]
                gate[:] = 0  # whatever: the step has no gradient, but what is kept must be numbers
                qs[t, m] = 0
                continue
            cell_forward(
                x[:n], x[n:], x[2 * n :], h[:n], h[n:], h[2 * n :], gate[:n], gate[n:], gate[2 * n :],
                qs[t, m], hs[t, m], hs[t + 1, m],
            )  # fmt: skip


@jit_apart
def cell_forward(xz: Any, xr: Any, xg: Any, hz: Any, hr: Any, hq: Any, zs: Any, rs: Any, gs: Any, qs: Any, h0: Any, h: Any) -> None:
    """One row: the gates from their sums, g = tanh(x part + r q), h = z h0 + (1 - z) g."""
    for j in range(h.size):
        z, r, q = sigmoid(xz[j] + hz[j]), sigmoid(xr[j] + hr[j]), hq[j]
        g = tanh(xg[j] + r * q)
        zs[j], rs[j], gs[j], qs[j] = z, r, g, q
        h[j] = z * (h0[j] - g) + g


@jit
def backward(
    dh: Any,
    dy: Any,
    mask: Any,
    xt: Any,
    gates: Any,
    hs: Any,
    qs: Any,
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

    -> dx (B, T, I) or of size 0; dW (I, 3U), dU (U, 3U), db (2, 3U) += the rows' parts.
    """
    (T, _, I), n, rows = xt.shape, hs.shape[2], end - begin
    passed = np.zeros((rows, padded(dh, n)), dh.dtype)  # dh, with its rows filled up
    dxt = np.empty((rows, padded(dh, dx.shape[2])), dh.dtype)
    most, kept = steps_kept(rows) * rows, 0
    both = np.empty((2, most, 3 * n), dh.dtype)
    da, du = both[0], both[1]  # of x @ W, of h before @ U
    x, h = np.empty((most, I), dh.dtype), np.empty((most, n), dh.dtype)
    for r in range(rows):
        take_row(passed[r, :n], dh[begin + r])
    for t in range(T - 1, -1, -1):
        for r in range(rows):
            m, a, u, row = begin + r, da[kept + r], du[kept + r], passed[r, :n]
            take_row(x[kept + r], xt[t, m])
            take_row(h[kept + r], hs[t, m])
            if dy.size:
                add_row(row, dy[m, t])
            if mask.size and not mask[m, t]:  # the state passes, and so does its gradient
                a[:] = 0
                u[:] = 0
                continue
            gate = gates[t, m]
            cell_backward(row, gate[:n], gate[n:], gate[2 * n :], qs[t, m], hs[t, m], a[:n], a[n:], a[2 * n :], u[:n], u[n:], u[2 * n :])
            add_row(db[0], a)
            add_row(db[1], u)
        multiply_step(passed, du, kept * 3 * n, 3 * n, U, 3 * n)
        if dx.size:
            dxt[:] = 0
            multiply_step(dxt, da, kept * 3 * n, 3 * n, W, 3 * n)
            for r in range(rows):
                take_row(dx[begin + r, t], dxt[r])
        if truncate and t and t % truncate == 0:
            passed[:] = 0
        kept += rows
        if kept == most or t == 0:
            add_products(dW, x, da, kept)
            add_products(dU, h, du, kept)
            kept = 0
    for r in range(rows):
        take_row(dh[begin + r], passed[r])


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
        # 1. z, r, q = h0 @ U + their bias
        az[j], ar[j], ag[j] = dz, dr, dg
        uz[j], ur[j], uq[j] = dz, dr, dg * r
        dh[j] *= z


__all__ = ["backward", "forward"]
