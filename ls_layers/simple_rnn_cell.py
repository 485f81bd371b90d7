"""SimpleRNNCell: one time step h' = activation(x W + h U + b).

B batch, I inputs, U units.
"""

from __future__ import annotations

from typing import Any

from ls_core.types import Array

from .recurrent_cell import RecurrentCell, gate_products_backward, gate_products_forward


class SimpleRNNCell(RecurrentCell):
    """One step of ``SimpleRNN``: ``h' = activation(x @ kernel + h @ recurrent_kernel + bias)``.

    Parameters
    ----------
    units : int
        Size U of the output and the state.
    activation : str or ActivationFunction, optional
        Default 'tanh'; None is linear.
    use_bias : bool
        Default True.
    kernel_initializer, recurrent_initializer, bias_initializer : str or Initializer
        Defaults 'glorot_uniform', 'orthogonal' and 'zeros'.
    kernel_regularizer, recurrent_regularizer, bias_regularizer : optional
    kernel_constraint, recurrent_constraint, bias_constraint : optional
    dropout, recurrent_dropout : float
        Rates from 0 to 1 at which elements of x, and of h before its product, are dropped. Default 0.
    seed : int, optional
        Of the dropout masks.

    Notes
    -----
    Inputs x (B, I) and h (B, U); outputs (h', h'), the output and the new state. Weights: kernel (I, U),
    recurrent_kernel (U, U), bias (U,). Backward, with da = activation'(a) (dy + dh'):
    ``dW = x^T da``, ``dU = h^T da``, ``db = sum_B da``, ``dx = da W^T``, ``dh = da U^T``.

    Source: Keras 3, ``keras.layers.SimpleRNNCell``; Elman 1990.

    Examples
    --------
    >>> import numpy as np
    >>> cell = SimpleRNNCell(1, activation=None, kernel_initializer='ones', recurrent_initializer='ones')
    >>> (y, h), cache = cell.forward(np.array([[2., 3.]]), np.array([[10.]]))
    >>> y, [d.tolist() for d in cell.backward((np.ones((1, 1)), None), cache)]
    (array([[15.]]), [[[1.0, 1.0]], [[1.0]]])
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
            (bias_initializer, bias_regularizer, bias_constraint),
            dropout,
            recurrent_dropout,
            seed,
            **options,
        )

    def forward(self, x: Array, h: Array, training: bool = False, masks: Any = None) -> Any:
        self.check_step(x, (h,))
        masks = masks or (self.draw_masks(x, h) if training else ((), ()))
        a = gate_products_forward(x, self.kernel.value, masks[0])  # (B, U)
        a += gate_products_forward(h, self.recurrent_kernel.value, masks[1])
        if self.bias is not None:
            a += self.bias.value
        y, activated = self.activation.forward(a)
        return (y, y), (x, h, masks, activated)

    def backward(self, dy: Any, saved: Any) -> Any:
        x, h, masks, activated = saved
        (total,) = self.state_gradients(dy, h)
        # 2. y = activation(a)
        da = self.activation.backward(total, activated)  # (B, U)
        # 1. a = gate_products(x, W) + gate_products(h, U) + b
        db = da.sum(axis=0) if self.bias is not None else None  # (U,)
        dh, dU = gate_products_backward(da, h, self.recurrent_kernel.value, masks[1])  # (B, U), (U, U)
        dx, dW = gate_products_backward(da, x, self.kernel.value, masks[0])  # (B, I), (I, U)
        self.accumulate(dW, dU, db)
        return dx, dh


__all__ = ["SimpleRNNCell"]
