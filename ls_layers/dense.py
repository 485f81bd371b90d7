"""Dense: y = activation(x W + b).

B every axis before the last, I inputs (the last axis of x), O outputs (units).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.errors import ShapeError
from ls_core.kernel import kernel
from ls_core.layer import Layer
from ls_core.products import matmul
from ls_core.registry import deserialize
from ls_core.types import Array

from .activated import activated_backward, activated_forward


@kernel
def dense_forward(x: Array, W: Array, b: Array | None) -> tuple[Array, Array]:
    z = matmul(x.reshape(-1, W.shape[0]), W)  # (B, O): one product, whatever axes come before the last
    if b is not None:
        z += b
    return z.reshape(*x.shape[:-1], W.shape[1]), x


@kernel
def dense_backward(dz: Array, x: Array, W: Array, has_bias: bool, input_gradient: bool) -> tuple[Array, Array, Array]:
    dz2 = dz.reshape(-1, W.shape[1])  # (B, O)
    # 2. z += b
    db = dz2.sum(axis=0) if has_bias else None  # (O,)
    # 1. z = matmul(x, W)
    dW = matmul(x.reshape(-1, W.shape[0]).T, dz2)  # (I, O)
    dx = matmul(dz2, W.T).reshape(x.shape) if input_gradient else None  # (B, I)
    return dx, dW, db


class Dense(Layer):
    """A fully connected layer: ``y = activation(x @ kernel + bias)``.

    Parameters
    ----------
    units : int
        Size O of the output's last axis.
    activation : str or ActivationFunction, optional
        Default: linear.
    use_bias : bool
        Default True.
    kernel_initializer, bias_initializer : str or Initializer
        Defaults 'glorot_uniform' and 'zeros'.
    kernel_regularizer, bias_regularizer, activity_regularizer, kernel_constraint, bias_constraint : optional

    Notes
    -----
    Input (..., I), output (..., units). Weights: kernel (I, units), bias (units,).
    Backward, with dz = activation'(z) dy:  dW = x^T dz,  db = sum_B dz,  dx = dz W^T.

    Raises
    ------
    ShapeError
        The input's last axis is not the one that the kernel was built for.

    Source: Keras 3, ``keras.layers.Dense``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Dense(2, kernel_initializer='ones')
    >>> y, cache = layer.forward(np.array([[1., 2., 3.]]))
    >>> y, layer.backward(np.array([[1., 0.]]), cache), layer.kernel.grad[:, 0]
    (array([[6., 6.]]), array([[1., 1., 1.]]), array([1., 2., 3.]))
    """

    supports_masking = True
    output_axes = ("units",)

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **options)
        if not isinstance(units, (int, np.integer)) or isinstance(units, bool) or units < 1:
            raise ValueError(f"Dense: units is a positive integer, not {units!r}")
        self.units = int(units)
        self.activation = deserialize("activation", activation or "linear")
        self.use_bias = use_bias
        self.kernel_options = (kernel_initializer, kernel_regularizer, kernel_constraint)
        self.bias_options = (bias_initializer, bias_regularizer, bias_constraint)

    def build(self, input_shape: Any) -> None:
        size = input_shape[-1]
        if size is None:
            raise ShapeError(f"{self}: the last axis of the input must be known to make the kernel; it came as {tuple(input_shape)}.", -1)
        initializer, regularizer, constraint = self.kernel_options
        self.kernel = self.add_weight((size, self.units), initializer, regularizer=regularizer, constraint=constraint, name="kernel")
        self.bias = None
        if self.use_bias:
            initializer, regularizer, constraint = self.bias_options
            self.bias = self.add_weight((self.units,), initializer, regularizer=regularizer, constraint=constraint, name="bias")

    def output_shape(self, input_shape: Any) -> Any:
        return self.activation.output_shape((*input_shape[:-1], self.units))

    def forward(self, x: Array, training: bool = False) -> Any:
        W = self.kernel.value
        if x.shape[-1] != W.shape[0]:
            raise ShapeError(
                f"{self}: the last axis of the input is {x.shape[-1]}, its kernel wants {W.shape[0]}. "
                "Feed it what it was built for, or make a new layer.",
                -1,
            )
        b = self.bias.value if self.bias is not None else None
        y, saved = activated_forward(x, lambda x, b: dense_forward(x, W, b)[0], b, self.activation)
        return y, (x, saved)

    def backward(self, dy: Array, saved: Any, input_gradient: bool = True) -> Any:
        x, activated = saved
        W, b = self.kernel.value, self.bias.value if self.bias is not None else None
        dx, dW, db = activated_backward(
            dy, activated, self.activation, lambda dz, has_bias: dense_backward(dz, x, W, has_bias, input_gradient), b
        )
        self.kernel.accumulate(dW)
        if self.bias is not None:
            self.bias.accumulate(db)
        return dx


__all__ = ["Dense", "dense_backward", "dense_forward"]
