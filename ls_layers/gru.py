"""GRU: gated recurrent units over a sequence.

B batch, T time steps, I inputs, U units; the kernels' 3 U columns hold the gates z (update), r (reset), h (candidate).
Buffers stand time first, so that a step's rows lie together.
"""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.products import matmul
from ls_core.types import Array

from .fused_rnn import FusedRNN
from .gru_cell import GRUCell


@kernel
def gru_forward(x: Array, h0: Array, W: Array, U: Array, b: Array | None, mask: Array | None) -> tuple[Array, Array, Any]:
    """-> hs (T, B, U), the last state (B, U), saved; the reset gate acts after the product. ``b`` is (2, 3U).

    ``mask`` (B, T) is False where a step keeps the state. sigmoid(z) = (1 + tanh(z / 2)) / 2, so the columns of z and r are
    halved (which is exact) and one tanh does both gates.
    """
    xp = get_xp(x)
    (B, T, I), n = x.shape, U.shape[0]
    half = xp.full((3 * n,), 0.5, dtype=W.dtype)
    half[2 * n :] = 1.0
    xt = xp.ascontiguousarray(x.transpose(1, 0, 2))  # (T, B, I)
    gates = matmul(xt.reshape(T * B, I), W * half).reshape(T, B, 3 * n)  # (T, B, 3U): one product for all steps
    if b is not None:
        gates += b[0] * half
        gates[..., : 2 * n] += b[1, : 2 * n] * 0.5
    U = U * half
    hs = xp.empty((T + 1, B, n), dtype=gates.dtype)  # hs[t] stands before step t
    qs = xp.empty_like(hs[1:])  # matmul(h before, U_h) + b'_h, which the reset gate multiplies
    recurrent = xp.empty_like(gates[0])
    hs[0] = h0
    for t in range(T):
        zr, g = gates[t, :, : 2 * n], gates[t, :, 2 * n :]  # (B, 2U), (B, U)
        matmul(hs[t], U, out=recurrent)
        zr += recurrent[:, : 2 * n]
        xp.tanh(zr, out=zr)
        zr *= 0.5
        zr += 0.5
        z, r = zr[:, :n], zr[:, n:]
        qs[t] = recurrent[:, 2 * n :]
        if b is not None:
            qs[t] += b[1, 2 * n :]
        g += r * qs[t]
        xp.tanh(g, out=g)
        xp.subtract(hs[t], g, out=hs[t + 1])  # z h + (1 - z) g = z (h - g) + g
        hs[t + 1] *= z
        hs[t + 1] += g
        if mask is not None:
            hs[t + 1] = xp.where(mask[:, t, None], hs[t + 1], hs[t])
    return hs[1:], hs[T], (xt, gates, hs, qs)


