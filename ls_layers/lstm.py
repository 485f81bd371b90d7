"""LSTM: long short-term memory over a sequence.

B batch, T time steps, I inputs, U units; the kernels' 4 U columns hold the gates i, f, c, o. Buffers stand time first, so
that a step's rows lie together.
"""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.products import matmul
from ls_core.types import Array

from .fused_rnn import FusedRNN
from .lstm_cell import LSTMCell


@kernel
def lstm_forward(
    x: Array, h0: Array, c0: Array, W: Array, U: Array, b: Array | None, mask: Array | None
) -> tuple[Array, Array, Array, Any]:
    """-> hs (T, B, U), the last h and c (B, U), saved. ``mask`` (B, T) is False where a step keeps the state.

    sigmoid(z) = (1 + tanh(z / 2)) / 2, so with the columns of i, f and o halved (which is exact) one tanh does all gates.
    """
    xp = get_xp(x)
    (B, T, I), n = x.shape, U.shape[0]
    half = xp.full((4 * n,), 0.5, dtype=W.dtype)
    half[2 * n : 3 * n] = 1.0
    xt = xp.ascontiguousarray(x.transpose(1, 0, 2))  # (T, B, I)
    gates = matmul(xt.reshape(T * B, I), W * half).reshape(T, B, 4 * n)  # (T, B, 4U): one product for all steps
    if b is not None:
        gates += b * half
    U = U * half
    hs = xp.empty((T + 1, B, n), dtype=gates.dtype)  # hs[t] and cs[t] stand before step t
    cs = xp.empty_like(hs)
    tanh_c = xp.empty_like(hs[1:])
    recurrent = xp.empty_like(gates[0])
    hs[0], cs[0] = h0, c0
    for t in range(T):
        gate = gates[t]  # (B, 4U); i, f, g, o as in the formulas
        matmul(hs[t], U, out=recurrent)
        gate += recurrent
        xp.tanh(gate, out=gate)
        for sigmoids in (gate[:, : 2 * n], gate[:, 3 * n :]):
            sigmoids *= 0.5
            sigmoids += 0.5
        i, f, g, o = gate[:, :n], gate[:, n : 2 * n], gate[:, 2 * n : 3 * n], gate[:, 3 * n :]
        xp.multiply(f, cs[t], out=cs[t + 1])
        cs[t + 1] += i * g
        xp.tanh(cs[t + 1], out=tanh_c[t])
        xp.multiply(o, tanh_c[t], out=hs[t + 1])
        if mask is not None:
            hs[t + 1] = xp.where(mask[:, t, None], hs[t + 1], hs[t])
            cs[t + 1] = xp.where(mask[:, t, None], cs[t + 1], cs[t])
    return hs[1:], hs[T], cs[T], (xt, gates, hs, cs, tanh_c)


