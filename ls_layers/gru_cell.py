"""GRUCell: one time step of a gated recurrent unit.

B batch, I inputs, U units; the kernels' 3 U columns hold the gates z (update), r (reset), h (candidate).
"""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array

from .recurrent_cell import RecurrentCell, gate_activation, gate_products_backward, gate_products_forward


@kernel
def gru_cell_forward(
    x: Array,
    h: Array,
    W: Array,
    U: Array,
    b: Array | None,
    reset_after: bool,
    masks: Any,
    activation: Any,
    recurrent_activation: Any,
) -> tuple[Array, Any]:
    """x (B, I), h (B, U) -> the new h, saved. ``b`` is (2, 3U) with ``reset_after``, else (3U,)."""
    n = U.shape[0]
    bx, bh = (None, None) if b is None else (b[0], b[1]) if reset_after else (b, None)
    ax = gate_products_forward(x, W, masks[0])  # (B, 3U)
    if bx is not None:
        ax += bx
    if reset_after:
        ah = gate_products_forward(h, U, masks[1])  # (B, 3U)
        if bh is not None:
            ah += bh
    else:
        ah = gate_products_forward(h, U[:, : 2 * n], masks[1][:2])  # (B, 2U)
    z, saved_z = recurrent_activation.forward(ax[:, :n] + ah[:, :n])  # (B, U), as all below
    r, saved_r = recurrent_activation.forward(ax[:, n : 2 * n] + ah[:, n : 2 * n])
    if reset_after:
        q = ah[:, 2 * n :]
        g, saved_g = activation.forward(ax[:, 2 * n :] + r * q)
    else:
        q = r * h
        g, saved_g = activation.forward(ax[:, 2 * n :] + gate_products_forward(q, U[:, 2 * n :], masks[1][2:]))
    new_h = z * h + (1 - z) * g
    return new_h, (x, h, z, r, q, g, saved_z, saved_r, saved_g)


@kernel
def gru_cell_backward(
    dh: Array,
    saved: Any,
    W: Array,
    U: Array,
    has_bias: bool,
    reset_after: bool,
    masks: Any,
    activation: Any,
    recurrent_activation: Any,
) -> tuple[Array, ...]:
    """dh (B, U) of the new state -> dx, that of the old state, dW, dU, db."""
    xp = get_xp(dh)
    x, h, z, r, q, g, saved_z, saved_r, saved_g = saved
    n = U.shape[0]
    # 4. new_h = z * h + (1 - z) * g
    dz = recurrent_activation.backward(dh * (h - g), saved_z)  # (B, U), as all below; dz, dr, dg are before the activations
    dg = activation.backward(dh * (1 - z), saved_g)
    dh = dh * z
    if reset_after:
        # 3. g = activation(ax_h + r * q)
        dr = recurrent_activation.backward(dg * q, saved_r)
        dq = dg * r
        # 2. ah = gate_products(h, U) + bh; z and r are of ax + ah, q is ah_h
        dah = xp.concatenate((dz, dr, dq), axis=1)  # (B, 3U)
        dh_product, dU = gate_products_backward(dah, h, U, masks[1])
        dh = dh + dh_product
    else:
        # 3. g = activation(ax_h + gate_products(q, U_h)),  q = r * h
        dq, dU_h = gate_products_backward(dg, q, U[:, 2 * n :], masks[1][2:])
        dr = recurrent_activation.backward(dq * h, saved_r)
        # 2. ah = gate_products(h, U_zr)
        dh_product, dU_zr = gate_products_backward(xp.concatenate((dz, dr), axis=1), h, U[:, : 2 * n], masks[1][:2])
        dh = dh + dq * r + dh_product
        dU = xp.concatenate((dU_zr, dU_h), axis=1)  # (U, 3U)
    # 1. ax = gate_products(x, W) + bx
    dax = xp.concatenate((dz, dr, dg), axis=1)  # (B, 3U)
    dx, dW = gate_products_backward(dax, x, W, masks[0])
    db = None
    if has_bias:
        db = xp.stack((dax.sum(axis=0), dah.sum(axis=0))) if reset_after else dax.sum(axis=0)  # (2, 3U) or (3U,)
    return dx, dh, dW, dU, db