@kernel
def gru_backward(
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
    xt, gates, hs, qs = saved  # (T, B, I), (T, B, 3U), (T + 1, B, U), (T, B, U)
    (T, B, I), n = xt.shape, U.shape[0]
    z, r, g = (gates[..., k * n : (k + 1) * n] for k in range(3))  # (T, B, U)
    # What the chain rule multiplies dh by, for all steps at once; s' = s (1 - s), tanh' = 1 - tanh^2.
    #   g = tanh(x part + r * q),  q = matmul(h before, U_h) + b'_h,  h = z * h before + (1 - z) * g
    dg = (1 - z) * (1 - g * g)  # (T, B, U), made into the gradient of the candidate before its tanh
    du = xp.empty_like(gates)  # (T, B, 3U), made into the gradient of matmul(h before, U) + b'
    du[..., :n] = (hs[:-1] - g) * z * (1 - z)
    du[..., n : 2 * n] = dg * qs * r * (1 - r)
    du[..., 2 * n :] = dg * r
    skipped = None
    if mask is not None:  # h = where(mask, h, h before)
        kept = mask.T[..., None]  # (T, B, 1)
        skipped = ~kept
        dg *= kept
        du *= kept
        z = z * kept + skipped
    U = xp.ascontiguousarray(U.T)  # (3U, U)
    recurrent = xp.empty_like(hs[0])
    dh = dhT.copy()
    for t in reversed(range(T)):
        if dhs is not None:
            dh += dhs[t]
        # 3. h = z * h before + (1 - z) * g
        dg[t] *= dh
        # 2. g = tanh(x part + r * q)
        dut = du[t].reshape(B, 3, n)
        dut *= dh[:, None]
        # 1. z, r, q = matmul(h before, U) + b'
        dh *= z[t]
        matmul(du[t], U, out=recurrent)
        dh += recurrent
        if truncate and t and t % truncate == 0:
            dh[...] = 0.0
    dx_gates = xp.concatenate((du[..., : 2 * n], dg), axis=2).reshape(T * B, 3 * n)  # all steps' rows: one product each from here
    du = du.reshape(T * B, 3 * n)
    dU = matmul(hs[:-1].reshape(T * B, n).T, du)  # (U, 3U)
    dW = matmul(xt.reshape(T * B, I).T, dx_gates)  # (I, 3U)
    db = xp.stack((dx_gates.sum(axis=0), du.sum(axis=0))) if has_bias else None  # (2, 3U)
    dx = matmul(dx_gates, W.T).reshape(T, B, I).transpose(1, 0, 2) if input_gradient else None  # (B, T, I)
    return dx, dh, dW, dU, db


class GRU(FusedRNN):
    """Gated recurrent units: an update gate z mixes the state with a candidate that a reset gate r has a part in.

    ``z = s(x W_z + h U_z + b_z)``, ``r = s(x W_r + h U_r + b_r)``, ``g = tanh(x W_h + b_h + r (h U_h + b'_h))``,
    ``h_t = z h_(t-1) + (1 - z) g``, with s the sigmoid. With ``reset_after=False``, ``g = tanh(x W_h + b_h + (r h) U_h)``.

    Parameters
    ----------
    units, activation, recurrent_activation, use_bias, kernel_initializer, ..., dropout, recurrent_dropout, seed, reset_after
        As in ``GRUCell``.
    activity_regularizer : optional
    return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask, truncate
        As in ``RNN``.
    use_cudnn : bool or 'auto'
        Accepted and without effect.

    Notes
    -----
    Input (B, T, I), output (B, U) or, with ``return_sequences``, (B, T, U). Call arguments as in ``RNN``. Weights, with the
    gates' columns in the order z, r, h: kernel (I, 3U), recurrent_kernel (U, 3U), bias (2, 3U), one row for each product,
    or (3U,) without ``reset_after``.
    Backward, with dh_t what reaches h_t from the output and from step t + 1, and q = h U_h + b'_h:
    ``da_z = dh_t (h_(t-1) - g) z (1 - z)``, ``da_g = dh_t (1 - z) (1 - g^2)``, ``da_r = da_g q r (1 - r)``,
    ``dq = da_g r``, ``dh_(t-1) = dh_t z + [da_z da_r dq] U^T``.
    Other activations than tanh and sigmoid, ``reset_after=False`` and recurrent dropout run the cell step by step, which
    is slower.

    Raises
    ------
    ShapeError
        The input is not (B, T, I), or its last axis is not the one that the kernel was built for.

    Source: Keras 3, ``keras.layers.GRU``; Cho et al. 2014.

    Examples
    --------
    >>> import numpy as np
    >>> layer = GRU(4, return_sequences=True)
    >>> y, cache = layer.forward(np.ones((2, 5, 3)))
    >>> y.shape, layer.backward(np.ones_like(y), cache).shape, layer.cell.bias.grad.shape
    ((2, 5, 4), (2, 5, 3), (2, 12))
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
        reset_after: bool = True,
        use_cudnn: Any = "auto",
        **options: Any,
    ) -> None:
        cell = GRUCell(
            units,
            activation,
            recurrent_activation,
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
            reset_after,
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
        cell = self.cell
        return cell.reset_after and cell.activation.name == "tanh" and cell.recurrent_activation.name == "sigmoid"

    def kernel_forward(self, x: Array, states: list[Array], mask: Array) -> tuple[Array, list[Array], Any]:
        cell = self.cell
        b = cell.bias.value if cell.use_bias else None
        hs, h, saved = gru_forward(x, states[0], cell.kernel.value, cell.recurrent_kernel.value, b, mask)
        return hs, [h], saved

    def kernel_backward(
        self, d_states: list[Array], dhs: Array, saved: Any, mask: Array, input_gradient: bool
    ) -> tuple[Array, list[Array]]:
        cell = self.cell
        W, U = cell.kernel.value, cell.recurrent_kernel.value
        dx, dh, dW, dU, db = gru_backward(d_states[0], dhs, saved, W, U, mask, cell.use_bias, self.truncate, input_gradient)
        cell.accumulate(dW, dU, db)
        return dx, [dh]


__all__ = ["GRU", "gru_backward", "gru_forward"]
