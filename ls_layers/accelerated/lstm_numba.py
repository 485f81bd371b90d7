"""LSTM, compiled. B batch, T time steps, I inputs, U units; see recurrent_rows.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.types import Array

from ..lstm import lstm_backward, lstm_forward
from .recurrent_numpy import Parts, lstm_backward_rows, lstm_forward_rows
from .recurrent_rows import fits, or_nothing, or_zeros, plain, run_rows, run_rows_back, weight_gradients


@lstm_forward.override("numba")
def lstm_forward_compiled(
    x: Array, h0: Array, c0: Array, W: Array, U: Array, b: Array | None, mask: Array | None
) -> tuple[Array, Array, Array, Any]:
    if not fits(x, h0, c0, W, U, b):
        return lstm_forward_rows(x, h0, c0, W, U, b, mask)
    from .lstm_compiled import forward
    from .recurrent_compiled import packed

    (B, T, _), n = x.shape, U.shape[0]
    gates = np.empty((T, B, 4 * n), x.dtype)
    hs, cs = np.empty((2, T + 1, B, n), x.dtype)
    tanh_c = np.empty((T, B, n), x.dtype)
    hs[0], cs[0] = h0, c0
    weights = packed(plain(W), False), packed(plain(U), False), or_zeros(b, (4 * n,), x)
    kept = or_nothing(mask, 2, bool)
    xt = run_rows(x, lambda xt, begin, end: forward(xt, *weights, kept, gates, hs, cs, tanh_c, begin, end))
    return hs[1:], hs[T], cs[T], (xt, gates, hs, cs, tanh_c)


@lstm_backward.override("numba")
def lstm_backward_compiled(
    dhT: Array,
    dcT: Array,
    dhs: Array | None,
    saved: Any,
    W: Array,
    U: Array,
    mask: Array | None,
    has_bias: bool,
    truncate: int | None,
    input_gradient: bool,
) -> tuple[Array, ...]:
    if isinstance(saved, Parts) or not fits(dhT, dcT, dhs, saved[0], W, U):
        return lstm_backward_rows(dhT, dcT, dhs, saved, W, U, mask, has_bias, truncate, input_gradient)
    xt, gates, hs, cs, tanh_c = saved
    from .lstm_compiled import backward
    from .recurrent_compiled import packed

    (T, B, I), n = xt.shape, U.shape[0]
    dh, dc = np.array(dhT), np.array(dcT)
    dy = or_nothing(None if dhs is None else dhs.transpose(1, 0, 2), 3, xt.dtype)
    kept = or_nothing(mask, 2, bool)
    dz = np.empty((T, B, 4 * n), xt.dtype)
    dx = np.empty((B, T, I) if input_gradient else (0, 0, 0), xt.dtype)
    weights = packed(plain(U), True), packed(plain(W), True)
    dW, dU, db = np.empty((I, 4 * n), xt.dtype), np.empty((n, 4 * n), xt.dtype), np.empty(4 * n, xt.dtype)
    run_rows_back(
        B, db, lambda part, begin, end: backward(dh, dc, dy, kept, gates, cs, tanh_c, *weights, dz, part, dx, truncate or 0, begin, end)
    )
    weight_gradients((dW, xt, dz), (dU, hs[:-1], dz))
    return dx if input_gradient else None, dh, dc, dW, dU, db if has_bias else None


__all__ = ["lstm_backward_compiled", "lstm_forward_compiled"]
