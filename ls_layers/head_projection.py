"""HeadProjection: the products into and out of attention heads; the part that MultiHeadAttention and its kin are made of.

I all input features (one axis, or heads and head size), O all output features (likewise).
"""

from __future__ import annotations

import math
from typing import Any

from ls_core.errors import ShapeError
from ls_core.layer import Layer
from ls_core.registry import deserialize
from ls_core.types import Array

from .dense import dense_backward, dense_forward


class HeadProjection(Layer):
    """``y = activation(x @ kernel + bias)`` from the last ``input_axes`` axes to axes of ``sizes``.

    Parameters
    ----------
    sizes : tuple of int
        The output's last axes: (heads, head size), or the features.
    input_axes : int
        How many axes at the end of the input are summed over.
    activation, use_bias, the initializers, regularizers and constraints : optional
        As Dense has them.

    Notes
    -----
    Weights: kernel (input axes..., sizes...), bias (sizes). Dense's kernels do the work, on axes joined into one.
    """

    def __init__(
        self,
        sizes: tuple[int, ...],
        input_axes: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.sizes, self.input_axes = sizes, input_axes
        self.activation = deserialize("activation", activation or "linear")
        self.use_bias = use_bias
        self.kernel_options = {"initializer": kernel_initializer, "regularizer": kernel_regularizer, "constraint": kernel_constraint}
        self.bias_options = {"initializer": bias_initializer, "regularizer": bias_regularizer, "constraint": bias_constraint}

    def build(self, input_shape: Any) -> None:
        features = tuple(input_shape[-self.input_axes :])
        if None in features:
            raise ShapeError(f"{self}: the last axis of the input must be known to make the kernel; it came as {tuple(input_shape)}.", -1)
        self.kernel = self.add_weight((*features, *self.sizes), name="kernel", **self.kernel_options)
        self.bias = self.add_weight(self.sizes, name="bias", **self.bias_options) if self.use_bias else None

    def output_shape(self, input_shape: Any) -> Any:
        return self.activation.output_shape((*input_shape[: -self.input_axes], *self.sizes))

    def _matrix(self) -> Array:
        return self.kernel.value.reshape(-1, math.prod(self.sizes))  # (I, O)

    def forward(self, x: Array, training: bool = False) -> Any:
        wanted = self.kernel.shape[: self.input_axes]
        if x.shape[-self.input_axes :] != wanted:
            raise ShapeError(
                f"{self}: the input's last axis is {x.shape[-1]}, its kernel wants {wanted[-1]}. "
                "Feed it what it was built for, or make a new layer.",
                -1,
            )
        lead = x.shape[: -self.input_axes]
        z, joined = dense_forward(
            x.reshape(*lead, math.prod(wanted)), self._matrix(), None if self.bias is None else self.bias.value.reshape(-1)
        )
        y, saved = self.activation.forward(z.reshape(*lead, *self.sizes))
        return y, (joined, saved)

    def backward(self, dy: Array, saved: Any, input_gradient: bool = True) -> Any:
        joined, activated = saved
        lead = joined.shape[:-1]
        dz = self.activation.backward(dy, activated).reshape(*lead, math.prod(self.sizes))
        dx, dW, db = dense_backward(dz, joined, self._matrix(), self.bias is not None, input_gradient)
        self.kernel.accumulate(dW.reshape(self.kernel.shape))
        if self.bias is not None:
            self.bias.accumulate(db.reshape(self.bias.shape))
        return dx.reshape(*lead, *self.kernel.shape[: self.input_axes]) if input_gradient else None
