"""SimpleRNN, compiled. B batch, T time steps, I inputs, U units; see recurrent_rows.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.types import Array

from ..simple_rnn import simple_rnn_backward, simple_rnn_forward
from .blocks import plain
from .recurrent_rows import fits, or_nothing, or_zeros, run_rows, run_rows_back


@simple_rnn_forward.override("numba")
def simple_rnn_forward_compiled(x: Array, h0: Array, W: Array, U: Array, b: Array | None, mask: Array | None) -> tuple[Array, Array, Any]:
    if not fits(x, h0, W, U, b):
        return simple_rnn_forward.reference(x, h0, W, U, b, mask)
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
    if not fits(dhT, dhs, saved[0], W, U):
        return simple_rnn_backward.reference(dhT, dhs, saved, W, U, mask, has_bias, truncate, input_gradient)
    xt, hs = saved
    from .recurrent_compiled import packed
    from .simple_rnn_compiled import backward

    (T, B, I), dtype = xt.shape, xt.dtype
    dh = np.array(dhT)
    dy = or_nothing(None if dhs is None else dhs.transpose(1, 0, 2), 3, dtype)
    kept = or_nothing(mask, 2, bool)
    weights = packed(plain(W), True), packed(plain(U), True)
    dx = np.empty((B, T, I) if input_gradient else (0, 0, 0), dtype)
    bias = np.empty(U.shape[1], dtype)

    def loop(dW: Array, dU: Array, db: Array, begin: int, end: int) -> None:
        backward(dh, dy, kept, xt, hs, *weights, truncate or 0, dx, dW, dU, db, begin, end)

    dW, dU, db = run_rows_back(B, (W, U, bias), loop)
    return dx if input_gradient else None, dh, dW, dU, db if has_bias else None


__all__ = ["simple_rnn_backward_compiled", "simple_rnn_forward_compiled"]
