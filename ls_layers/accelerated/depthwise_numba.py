"""Depthwise convolution, compiled, for float32 and float64; other numbers go to the NumPy overrides."""

from __future__ import annotations

import numpy as np

from ls_core.threads import run_blocks
from ls_core.types import Array

from ..depthwise_convolution import depthwise_backward, depthwise_forward
from ..windows import Ints, Pads, count_windows
from .blocks import LEAST, plain, sum_over_positions
from .convolution_numpy import depthwise_backward_blocks, depthwise_forward_blocks
from .direct import bias_or_zeros
from .volumes import ahead, along, floats, images, volume


@depthwise_forward.override("numba")
def depthwise_forward_compiled(x: Array, W: Array, b: Array | None, strides: Ints, dilation: Ints, pads: Pads) -> Array:
    if not floats(LEAST // 4, x, W):
        return depthwise_forward_blocks(x, W, b, strides, dilation, pads)
    from .depthwise_compiled import forward

    *sizes, C, M = W.shape
    outputs = count_windows(x.shape[1:-1], W.shape[:-2], strides, dilation, pads)
    z = np.empty((x.shape[0], *outputs, C * M), dtype=x.dtype)
    given, made = volume(x.repeat(M, axis=-1) if M > 1 else x), volume(z)
    kernel, bias = plain(W).reshape(-1, C * M), bias_or_zeros(b, C * M, x)
    geometry = along(tuple(sizes)), along(strides), along(dilation), ahead(pads)
    run_blocks(lambda begin, end: forward(given, kernel, bias, made, *geometry, begin, end), images(made))
    return z


@depthwise_backward.override("numba")
def depthwise_backward_compiled(
    dz: Array, x: Array, W: Array, has_bias: bool, strides: Ints, dilation: Ints, pads: Pads, input_gradient: bool
) -> tuple[Array | None, Array, Array | None]:
    if not floats(LEAST // 4, dz, x, W) or not len(dz):
        return depthwise_backward_blocks(dz, x, W, has_bias, strides, dilation, pads, input_gradient)
    from .depthwise_compiled import backward

    *sizes, C, M = W.shape
    dz = plain(dz)
    given, read = volume(dz), volume(x.repeat(M, axis=-1) if M > 1 else x)
    dx = np.empty(read.shape if input_gradient else (0,) * 5, dtype=dz.dtype)
    kernel, blocks = plain(W).reshape(-1, C * M), images(given)
    geometry = along(tuple(sizes)), along(strides), along(dilation), ahead(pads)
    parts = {begin: np.zeros(kernel.shape) for begin, _ in blocks}
    run_blocks(lambda i, j: backward(given, read, kernel, dx, parts[i], input_gradient, *geometry, i, j), blocks)
    dW = np.sum([parts[begin] for begin, _ in blocks], axis=0).astype(W.dtype).reshape(W.shape)
    if input_gradient and M > 1:  # the M copies of a channel
        dx = dx.reshape(*x.shape, M).sum(axis=-1)
    return dx.reshape(x.shape) if input_gradient else None, dW, sum_over_positions(dz) if has_bias else None