class GRUCell(RecurrentCell):
    """One step of ``GRU``: ``z, r = recurrent_activation(...)``, ``h' = z h + (1 - z) activation(...)``.

    Parameters
    ----------
    units : int
        Size U of the output and the state.
    activation, recurrent_activation : str or ActivationFunction, optional
        Of the candidate, default 'tanh'; of the two gates, default 'sigmoid'.
    use_bias : bool
        Default True.
    kernel_initializer, recurrent_initializer, bias_initializer : str or Initializer
        Defaults 'glorot_uniform', 'orthogonal' and 'zeros'.
    kernel_regularizer, recurrent_regularizer, bias_regularizer : optional
    kernel_constraint, recurrent_constraint, bias_constraint : optional
    dropout, recurrent_dropout : float
        Rates from 0 to 1 at which elements of x, and of h before its product, are dropped. Default 0.
    reset_after : bool
        Whether the reset gate acts after the product with recurrent_kernel (True, the default) or before.
    seed : int, optional
        Of the dropout masks.

    Notes
    -----
    Inputs x (B, I) and h (B, U); outputs (h', h'), the output and the new state. With ``reset_after`` the candidate is
    ``activation(x W_h + b_h + r (h U_h + b'_h))``, otherwise ``activation(x W_h + b_h + (r h) U_h)``.
    Weights, with the gates' columns in the order z, r, h: kernel (I, 3U), recurrent_kernel (U, 3U), bias (2, 3U), one row
    for each product, or (3U,) without ``reset_after``.

    Source: Keras 3, ``keras.layers.GRUCell``; Cho et al. 2014.

    Examples
    --------
    >>> import numpy as np
    >>> cell = GRUCell(2)
    >>> (y, h), cache = cell.forward(np.ones((1, 3)), np.zeros((1, 2)))
    >>> y.shape, y is h, [d.shape for d in cell.backward((y, None), cache)]
    ((1, 2), True, [(1, 3), (1, 2)])
    """

    gates = 3

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
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        reset_after: bool = True,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(
            units,
            activation,
            use_bias,
            (kernel_initializer, kernel_regularizer, kernel_constraint),
            (recurrent_initializer, recurrent_regularizer, recurrent_constraint),
            (bias_initializer, bias_regularizer, bias_constraint),
            dropout,
            recurrent_dropout,
            seed,
            **options,
        )
        self.recurrent_activation = gate_activation(type(self).__name__, recurrent_activation)
        self.reset_after = reset_after

    def bias_shape(self) -> tuple[int, ...]:
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def forward(self, x: Array, h: Array, training: bool = False, masks: Any = None) -> Any:
        self.check_step(x, (h,))
        masks = masks or (self.draw_masks(x, h) if training else ((), ()))
        W, U, b = self.kernel.value, self.recurrent_kernel.value, self.bias.value if self.bias is not None else None
        h, saved = gru_cell_forward(x, h, W, U, b, self.reset_after, masks, self.activation, self.recurrent_activation)
        return (h, h), (saved, masks)

    def backward(self, dy: Any, saved: Any) -> Any:
        saved, masks = saved
        (dh,) = self.state_gradients(dy, saved[1])
        W, U, has_bias = self.kernel.value, self.recurrent_kernel.value, self.bias is not None
        dx, dh, dW, dU, db = gru_cell_backward(
            dh, saved, W, U, has_bias, self.reset_after, masks, self.activation, self.recurrent_activation
        )
        self.accumulate(dW, dU, db)
        return dx, dh


__all__ = ["GRUCell", "gru_cell_backward", "gru_cell_forward"]
