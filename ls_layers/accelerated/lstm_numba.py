"""LSTM, compiled. B batch, T time steps, I inputs, U units; see recurrent_rows.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.types import Array

from ..lstm import lstm_backward, lstm_forward
from .blocks import plain
from .lstm_numpy import lstm_backward_numpy
from .recurrent_numpy import Columns
from .recurrent_rows import fits, or_nothing, or_zeros, run_rows, run_rows_back


@lstm_forward.override("numba")
def lstm_forward_compiled(
    x: Array, h0: Array, c0: Array, W: Array, U: Array, b: Array | None, mask: Array | None
) -> tuple[Array, Array, Array, Any]:
    if not fits(x, h0, c0, W, U, b):
        return lstm_forward.reference(x, h0, c0, W, U, b, mask)
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
    if isinstance(saved, Columns) or not fits(dhT, dcT, dhs, saved[0], W, U):
        return lstm_backward_numpy(dhT, dcT, dhs, saved, W, U, mask, has_bias, truncate, input_gradient)
    xt, gates, hs, cs, tanh_c = saved
    from .lstm_compiled import backward
    from .recurrent_compiled import packed

    (T, B, I), dtype = xt.shape, xt.dtype
    dh, dc = np.array(dhT), np.array(dcT)
    dy = or_nothing(None if dhs is None else dhs.transpose(1, 0, 2), 3, dtype)
    kept = or_nothing(mask, 2, bool)
    weights = packed(plain(W), True), packed(plain(U), True)
    dx = np.empty((B, T, I) if input_gradient else (0, 0, 0), dtype)
    bias = np.empty(U.shape[1], dtype)

    def loop(dW: Array, dU: Array, db: Array, begin: int, end: int) -> None:
        backward(dh, dc, dy, kept, xt, gates, hs, cs, tanh_c, *weights, truncate or 0, dx, dW, dU, db, begin, end)

    dW, dU, db = run_rows_back(B, (W, U, bias), loop)
    return dx if input_gradient else None, dh, dc, dW, dU, db if has_bias else None


__all__ = ["lstm_backward_compiled", "lstm_forward_compiled"]