@kernel
def lstm_backward(
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
    """dhT and dcT (B, U), dhs (T, B, U) or None -> dx (B, T, I), dh0, dc0, dW, dU, db."""
    xp = get_xp(dhT)
    xt, gates, hs, cs, tanh_c = saved  # (T, B, I), (T, B, 4U), 2 x (T + 1, B, U), (T, B, U)
    (T, B, I), n = xt.shape, U.shape[0]
    i, f, g, o = (gates[..., k * n : (k + 1) * n] for k in range(4))  # (T, B, U)
    # What the chain rule multiplies dc and dh by, for all steps at once; s' = s (1 - s), tanh' = 1 - tanh^2.
    #   c = f * c before + i * g,  h = o * tanh(c)
    dz = 1 - gates  # (T, B, 4U), made into the gradient of the gates before their activations
    dz *= gates
    dz[..., :n] *= g
    dz[..., n : 2 * n] *= cs[:-1]
    dz[..., 2 * n : 3 * n] = (1 - g * g) * i
    dz[..., 3 * n :] *= tanh_c
    through_h = (1 - tanh_c * tanh_c) * o  # (T, B, U)
    skipped = None
    if mask is not None:  # state = where(mask, state, state before)
        kept = mask.T[..., None]  # (T, B, 1)
        skipped = ~kept
        dz *= kept
        through_h *= kept
        f = f * kept + skipped
    U = xp.ascontiguousarray(U.T)  # (4U, U)
    dh, dc = dhT.copy(), dcT.copy()
    for t in reversed(range(T)):
        if dhs is not None:
            dh += dhs[t]
        # 3. h = o * tanh(c)
        dc += dh * through_h[t]
        dz[t, :, 3 * n :] *= dh
        # 2. c = f * c before + i * g
        dz[t].reshape(B, 4, n)[:, :3] *= dc[:, None]
        dc *= f[t]
        # 1. gate = matmul(x, W) + b + matmul(h before, U)
        passed = dh * skipped[t] if skipped is not None else None
        matmul(dz[t], U, out=dh)
        if passed is not None:
            dh += passed
        if truncate and t and t % truncate == 0:
            dh[...] = 0.0
            dc[...] = 0.0
    dz = dz.reshape(T * B, 4 * n)  # all steps' rows: one product each from here
    dU = matmul(hs[:-1].reshape(T * B, n).T, dz)  # (U, 4U)
    dW = matmul(xt.reshape(T * B, I).T, dz)  # (I, 4U)
    db = dz.sum(axis=0) if has_bias else None  # (4U,)
    dx = matmul(dz, W.T).reshape(T, B, I).transpose(1, 0, 2) if input_gradient else None  # (B, T, I)
    return dx, dh, dc, dW, dU, db


class LSTM(FusedRNN):
    """Long short-term memory: gates decide what a cell state c forgets, takes up and shows.

    ``i = s(x W_i + h U_i + b_i)``, ``f = s(... f)``, ``g = tanh(... c)``, ``o = s(... o)``,
    ``c_t = f c_(t-1) + i g``, ``h_t = o tanh(c_t)``, with s the sigmoid.

    Parameters
    ----------
    units, activation, recurrent_activation, use_bias, kernel_initializer, ..., dropout, recurrent_dropout, seed
        As in ``LSTMCell``.
    activity_regularizer : optional
    return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask, truncate
        As in ``RNN``.
    use_cudnn : bool or 'auto'
        Accepted and without effect.

    Notes
    -----
    Input (B, T, I), output (B, U) or, with ``return_sequences``, (B, T, U); ``return_state`` adds h and c. Call arguments
    as in ``RNN``, with ``initial_state=[h, c]``. Weights, with the gates' columns in the order i, f, c, o:
    kernel (I, 4U), recurrent_kernel (U, 4U), bias (4U,).
    Backward, with dh_t what reaches h_t from the output and from step t + 1:
    ``dc_t += dh_t o (1 - tanh(c_t)^2)``, ``dz_o = dh_t tanh(c_t) o (1 - o)``, ``dz_i = dc_t g i (1 - i)``,
    ``dz_f = dc_t c_(t-1) f (1 - f)``, ``dz_g = dc_t i (1 - g^2)``, ``dc_(t-1) = dc_t f``, ``dh_(t-1) = dz U^T``.
    Other activations than tanh and sigmoid, and recurrent dropout, run the cell step by step, which is slower.

    Raises
    ------
    ShapeError
        The input is not (B, T, I), or its last axis is not the one that the kernel was built for.

    Source: Keras 3, ``keras.layers.LSTM``; Hochreiter and Schmidhuber 1997; Gers et al. 2000 (forget gate).

    Examples
    --------
    >>> import numpy as np
    >>> layer = LSTM(4, return_sequences=True, return_state=True)
    >>> (y, h, c), cache = layer.forward(np.ones((2, 5, 3)))
    >>> y.shape, c.shape, bool((y[:, -1] == h).all()), layer.backward((np.ones_like(y), None, None), cache).shape
    ((2, 5, 4), (2, 4), True, (2, 5, 3))
    """

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        use_cudnn: Any = "auto",
        **options: Any,
    ) -> None:
        cell = LSTMCell(
            units,
            activation,
            recurrent_activation,
            use_bias,
            kernel_initializer,
            recurrent_initializer,
            bias_initializer,
            unit_forget_bias,
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
        return self.cell.activation.name == "tanh" and self.cell.recurrent_activation.name == "sigmoid"

    def kernel_forward(self, x: Array, states: list[Array], mask: Array) -> tuple[Array, list[Array], Any]:
        cell = self.cell
        b = cell.bias.value if cell.use_bias else None
        hs, h, c, saved = lstm_forward(x, *states, cell.kernel.value, cell.recurrent_kernel.value, b, mask)
        return hs, [h, c], saved

    def kernel_backward(
        self, d_states: list[Array], dhs: Array, saved: Any, mask: Array, input_gradient: bool
    ) -> tuple[Array, list[Array]]:
        cell = self.cell
        W, U = cell.kernel.value, cell.recurrent_kernel.value
        dx, dh, dc, dW, dU, db = lstm_backward(*d_states, dhs, saved, W, U, mask, cell.use_bias, self.truncate, input_gradient)
        cell.accumulate(dW, dU, db)
        return dx, [dh, dc]


__all__ = ["LSTM", "lstm_backward", "lstm_forward"]
