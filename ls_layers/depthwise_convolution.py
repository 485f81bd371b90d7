"""Depthwise convolution over n spatial axes: the kernels and the base class of DepthwiseConv1D and DepthwiseConv2D.

    z[b, o, c M + m] = bias[c M + m] + sum_k x[b, o * stride + k * dilation - before, c] W[k, c, m]

Every channel has kernels of its own, so there is no product of matrices: the taps are added up one after the other.

B batch, I.. input positions, O.. output positions, K taps of the kernel over all axes, C channels, M kernels per channel.
"""

from __future__ import annotations

import math
from typing import Any

from ls_core.backend import as_float, get_xp
from ls_core.kernel import kernel
from ls_core.types import Array

from .convolution import ConvolutionBase
from .windows import Ints, Pads, count_windows, overlaps


def _taps(x: Array, W: Array, strides: Ints, dilation: Ints, pads: Pads) -> tuple[Array, Array, Ints, Any]:
    """x with every channel M times (B, I.., C M), W (K, C M), the output lengths, and each tap with its windows and what they read."""
    *sizes, C, M = W.shape
    repeated = x.repeat(M, axis=-1) if M > 1 else x
    outputs = count_windows(x.shape[1:-1], tuple(sizes), strides, dilation, pads)
    before = tuple(pad[0] for pad in pads)
    taps = overlaps(x.shape[1:-1], outputs, tuple(sizes), strides, dilation, before)
    return repeated, W.reshape(math.prod(sizes), C * M), outputs, [(k, (slice(None), *o), (slice(None), *i)) for k, o, i in taps]


@kernel
def depthwise_forward(x: Array, W: Array, b: Array | None, strides: Ints, dilation: Ints, pads: Pads) -> Array:
    """x (B, I.., C), W (k.., C, M), b (C M,) or None -> z (B, O.., C M)."""
    xp = get_xp(x)
    x, W, outputs, taps = _taps(x, W, strides, dilation, pads)
    z = xp.zeros((x.shape[0], *outputs, x.shape[-1]), dtype=x.dtype)
    for k, windows, read in taps:
        z[windows] += x[read] * W[k]
    if b is not None:
        z += b
    return z


@kernel
def depthwise_backward(
    dz: Array, x: Array, W: Array, has_bias: bool, strides: Ints, dilation: Ints, pads: Pads, input_gradient: bool
) -> tuple[Array | None, Array, Array | None]:
    """dz (B, O.., C M) -> dx (B, I.., C), dW (k.., C, M), db (C M,)."""
    xp = get_xp(dz)
    x_shape, W_shape, axes = x.shape, W.shape, tuple(range(dz.ndim - 1))
    x, W, _, taps = _taps(x, W, strides, dilation, pads)
    # 2. z += b
    db = dz.sum(axis=axes) if has_bias else None  # (C M,)
    # 1. z[windows] += x[read] * W[k]
    dW = xp.empty(W.shape, dtype=W.dtype)  # (K, C M)
    dx = xp.zeros(x.shape, dtype=dz.dtype) if input_gradient else None  # (B, I.., C M)
    for k, windows, read in taps:
        dW[k] = (x[read] * dz[windows]).sum(axis=axes)
        if dx is not None:
            dx[read] += dz[windows] * W[k]
    if dx is not None and W_shape[-1] > 1:  # the M copies of a channel
        dx = dx.reshape(*x_shape, W_shape[-1]).sum(axis=-1)  # (B, I.., C)
    return dx, dW.reshape(W_shape), db


class DepthwiseConvolution(ConvolutionBase):
    """What DepthwiseConv1D and DepthwiseConv2D share; they differ in ``rank`` alone."""

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        **options: Any,
    ) -> None:
        bias_options = (bias_initializer, bias_regularizer, bias_constraint)
        shared = (kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, bias_options)
        super().__init__(*shared, activity_regularizer=activity_regularizer, **options)
        self.depth_multiplier = self.positive(depth_multiplier, "depth_multiplier")
        self.depthwise_options = (depthwise_initializer, depthwise_regularizer, depthwise_constraint)

    def build(self, input_shape: Any) -> None:
        channels = self.known_channels(input_shape)
        self.kernel = self.add_kernel("kernel", (*self.kernel_size, channels, self.depth_multiplier), self.depthwise_options)
        self.add_bias(channels * self.depth_multiplier)

    def output_shape(self, input_shape: Any) -> Any:
        batch, lengths, channels = self.split_shape(input_shape)
        channels = None if channels is None else channels * self.depth_multiplier
        return self.activation.output_shape(self.join_shape(batch, self.windows(lengths)[0], channels))

    def forward(self, x: Array, training: bool = False) -> Any:
        _, lengths, channels = self.split_shape(x.shape)
        self.check_channels(channels, self.kernel.shape[-2])
        _, pads = self.windows(lengths)
        x = self.channels_last(as_float(x))
        W, geometry = self.kernel.value, (self.strides, self.dilation_rate, pads)
        y, saved = self.activate(x, lambda x, b: depthwise_forward(x, W, b, *geometry))
        return y, (x, geometry, saved)

    def backward(self, dy: Array, saved: Any, input_gradient: bool = True) -> Any:
        x, geometry, activated = saved
        W = self.kernel.value
        dx, dW = self.activate_backward(
            dy, activated, lambda dz, has_bias: depthwise_backward(dz, x, W, has_bias, *geometry, input_gradient)
        )
        self.kernel.accumulate(dW)
        return self.as_input(dx) if input_gradient else None


__all__ = ["DepthwiseConvolution", "depthwise_backward", "depthwise_forward"]
