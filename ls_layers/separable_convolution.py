"""Separable convolution over n spatial axes: the base class of SeparableConv1D and SeparableConv2D.

A depthwise convolution, which sees each channel alone, then a 1x1 convolution across the channels. The passes are those of
depthwise_convolution.py and convolution.py.
"""

from __future__ import annotations

from typing import Any

from ls_core.backend import as_float
from ls_core.types import Array

from .convolution import ConvolutionBase, conv_backward, conv_forward
from .depthwise_convolution import depthwise_backward, depthwise_forward


class SeparableConvolution(ConvolutionBase):
    """What SeparableConv1D and SeparableConv2D share; they differ in ``rank`` alone."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        **options: Any,
    ) -> None:
        bias_options = (bias_initializer, bias_regularizer, bias_constraint)
        shared = (kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, bias_options)
        super().__init__(*shared, activity_regularizer=activity_regularizer, **options)
        self.filters = self.positive(filters, "filters")
        self.depth_multiplier = self.positive(depth_multiplier, "depth_multiplier")
        self.depthwise_options = (depthwise_initializer, depthwise_regularizer, depthwise_constraint)
        self.pointwise_options = (pointwise_initializer, pointwise_regularizer, pointwise_constraint)
        ones = (1,) * self.rank
        self.pointwise_geometry = (ones, ones, ((0, 0),) * self.rank, 1)  # strides, dilation, pads, groups

    def build(self, input_shape: Any) -> None:
        channels, M = self.known_channels(input_shape), self.depth_multiplier
        self.depthwise_kernel = self.add_kernel("depthwise_kernel", (*self.kernel_size, channels, M), self.depthwise_options)
        ones = (1,) * self.rank
        self.pointwise_kernel = self.add_kernel("pointwise_kernel", (*ones, channels * M, self.filters), self.pointwise_options)
        self.add_bias(self.filters)

    def output_shape(self, input_shape: Any) -> Any:
        batch, lengths, _ = self.split_shape(input_shape)
        return self.activation.output_shape(self.join_shape(batch, self.windows(lengths)[0], self.filters))

    def forward(self, x: Array, training: bool = False) -> Any:
        _, lengths, channels = self.split_shape(x.shape)
        self.check_channels(channels, self.depthwise_kernel.shape[-2])
        _, pads = self.windows(lengths)
        x = self.channels_last(as_float(x))
        # 1. each channel alone
        u = depthwise_forward(x, self.depthwise_kernel.value, None, self.strides, self.dilation_rate, pads)
        # 2. across the channels, and the activation
        W = self.pointwise_kernel.value
        y, saved = self.activate(u, lambda u, b: conv_forward(u, W, b, *self.pointwise_geometry))
        return y, (x, u, pads, saved)

    def backward(self, dy: Array, saved: Any, input_gradient: bool = True) -> Any:
        x, u, pads, activated = saved
        # 2. y = activation(conv_forward(u, pointwise_kernel, bias))
        W = self.pointwise_kernel.value
        du, dW = self.activate_backward(
            dy, activated, lambda dz, has_bias: conv_backward(dz, u, W, has_bias, *self.pointwise_geometry, True)
        )
        self.pointwise_kernel.accumulate(dW)
        # 1. u = depthwise_forward(x, depthwise_kernel)
        geometry = (self.strides, self.dilation_rate, pads)
        dx, dW, _ = depthwise_backward(du, x, self.depthwise_kernel.value, False, *geometry, input_gradient)
        self.depthwise_kernel.accumulate(dW)
        return self.as_input(dx) if input_gradient else None


__all__ = ["SeparableConvolution"]
