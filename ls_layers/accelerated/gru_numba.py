"""GRU, compiled. B batch, T time steps, I inputs, U units; see recurrent_rows.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.types import Array

from ..gru import gru_backward, gru_forward
from .blocks import plain
from .gru_numpy import gru_backward_numpy
from .recurrent_numpy import Columns
from .recurrent_rows import fits, or_nothing, or_zeros, run_rows, run_rows_back


@gru_forward.override("numba")
def gru_forward_compiled(x: Array, h0: Array, W: Array, U: Array, b: Array | None, mask: Array | None) -> tuple[Array, Array, Any]:
    if not fits(x, h0, W, U, b):
        return gru_forward.reference(x, h0, W, U, b, mask)
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
    if isinstance(saved, Columns) or not fits(dhT, dhs, saved[0], W, U):
        return gru_backward_numpy(dhT, dhs, saved, W, U, mask, has_bias, truncate, input_gradient)
    xt, gates, hs, qs = saved
    from .gru_compiled import backward
    from .recurrent_compiled import packed

    (T, B, I), dtype = xt.shape, xt.dtype
    dh = np.array(dhT)
    dy = or_nothing(None if dhs is None else dhs.transpose(1, 0, 2), 3, dtype)
    kept = or_nothing(mask, 2, bool)
    weights = packed(plain(W), True), packed(plain(U), True)
    dx = np.empty((B, T, I) if input_gradient else (0, 0, 0), dtype)
    bias = np.empty((2, U.shape[1]), dtype)

    def loop(dW: Array, dU: Array, db: Array, begin: int, end: int) -> None:
        backward(dh, dy, kept, xt, gates, hs, qs, *weights, truncate or 0, dx, dW, dU, db, begin, end)

    dW, dU, db = run_rows_back(B, (W, U, bias), loop)
    return dx if input_gradient else None, dh, dW, dU, db if has_bias else None


__all__ = ["gru_backward_compiled", "gru_forward_compiled"]
