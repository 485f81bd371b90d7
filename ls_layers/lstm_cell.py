"""LSTMCell: one time step of a long short-term memory.

B batch, I inputs, U units; the kernels' 4 U columns hold the gates i, f, c, o.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.registry import deserialize
from ls_core.types import Array

from .recurrent_cell import RecurrentCell, gate_activation, gate_products_backward, gate_products_forward


@kernel
def lstm_cell_forward(
    x: Array, h: Array, c: Array, W: Array, U: Array, b: Array | None, masks: Any, activation: Any, recurrent_activation: Any
) -> tuple[Array, Array, Any]:
    """x (B, I), h and c (B, U) -> the new h and c, saved."""
    n = U.shape[0]
    z = gate_products_forward(x, W, masks[0])  # (B, 4U)
    z += gate_products_forward(h, U, masks[1])
    if b is not None:
        z += b
    i, saved_i = recurrent_activation.forward(z[:, :n])  # (B, U), as all below
    f, saved_f = recurrent_activation.forward(z[:, n : 2 * n])
    g, saved_g = activation.forward(z[:, 2 * n : 3 * n])
    o, saved_o = recurrent_activation.forward(z[:, 3 * n :])
    new_c = f * c + i * g
    a, saved_a = activation.forward(new_c)
    new_h = o * a
    return new_h, new_c, (x, h, c, i, f, g, o, a, saved_i, saved_f, saved_g, saved_o, saved_a)


@kernel
def lstm_cell_backward(
    dh: Array, dc: Array, saved: Any, W: Array, U: Array, has_bias: bool, masks: Any, activation: Any, recurrent_activation: Any
) -> tuple[Array, ...]:
    """dh and dc (B, U), of the new states -> dx, those of the old states, dW, dU, db."""
    x, h, c, i, f, g, o, a, saved_i, saved_f, saved_g, saved_o, saved_a = saved
    # 5. h = o * a
    do = recurrent_activation.backward(dh * a, saved_o)  # (B, U), as all below; from here on do, di ... are of z
    # 4. a = activation(c)
    dc = dc + activation.backward(dh * o, saved_a)
    # 3. c = f * c_before + i * g
    di = recurrent_activation.backward(dc * g, saved_i)
    df = recurrent_activation.backward(dc * c, saved_f)
    dg = activation.backward(dc * i, saved_g)
    dz = get_xp(dh).concatenate((di, df, dg, do), axis=1)  # (B, 4U)
    # 2. z += b
    db = dz.sum(axis=0) if has_bias else None  # (4U,)
    # 1. z = gate_products(x, W) + gate_products(h, U)
    dh_before, dU = gate_products_backward(dz, h, U, masks[1])
    dx, dW = gate_products_backward(dz, x, W, masks[0])
    return dx, dh_before, dc * f, dW, dU, db


def with_forget_bias(initializer: Any, units: int) -> Any:
    """``initializer``, with ones at the forget gate."""
    return partial(_draw_with_ones, deserialize("initializer", initializer), slice(units, 2 * units))


def _draw_with_ones(make: Any, where: slice, shape: tuple[int, ...], dtype: Any = None, stream: Any = None) -> Any:
    host = make(shape, dtype=dtype, stream=stream).copy()
    host[where] = 1.0
    return host


class LSTMCell(RecurrentCell):
    """One step of ``LSTM``: ``i, f, o = recurrent_activation(...)``, ``c' = f c + i activation(...)``, ``h' = o activation(c')``.

    Parameters
    ----------
    units : int
        Size U of the output and of both states.
    activation, recurrent_activation : str or ActivationFunction, optional
        Of the candidate and the cell state, default 'tanh'; of the three gates, default 'sigmoid'.
    use_bias : bool
        Default True.
    kernel_initializer, recurrent_initializer, bias_initializer : str or Initializer
        Defaults 'glorot_uniform', 'orthogonal' and 'zeros'.
    unit_forget_bias : bool
        True (default) begins with a bias of 1 at the forget gate (Jozefowicz et al. 2015).
    kernel_regularizer, recurrent_regularizer, bias_regularizer : optional
    kernel_constraint, recurrent_constraint, bias_constraint : optional
    dropout, recurrent_dropout : float
        Rates from 0 to 1 at which elements of x, and of h before its product, are dropped. Default 0.
    seed : int, optional
        Of the dropout masks.

    Notes
    -----
    Inputs x (B, I), h and c (B, U); outputs (h', h', c'): the output, then both states. Weights, with the gates' columns
    in the order i, f, c, o: kernel (I, 4U), recurrent_kernel (U, 4U), bias (4U,).

    Source: Keras 3, ``keras.layers.LSTMCell``; Hochreiter and Schmidhuber 1997; Gers et al. 2000 (forget gate).

    Examples
    --------
    >>> import numpy as np
    >>> cell = LSTMCell(2)
    >>> (y, h, c), cache = cell.forward(np.ones((1, 3)), np.zeros((1, 2)), np.zeros((1, 2)))
    >>> y.shape, y is h, [d.shape for d in cell.backward((y, None, None), cache)], cell.bias.value
    ((1, 2), True, [(1, 3), (1, 2), (1, 2)], array([0., 0., 1., 1., 0., 0., 0., 0.]))
    """

    gates = 4

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
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(
            units,
            activation,
            use_bias,
            (kernel_initializer, kernel_regularizer, kernel_constraint),
            (recurrent_initializer, recurrent_regularizer, recurrent_constraint),
            (with_forget_bias(bias_initializer, units) if unit_forget_bias else bias_initializer, bias_regularizer, bias_constraint),
            dropout,
            recurrent_dropout,
            seed,
            **options,
        )
        self.recurrent_activation = gate_activation(type(self).__name__, recurrent_activation)
        self.state_size = [units, units]

    def forward(self, x: Array, h: Array, c: Array, training: bool = False, masks: Any = None) -> Any:
        self.check_step(x, (h, c))
        masks = masks or (self.draw_masks(x, h) if training else ((), ()))
        W, U, b = self.kernel.value, self.recurrent_kernel.value, self.bias.value if self.bias is not None else None
        h, c, saved = lstm_cell_forward(x, h, c, W, U, b, masks, self.activation, self.recurrent_activation)
        return (h, h, c), (saved, masks)

    def backward(self, dy: Any, saved: Any) -> Any:
        saved, masks = saved
        dh, dc = self.state_gradients(dy, saved[1])
        W, U, has_bias = self.kernel.value, self.recurrent_kernel.value, self.bias is not None
        dx, dh, dc, dW, dU, db = lstm_cell_backward(dh, dc, saved, W, U, has_bias, masks, self.activation, self.recurrent_activation)
        self.accumulate(dW, dU, db)
        return dx, dh, dc


__all__ = ["LSTMCell", "lstm_cell_backward", "lstm_cell_forward"]
