"""Convolutions, compiled: Winograd's way for 3 x 3 kernels in float32, register tiles on the input itself for the others.

What compiled code does not take, or would not do faster, goes to the NumPy overrides.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ls_core.threads import run_blocks, split
from ls_core.types import Array

from ..convolution import conv_backward, conv_forward
from ..depthwise_convolution import depthwise_backward, depthwise_forward
from ..transposed_convolution import conv_transpose_backward, conv_transpose_forward
from ..windows import Ints, Pads, count_windows
from . import winograd
from .blocks import LEAST, plain, sum_in_blocks, sum_rows
from .convolution_numpy import (
    conv_backward_blocks,
    conv_forward_blocks,
    conv_transpose_backward_blocks,
    conv_transpose_forward_blocks,
    depthwise_backward_blocks,
    depthwise_forward_blocks,
)
from .volumes import ahead, along, floats, images, volume

_BLOCK = 600_000  # bytes of the transformed tiles of a block
_WASTE = 4  # panels have at most so many times the columns that are wanted


def _panels(W: Array, filters: int) -> Array:
    """(G, K, C, F) with the filters filled up to whole panels of the products, which takes zeros."""
    from .tiles import VECTOR_BYTES, VECTORS

    width = VECTORS * VECTOR_BYTES // W.itemsize
    panels = np.zeros((*W.shape[:-1], -(-filters // width) * width), dtype=W.dtype)
    panels[..., :filters] = W
    return panels


def _pays(least: int, *arrays: Array) -> bool:
    """Whether the products' panels are not mostly filled up with zeros; ``least`` columns are wanted."""
    return floats(LEAST // 4, *arrays) and least * _WASTE * arrays[0].itemsize >= 128


def _bias(b: Array | None, filters: int, like: Array) -> Array:
    return np.zeros(filters, dtype=like.dtype) if b is None else plain(b)


def _bias_gradient(dz: Array) -> Any:
    return sum_in_blocks(lambda i, j: [sum_rows(dz[i:j])], len(dz), dz[0].nbytes)[0]


# --- 3 x 3 -------------------------------------------------------------------------------------------


def _tiles_of_a_block(C: int, columns: int) -> int:
    return min(48, max(16, _BLOCK // (36 * 4 * (C + columns)) // 8 * 8))


def winograd_forward(x: Array, W: Array, b: Array | None, pads: Pads) -> Array:
    """x (B, H, W, C), W (3, 3, C, F) -> (B, P, Q, F)."""
    from .winograd_compiled import forward

    x = plain(x)
    C, F = W.shape[2:]
    P, Q = count_windows(x.shape[1:3], (3, 3), (1, 1), (1, 1), pads)
    U = _panels((winograd.KERNEL @ W.reshape(9, C * F)).reshape(36, C, F), F)
    bias, y = _bias(b, F, x), np.empty((x.shape[0], P, Q, F), dtype=x.dtype)
    shift, T = (pads[0][0], pads[1][0]), _tiles_of_a_block(C, U.shape[-1])
    run_blocks(lambda begin, end: forward(x, U, bias, y, shift, T, begin, end), split(x.shape[0] * -(-P // 4) * -(-Q // 4), T))
    return y


def winograd_kernel_gradient(dz: Array, x: Array, pads: Pads) -> Array:
    """dz (B, P, Q, F), x (B, H, W, C) -> dW (3, 3, C, F)."""
    from .winograd_compiled import WIDTH, kernel_gradient

    dz, x = plain(dz), plain(x)
    B, P, Q, F = dz.shape
    C, columns = x.shape[-1], -(-F // WIDTH) * WIDTH
    shift, T = (pads[0][0], pads[1][0]), _tiles_of_a_block(C, columns)
    blocks = split(B * -(-P // 4) * -(-Q // 4), T)
    parts = {begin: np.empty((36, C, columns), dtype=x.dtype) for begin, _ in blocks}
    run_blocks(lambda begin, end: kernel_gradient(x, dz, parts[begin], shift, T, begin, end), blocks)
    total = sum((parts[begin] for begin, _ in blocks[1:]), start=parts[0])
    dW = winograd.KERNEL.T @ total.reshape(36, C * columns)
    return np.ascontiguousarray(dW.reshape(3, 3, C, columns)[..., :F])


# --- every other kernel --------------------------------------------------------------------------------


def _rows(z: Array) -> int:
    """How many rows a volume has."""
    return math.prod(z.shape[:3])


def direct_forward(x: Array, W: Array, b: Array | None, strides: Ints, dilation: Ints, pads: Pads, outputs: Ints, groups: int) -> Array:
    """x (B, I.., G C), W (k.., C, G F) -> (B, O.., G F)."""
    from .direct_compiled import forward

    *sizes, C, filters = W.shape
    F = filters // groups
    kernel = _panels(W.reshape(-1, C, groups, F).transpose(2, 0, 1, 3), F)
    z = np.empty((x.shape[0], *outputs, filters), dtype=x.dtype)
    given, made, bias = volume(x), volume(z), _bias(b, filters, x)
    geometry = along(tuple(sizes)), along(strides), along(dilation), ahead(pads)
    run_blocks(lambda begin, end: forward(given, kernel, bias, made, *geometry, begin, end), split(_rows(made)))
    return z


def direct_kernel_gradient(dz: Array, x: Array, W: Array, strides: Ints, dilation: Ints, pads: Pads, groups: int) -> Array:
    """dz (B, O.., G F), x (B, I.., G C) -> dW (k.., C, G F)."""
    from .direct_compiled import kernel_gradient

    *sizes, C, filters = W.shape
    F = filters // groups
    like = _panels(np.zeros((groups, math.prod(sizes), C, F), dtype=W.dtype), F)
    given, read = volume(dz), volume(x)
    geometry = along(tuple(sizes)), along(strides), along(dilation), ahead(pads)
    blocks = split(_rows(given))
    parts = {begin: np.zeros_like(like) for begin, _ in blocks}
    run_blocks(lambda begin, end: kernel_gradient(read, given, parts[begin], *geometry, begin, end), blocks)
    total = sum((parts[begin] for begin, _ in blocks[1:]), start=parts[0])
    return np.ascontiguousarray(total[..., :F].transpose(1, 2, 0, 3).reshape(W.shape))


def spread(x: Array, W: Array, b: Array | None, strides: Ints, dilation: Ints, shift: Ints, outputs: Ints, groups: int) -> Array:
    """x (B, I.., G C), W (k.., F, G C) -> (B, O.., G F): every input adds its products to a window of the output."""
    from .direct_compiled import spread as compiled

    *sizes, F, channels = W.shape
    kernel = _panels(W.reshape(-1, F, groups, channels // groups).transpose(2, 0, 3, 1), F)
    z = np.empty((x.shape[0], *outputs, groups * F), dtype=x.dtype)
    given, made, bias = volume(x), volume(z), _bias(b, groups * F, x)
    geometry = along(tuple(sizes)), along(strides), along(dilation), along(shift, 0)
    run_blocks(lambda begin, end: compiled(given, kernel, bias, made, *geometry, begin, end), images(given))
    return z


def input_gradient_of(dz: Array, W: Array, strides: Ints, dilation: Ints, pads: Pads, inputs: Ints, groups: int) -> Array:
    """dx (B, I.., G C): without strides a convolution of dz with the turned kernel, else what ``spread`` does."""
    *sizes, C, filters = W.shape
    if max(strides) > 1:
        return spread(dz, W, None, strides, dilation, tuple(pad[0] for pad in pads), inputs, groups)
    turned = W.reshape(-1, C, groups, filters // groups)[::-1].transpose(0, 3, 2, 1)  # (K, F, G, C)
    turned = turned.reshape(*sizes, filters // groups, groups * C)
    back = tuple(((k - 1) * d - first, (k - 1) * d - last) for k, d, (first, last) in zip(sizes, dilation, pads, strict=True))
    return direct_forward(dz, turned, None, strides, dilation, back, inputs, groups)


# --- the overrides ---------------------------------------------------------------------------------------


@conv_forward.override("numba")
def conv_forward_compiled(x: Array, W: Array, b: Array | None, strides: Ints, dilation: Ints, pads: Pads, groups: int) -> Array:
    outputs = count_windows(x.shape[1:-1], W.shape[:-2], strides, dilation, pads)
    if not floats(LEAST // 4, x, W) or min(x.shape[0], *outputs) < 1:
        return conv_forward_blocks(x, W, b, strides, dilation, pads, groups)
    if winograd.fits(x, W, strides, dilation, outputs, groups):
        return winograd_forward(x, W, b, pads)
    if 1 < groups == x.shape[-1]:
        of_channels = W.reshape(*W.shape[:-2], groups, W.shape[-1] // groups)
        return depthwise_forward_compiled(x, of_channels, b, strides, dilation, pads)
    if not _pays(W.shape[-1] // groups, x, W):
        return conv_forward_blocks(x, W, b, strides, dilation, pads, groups)
    return direct_forward(x, W, b, strides, dilation, pads, outputs, groups)


@conv_backward.override("numba")
def conv_backward_compiled(
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
    fits = winograd.fits(x, W, strides, dilation, dz.shape[1:-1], groups)
    C, F = W.shape[-2], W.shape[-1] // groups
    if not floats(LEAST // 4, dz, x, W) or min(dz.shape[:-1]) < 1:
        return conv_backward_blocks(dz, x, W, has_bias, strides, dilation, pads, groups, input_gradient)
    if 1 < groups == x.shape[-1]:
        of_channels = W.reshape(*W.shape[:-2], groups, F)
        dx, dW, db = depthwise_backward_compiled(dz, x, of_channels, has_bias, strides, dilation, pads, input_gradient)
        return dx, dW.reshape(W.shape), db
    if not fits and not _pays(min(F, C) if input_gradient else F, x, W):
        return conv_backward_blocks(dz, x, W, has_bias, strides, dilation, pads, groups, input_gradient)
    dz = plain(dz)
    dx, db = None, _bias_gradient(dz) if has_bias else None
    if fits:
        if input_gradient:
            dx = winograd_forward(dz, winograd.turned(W), None, winograd.turned_pads(pads))
        return dx, winograd_kernel_gradient(dz, x, pads), db
    if input_gradient:
        dx = input_gradient_of(dz, W, strides, dilation, pads, x.shape[1:-1], groups)
    return dx, direct_kernel_gradient(dz, x, W, strides, dilation, pads, groups), db


@conv_transpose_forward.override("numba")
def conv_transpose_forward_compiled(
    x: Array, W: Array, b: Array | None, strides: Ints, dilation: Ints, before: Ints, outputs: Ints
) -> Array:
    if not _pays(W.shape[-2], x, W):
        return conv_transpose_forward_blocks(x, W, b, strides, dilation, before, outputs)
    return spread(x, W, b, strides, dilation, before, outputs, 1)


@conv_transpose_backward.override("numba")
def conv_transpose_backward_compiled(
    dz: Array, x: Array, W: Array, has_bias: bool, strides: Ints, dilation: Ints, before: Ints, input_gradient: bool
) -> tuple[Array | None, Array, Array | None]:
    if not _pays(W.shape[-1], dz, x, W):
        return conv_transpose_backward_blocks(dz, x, W, has_bias, strides, dilation, before, input_gradient)
    dz = plain(dz)
    pads = tuple((first, 0) for first in before)  # dx is the convolution of dz whose input gradient the forward is
    db = _bias_gradient(dz) if has_bias else None
    dx = direct_forward(dz, W, None, strides, dilation, pads, x.shape[1:-1], 1) if input_gradient else None
    return dx, direct_kernel_gradient(x, dz, W, strides, dilation, pads, 1), db


@depthwise_forward.override("numba")
def depthwise_forward_compiled(x: Array, W: Array, b: Array | None, strides: Ints, dilation: Ints, pads: Pads) -> Array:
    if not floats(LEAST // 4, x, W):
        return depthwise_forward_blocks(x, W, b, strides, dilation, pads)
    from .depthwise_compiled import forward

    *sizes, C, M = W.shape
    outputs = count_windows(x.shape[1:-1], W.shape[:-2], strides, dilation, pads)
    z = np.empty((x.shape[0], *outputs, C * M), dtype=x.dtype)
    given, made = volume(x.repeat(M, axis=-1) if M > 1 else x), volume(z)
    kernel, bias = plain(W).reshape(-1, C * M), _bias(b, C * M, x)
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
    return dx.reshape(x.shape) if input_gradient else None, dW, _bias_gradient(dz) if has_bias else None
