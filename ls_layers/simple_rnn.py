"""SimpleRNN: h_t = tanh(x_t W + h_(t-1) U + b).

B batch, T time steps, I inputs, U units. Buffers stand time first, so that a step's rows lie together.
"""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.products import matmul
from ls_core.types import Array

from .fused_rnn import FusedRNN
from .simple_rnn_cell import SimpleRNNCell


@kernel
def simple_rnn_forward(x: Array, h0: Array, W: Array, U: Array, b: Array | None, mask: Array | None) -> tuple[Array, Array, Any]:
    """-> hs (T, B, U), the last state (B, U), saved. ``mask`` (B, T) is False where a step keeps the state."""
    xp = get_xp(x)
    B, T, I = x.shape
    xt = xp.ascontiguousarray(x.transpose(1, 0, 2))  # (T, B, I)
    a = matmul(xt.reshape(T * B, I), W).reshape(T, B, W.shape[1])  # (T, B, U): one product for all steps
    if b is not None:
        a += b
    hs = xp.empty((T + 1, B, U.shape[0]), dtype=a.dtype)  # hs[t] stands before step t
    hs[0] = h0
    for t in range(T):
        at = a[t]
        at += matmul(hs[t], U)
        xp.tanh(at, out=hs[t + 1])
        if mask is not None:
            hs[t + 1] = xp.where(mask[:, t, None], hs[t + 1], hs[t])
    return hs[1:], hs[T], (xt, hs)


@kernel
def simple_rnn_backward(
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
    """dhT (B, U), dhs (T, B, U) or None -> dx (B, T, I), dh0, dW, dU, db."""
    xp = get_xp(dhT)
    xt, hs = saved  # (T, B, I), (T + 1, B, U)
    T, B, I = xt.shape
    da = 1 - hs[1:] * hs[1:]  # (T, B, U): tanh' = 1 - h^2, made into da step by step
    dh = dhT
    for t in reversed(range(T)):
        if dhs is not None:
            dh = dh + dhs[t]
        # 3. h = where(mask, tanh(a), h before)
        dat = da[t]
        dat *= dh
        kept = None
        if mask is not None:
            dat *= mask[:, t, None]
            kept = dh * ~mask[:, t, None]
        # 2. a += matmul(h before, U)
        dh = matmul(dat, U.T)
        if kept is not None:
            dh += kept
        if truncate and t and t % truncate == 0:
            dh = xp.zeros_like(dh)
    da2 = da.reshape(T * B, U.shape[0])  # all steps' rows: one product each from here
    dU = matmul(hs[:-1].reshape(T * B, U.shape[0]).T, da2)  # (U, U)
    # 1. a = matmul(x, W) + b
    db = da2.sum(axis=0) if has_bias else None  # (U,)
    dW = matmul(xt.reshape(T * B, I).T, da2)  # (I, U)
    dx = matmul(da2, W.T).reshape(T, B, I).transpose(1, 0, 2) if input_gradient else None  # (B, T, I)
    return dx, dh, dW, dU, db


class SimpleRNN(FusedRNN):
    """Fully connected recurrent layer: ``h_t = activation(x_t @ kernel + h_(t-1) @ recurrent_kernel + bias)``.

    Parameters
    ----------
    units, activation, use_bias, kernel_initializer, ..., dropout, recurrent_dropout, seed
        As in ``SimpleRNNCell``.
    activity_regularizer : optional
    return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask, truncate
        As in ``RNN``.

    Notes
    -----
    Input (B, T, I), output (B, U) or, with ``return_sequences``, (B, T, U). Call arguments as in ``RNN``.
    Weights: kernel (I, U), recurrent_kernel (U, U), bias (U,).
    Backward, with dh_t what reaches h_t from the output and from step t + 1:
    ``da_t = (1 - h_t^2) dh_t``, ``dh_(t-1) += da_t U^T``, ``dx_t = da_t W^T``,
    ``dW = sum_t x_t^T da_t``, ``dU = sum_t h_(t-1)^T da_t``, ``db = sum_t,B da_t``.

    Raises
    ------
    ShapeError
        The input is not (B, T, I), or its last axis is not the one that the kernel was built for.

    Source: Keras 3, ``keras.layers.SimpleRNN``; Elman 1990.

    Examples
    --------
    >>> import numpy as np
    >>> layer = SimpleRNN(1, activation=None, kernel_initializer='ones', recurrent_initializer='ones', return_sequences=True)
    >>> y, cache = layer.forward(np.array([[[1.], [2.], [3.]]]))
    >>> y.ravel(), layer.backward(np.array([[[0.], [0.], [1.]]]), cache).ravel()
    (array([1., 3., 6.]), array([1., 1., 1.]))
    """

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        cell = SimpleRNNCell(
            units,
            activation,
            use_bias,
            kernel_initializer,
            recurrent_initializer,
            bias_initializer,
            kernel_regularizer,
            recurrent_regularizer,
            bias_regularizer,
            kernel_constraint,
            recurrent_constraint,
            bias_constraint,
            dropout,
            recurrent_dropout,
            seed,
            trainable=options.get("trainable", True),
            dtype=options.get("dtype"),
        )
        super().__init__(
            cell,
            return_sequences,
            return_state,
            go_backwards,
            stateful,
            unroll,
            activity_regularizer=activity_regularizer,
            **options,
        )
        self.units = units

    def has_kernel(self) -> bool:
        return self.cell.activation.name == "tanh"

    def kernel_forward(self, x: Array, states: list[Array], mask: Array) -> tuple[Array, list[Array], Any]:
        cell = self.cell
        b = cell.bias.value if cell.use_bias else None
        hs, h, saved = simple_rnn_forward(x, states[0], cell.kernel.value, cell.recurrent_kernel.value, b, mask)
        return hs, [h], saved

    def kernel_backward(
        self, d_states: list[Array], dhs: Array, saved: Any, mask: Array, input_gradient: bool
    ) -> tuple[Array, list[Array]]:
        cell = self.cell
        W, U = cell.kernel.value, cell.recurrent_kernel.value
        dx, dh, dW, dU, db = simple_rnn_backward(d_states[0], dhs, saved, W, U, mask, cell.use_bias, self.truncate, input_gradient)
        cell.accumulate(dW, dU, db)
        return dx, [dh]


__all__ = ["SimpleRNN", "simple_rnn_backward", "simple_rnn_forward"]
