"""Transposed convolution over n spatial axes: the kernels and the base class of Conv1DTranspose, Conv2DTranspose and Conv3DTranspose.

    z[b, i * stride + k * dilation - before, f] += x[b, i, c] W[k, f, c],  then z += bias

It is the input gradient of a convolution: each input position spreads over a window of the output.

B batch, I.. input positions, O.. output positions, K taps of the kernel over all axes, C channels, F filters.
"""

from __future__ import annotations

import math
from typing import Any

from ls_core.kernel import kernel
from ls_core.products import matmul
from ls_core.types import Array

from .convolution import ConvolutionBase
from .windows import Ints, gather, scatter


@kernel
def conv_transpose_forward(x: Array, W: Array, b: Array | None, strides: Ints, dilation: Ints, before: Ints, outputs: Ints) -> Array:
    """x (B, I.., C), W (k.., F, C), b (F,) or None -> z (B, O.., F)."""
    *sizes, F, C = W.shape
    K = math.prod(sizes)
    products = matmul(x.reshape(-1, C), W.reshape(K * F, C).T)  # (B I.., K F)
    products = products.reshape(*x.shape[:-1], K, F)  # (B, I.., K, F)
    z = scatter(products, outputs, tuple(sizes), strides, dilation, before)  # (B, O.., F)
    if b is not None:
        z += b
    return z


@kernel
def conv_transpose_backward(
    dz: Array, x: Array, W: Array, has_bias: bool, strides: Ints, dilation: Ints, before: Ints, input_gradient: bool
) -> tuple[Array | None, Array, Array | None]:
    """dz (B, O.., F) -> dx (B, I.., C), dW (k.., F, C), db (F,)."""
    *sizes, F, C = W.shape
    K = math.prod(sizes)
    # 3. z += b
    db = dz.sum(axis=tuple(range(dz.ndim - 1))) if has_bias else None  # (F,)
    # 2. z = scatter(products)
    dproducts = gather(dz, x.shape[1:-1], tuple(sizes), strides, dilation, before).reshape(-1, K * F)  # (B I.., K F)
    # 1. products = matmul(x, W.T)
    dW = matmul(dproducts.T, x.reshape(-1, C)).reshape(W.shape)  # (k.., F, C)
    dx = matmul(dproducts, W.reshape(K * F, C)).reshape(x.shape) if input_gradient else None  # (B, I.., C)
    return dx, dW, db


class TransposedConvolution(ConvolutionBase):
    """What the transposed convolutions share; they differ in ``rank`` alone."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = 1,
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
        bias_options = (bias_initializer, bias_regularizer, bias_constraint)
        shared = (kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, bias_options)
        super().__init__(*shared, activity_regularizer=activity_regularizer, **options)
        self.filters = self.positive(filters, "filters")
        self.refuse_strided_dilation()
        self.output_padding = None if output_padding is None else self.as_tuple(output_padding, "output_padding", least=0)
        if self.output_padding is not None and any(o >= s for o, s in zip(self.output_padding, self.strides, strict=True)):
            raise ValueError(f"{self}: output_padding {self.output_padding} must be below strides {self.strides} along each axis")
        self.kernel_options = (kernel_initializer, kernel_regularizer, kernel_constraint)

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_kernel("kernel", (*self.kernel_size, self.filters, self.known_channels(input_shape)), self.kernel_options)
        self.add_bias(self.filters)

    def place_outputs(self, lengths: Any) -> tuple[Any, Ints]:
        """(output lengths, positions cut off before the first) for inputs of these lengths."""
        outputs: list[int | None] = []
        before = []
        for axis, (length, size, stride, d) in enumerate(zip(lengths, self.kernel_size, self.strides, self.dilation_rate, strict=True)):
            reach = (size - 1) * d + 1  # output positions from a window's first tap to its last
            extra = None if self.output_padding is None else self.output_padding[axis]
            if self.padding == "valid":  # nothing is cut off; at least one whole stride for each input
                cut = -max(0, stride - reach) if extra is None else -extra
            else:  # length * stride positions stay, or as many as output_padding says
                cut = reach - stride if extra is None else reach - reach % 2 - extra
            before.append(0 if self.padding == "valid" else max(0, cut // 2))
            outputs.append(None if length is None else max(0, (length - 1) * stride + reach - cut))
        return tuple(outputs), tuple(before)

    def output_shape(self, input_shape: Any) -> Any:
        batch, lengths, _ = self.split_shape(input_shape)
        return self.activation.output_shape(self.join_shape(batch, self.place_outputs(lengths)[0], self.filters))

    def forward(self, x: Array, training: bool = False) -> Any:
        _, lengths, channels = self.split_shape(x.shape)
        self.check_channels(channels, self.kernel.shape[-1])
        outputs, before = self.place_outputs(lengths)
        x = self.channels_last(x)
        W, geometry = self.kernel.value, (self.strides, self.dilation_rate, before)
        y, saved = self.activate(x, lambda x, b: conv_transpose_forward(x, W, b, *geometry, outputs))
        return y, (x, geometry, saved)

    def backward(self, dy: Array, saved: Any, input_gradient: bool = True) -> Any:
        x, geometry, activated = saved
        W = self.kernel.value
        dx, dW = self.activate_backward(
            dy, activated, lambda dz, has_bias: conv_transpose_backward(dz, x, W, has_bias, *geometry, input_gradient)
        )
        self.kernel.accumulate(dW)
        return self.as_input(dx) if input_gradient else None


__all__ = ["TransposedConvolution", "conv_transpose_backward", "conv_transpose_forward"]
