"""GRU, compiled. B batch, T time steps, I inputs, U units; see recurrent_rows.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.types import Array

from ..gru import gru_backward, gru_forward
from .recurrent_numpy import Parts, gru_backward_rows, gru_forward_rows
from .recurrent_rows import fits, or_nothing, or_zeros, plain, run_rows, run_rows_back, weight_gradients


@gru_forward.override("numba")
def gru_forward_compiled(x: Array, h0: Array, W: Array, U: Array, b: Array | None, mask: Array | None) -> tuple[Array, Array, Any]:
    if not fits(x, h0, W, U, b):
        return gru_forward_rows(x, h0, W, U, b, mask)
    from .gru_compiled import forward
    from .recurrent_compiled import packed

    (B, T, _), n = x.shape, U.shape[0]
    gates = np.empty((T, B, 3 * n), x.dtype)
    hs, qs = np.empty((T + 1, B, n), x.dtype), np.empty((T, B, n), x.dtype)
    hs[0] = h0
    weights = packed(plain(W), False), packed(plain(U), False), or_zeros(b, (2, 3 * n), x)
    kept = or_nothing(mask, 2, bool)
    xt = run_rows(x, lambda xt, begin, end: forward(xt, *weights, kept, gates, hs, qs, begin, end))
    return hs[1:], hs[T], (xt, gates, hs, qs)


@gru_backward.override("numba")
def gru_backward_compiled(
    dhT: Array,
    dhs: Array | None,
    saved: Any,
    W: Array,
    U: Array,
    mask: Array | None,
    has_bias: bool,
    truncate: int | None,
    input_gradient: bool,
) -> tuple[Array, ...]:
    if isinstance(saved, Parts) or not fits(dhT, dhs, saved[0], W, U):
        return gru_backward_rows(dhT, dhs, saved, W, U, mask, has_bias, truncate, input_gradient)
    xt, gates, hs, qs = saved
    from .gru_compiled import backward
    from .recurrent_compiled import packed

    (T, B, I), n = xt.shape, U.shape[0]
    dh = np.array(dhT)
    dy = or_nothing(None if dhs is None else dhs.transpose(1, 0, 2), 3, xt.dtype)
    kept = or_nothing(mask, 2, bool)
    da, du = np.empty((2, T, B, 3 * n), xt.dtype)  # of x @ W, of h before @ U
    dx = np.empty((B, T, I) if input_gradient else (0, 0, 0), xt.dtype)
    weights = packed(plain(U), True), packed(plain(W), True)
    dW, dU, db = np.empty((I, 3 * n), xt.dtype), np.empty((n, 3 * n), xt.dtype), np.empty((2, 3 * n), xt.dtype)
    run_rows_back(
        B, db, lambda part, begin, end: backward(dh, dy, kept, gates, hs, qs, *weights, da, du, part, dx, truncate or 0, begin, end)
    )
    weight_gradients((dW, xt, da), (dU, hs[:-1], du))
    return dx if input_gradient else None, dh, dW, dU, db if has_bias else None


__all__ = ["gru_backward_compiled", "gru_forward_compiled"]
