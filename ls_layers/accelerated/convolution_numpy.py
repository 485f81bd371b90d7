"""Convolutions on NumPy, a few images at a time: Winograd's way for 3 x 3 kernels, columns for the others.

Depthwise and transposed convolutions run their references on blocks of images, which so stay in the cache. The blocks run
side by side on the pool of threads, each product on one.
"""

from __future__ import annotations

import math

import numpy as np

from ls_core.types import Array

from ..convolution import conv_backward, conv_forward
from ..depthwise_convolution import depthwise_backward, depthwise_forward
from ..transposed_convolution import conv_transpose_backward, conv_transpose_forward
from ..windows import Ints, Pads, count_windows
from . import columns, winograd
from .blocks import HUGE, LEAST, in_blocks, sum_in_blocks, sum_over_positions


def _large(x: Array, W: Array, outputs: Ints) -> bool:
    """Whether blocks pay: real floats, and enough work."""
    work = x.shape[0] * math.prod(outputs) * W.size
    return x.dtype in (np.float32, np.float64) and x.dtype == W.dtype and work >= 16 * LEAST


def _plain(W: Array) -> bool:
    """Whether the kernel has one tap, so that there are no columns."""
    return math.prod(W.shape[:-2]) == 1


def _tiles_pay(x: Array, W: Array, outputs: Ints) -> bool:
    """Whether Winograd's transforms, a few calls each, are outweighed here: one or two small images go by columns."""
    return x.shape[0] * math.prod(-(-o // 4) for o in outputs) * min(W.shape[-2:]) >= 1 << 13


def _columns(x: Array, W: Array, outputs: Ints) -> int:
    """Bytes of the columns of one image."""
    taps = math.prod(W.shape[:-2])
    return int(x.itemsize * taps * max(math.prod(outputs), math.prod(x.shape[1:-1])) * min(x.shape[-1], W.shape[-1]))


@conv_forward.override("numpy")
def conv_forward_blocks(x: Array, W: Array, b: Array | None, strides: Ints, dilation: Ints, pads: Pads, groups: int) -> Array:
    outputs = count_windows(x.shape[1:-1], W.shape[:-2], strides, dilation, pads)
    if not _large(x, W, outputs) or _plain(W):
        return conv_forward.reference(x, W, b, strides, dilation, pads, groups)
    if winograd.fits(x, W, strides, dilation, outputs, groups) and _tiles_pay(x, W, outputs):
        return winograd.forward(x, W, b, pads)
    return columns.forward(x, W, b, outputs, (strides, dilation, pads, groups))


@conv_backward.override("numpy")
def conv_backward_blocks(
    dz: Array,
    x: Array,
    W: Array,
    has_bias: bool,
    strides: Ints,
    dilation: Ints,
    pads: Pads,
    groups: int,
    input_gradient: bool,
) -> tuple[Array | None, Array, Array | None]:
    geometry = (strides, dilation, pads, groups)
    if not _large(x, W, dz.shape[1:-1]) or _plain(W) or not dz.size:
        return conv_backward.reference(dz, x, W, has_bias, *geometry, input_gradient)
    dz = np.ascontiguousarray(dz)
    db = sum_over_positions(dz) if has_bias else None
    if not (winograd.fits(x, W, strides, dilation, dz.shape[1:-1], groups) and _tiles_pay(x, W, dz.shape[1:-1])):
        return *columns.backward(dz, np.ascontiguousarray(x), W, geometry, input_gradient), db
    if input_gradient:
        return *winograd.backward(dz, x, W, pads), db
    return None, winograd.kernel_gradient(dz, x, pads), db


@conv_transpose_forward.override("numpy")
def conv_transpose_forward_blocks(x: Array, W: Array, b: Array | None, strides: Ints, dilation: Ints, before: Ints, outputs: Ints) -> Array:
    if not _large(x, W, x.shape[1:-1]):
        return conv_transpose_forward.reference(x, W, b, strides, dilation, before, outputs)
    z = np.empty((x.shape[0], *outputs, W.shape[-2]), dtype=x.dtype)

    def work(begin: int, end: int) -> None:
        z[begin:end] = conv_transpose_forward.reference(x[begin:end], W, b, strides, dilation, before, outputs)

    in_blocks(work, x.shape[0], _columns(x, W, outputs), HUGE)
    return z


@conv_transpose_backward.override("numpy")
def conv_transpose_backward_blocks(
    dz: Array, x: Array, W: Array, has_bias: bool, strides: Ints, dilation: Ints, before: Ints, input_gradient: bool
) -> tuple[Array | None, Array, Array | None]:
    geometry = (strides, dilation, before)
    if not _large(x, W, x.shape[1:-1]):
        return conv_transpose_backward.reference(dz, x, W, has_bias, *geometry, input_gradient)
    dx = np.empty(x.shape, dtype=dz.dtype) if input_gradient else None

    def work(begin: int, end: int) -> list[Array | None]:
        part, dW, db = conv_transpose_backward.reference(dz[begin:end], x[begin:end], W, has_bias, *geometry, input_gradient)
        if dx is not None:
            dx[begin:end] = part
        return [dW, db]

    return dx, *sum_in_blocks(work, x.shape[0], _columns(x, W, dz.shape[1:-1]), HUGE)


@depthwise_forward.override("numpy")
def depthwise_forward_blocks(x: Array, W: Array, b: Array | None, strides: Ints, dilation: Ints, pads: Pads) -> Array:
    outputs = count_windows(x.shape[1:-1], W.shape[:-2], strides, dilation, pads)
    if not _large(x, W, outputs):
        return depthwise_forward.reference(x, W, b, strides, dilation, pads)
    z = np.empty((x.shape[0], *outputs, W.shape[-2] * W.shape[-1]), dtype=x.dtype)

    def work(begin: int, end: int) -> None:
        z[begin:end] = depthwise_forward.reference(x[begin:end], W, b, strides, dilation, pads)

    in_blocks(work, x.shape[0], 3 * W.shape[-1] * x[0].nbytes, HUGE)
    return z


@depthwise_backward.override("numpy")
def depthwise_backward_blocks(
    dz: Array, x: Array, W: Array, has_bias: bool, strides: Ints, dilation: Ints, pads: Pads, input_gradient: bool
) -> tuple[Array | None, Array, Array | None]:
    geometry = (strides, dilation, pads)
    if not _large(x, W, dz.shape[1:-1]):
        return depthwise_backward.reference(dz, x, W, has_bias, *geometry, input_gradient)
    dx = np.empty(x.shape, dtype=dz.dtype) if input_gradient else None

    def work(begin: int, end: int) -> list[Array | None]:
        part, dW, db = depthwise_backward.reference(dz[begin:end], x[begin:end], W, has_bias, *geometry, input_gradient)
        if dx is not None:
            dx[begin:end] = part
        return [dW, db]

    return dx, *sum_in_blocks(work, x.shape[0], 4 * W.shape[-1] * x[0].nbytes, HUGE)
