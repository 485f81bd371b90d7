"""SimpleRNN, compiled. B batch, T time steps, I inputs, U units; see recurrent_rows.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.types import Array

from ..simple_rnn import simple_rnn_backward, simple_rnn_forward
from .recurrent_numpy import Parts, simple_rnn_backward_rows, simple_rnn_forward_rows
from .recurrent_rows import fits, or_nothing, or_zeros, plain, run_rows, run_rows_back, weight_gradients


@simple_rnn_forward.override("numba")
def simple_rnn_forward_compiled(x: Array, h0: Array, W: Array, U: Array, b: Array | None, mask: Array | None) -> tuple[Array, Array, Any]:
    if not fits(x, h0, W, U, b):
        return simple_rnn_forward_rows(x, h0, W, U, b, mask)
    from .recurrent_compiled import packed
    from .simple_rnn_compiled import forward

    (B, T, _), n = x.shape, U.shape[0]
    hs = np.empty((T + 1, B, n), x.dtype)
    hs[0] = h0
    weights = packed(plain(W), False), packed(plain(U), False), or_zeros(b, (n,), x)
    kept = or_nothing(mask, 2, bool)
    xt = run_rows(x, lambda xt, begin, end: forward(xt, *weights, kept, hs, begin, end))
    return hs[1:], hs[T], (xt, hs)


@simple_rnn_backward.override("numba")
def simple_rnn_backward_compiled(
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
        return simple_rnn_backward_rows(dhT, dhs, saved, W, U, mask, has_bias, truncate, input_gradient)
    xt, hs = saved
    from .recurrent_compiled import packed
    from .simple_rnn_compiled import backward

    (T, B, I), n = xt.shape, U.shape[0]
    dh = np.array(dhT)
    dy = or_nothing(None if dhs is None else dhs.transpose(1, 0, 2), 3, xt.dtype)
    kept = or_nothing(mask, 2, bool)
    da = np.empty((T, B, n), xt.dtype)
    dx = np.empty((B, T, I) if input_gradient else (0, 0, 0), xt.dtype)
    weights = packed(plain(U), True), packed(plain(W), True)
    dW, dU, db = np.empty((I, n), xt.dtype), np.empty((n, n), xt.dtype), np.empty(n, xt.dtype)
    run_rows_back(B, db, lambda part, begin, end: backward(dh, dy, kept, hs, *weights, da, part, dx, truncate or 0, begin, end))
    weight_gradients((dW, xt, da), (dU, hs[:-1], da))
    return dx if input_gradient else None, dh, dW, dU, db if has_bias else None


__all__ = ["simple_rnn_backward_compiled", "simple_rnn_forward_compiled"]
