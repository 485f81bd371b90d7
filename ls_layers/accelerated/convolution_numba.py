"""Convolutions, compiled: Winograd's way for 3 x 3 kernels in float32, register tiles on the input itself for the others.

What compiled code does not take, or would not do faster, goes to the NumPy overrides.
"""

from __future__ import annotations

import numpy as np

from ls_core.products import matmul
from ls_core.threads import run_blocks, split
from ls_core.types import Array

from ..convolution import conv_backward, conv_forward
from ..transposed_convolution import conv_transpose_backward, conv_transpose_forward
from ..windows import Ints, Pads, count_windows
from . import columns, direct, winograd
from .blocks import LEAST, in_blocks, plain, sum_over_positions
from .convolution_numpy import (
    conv_backward_blocks,
    conv_forward_blocks,
    conv_transpose_backward_blocks,
    conv_transpose_forward_blocks,
)
from .depthwise_numba import depthwise_backward_compiled, depthwise_forward_compiled
from .volumes import floats

_BLOCK = 600_000  # bytes of the transformed tiles of a block


def _tiles_of_a_block(C: int, columns: int) -> int:
    """So many that the block stays in the cache, or is as large as the kernel, which has to come again for every block."""
    return min(128, max(16, max(_BLOCK, 36 * 4 * C * columns) // (36 * 4 * (C + columns)) // 8 * 8))


def _winograd_kernel(W: Array) -> Array:
    """W (3, 3, C, F) transformed: (36, C, F'), some channels at a time."""
    from .winograd_compiled import WIDTH

    C, F = W.shape[2:]
    U = np.zeros((36, C, -(-F // WIDTH) * WIDTH), dtype=W.dtype)
    given = W.reshape(9, C, F)

    def work(i: int, j: int) -> None:
        U[:, i:j, :F] = (winograd.KERNEL @ given[:, i:j].reshape(9, -1)).reshape(36, j - i, F)

    in_blocks(work, C, 36 * F * W.itemsize)
    return U


def winograd_forward(x: Array, W: Array, b: Array | None, pads: Pads) -> Array:
    """x (B, H, W, C), W (3, 3, C, F) -> (B, P, Q, F)."""
    from .winograd_compiled import forward

    x = plain(x)
    C = W.shape[2]
    P, Q = count_windows(x.shape[1:3], (3, 3), (1, 1), (1, 1), pads)
    U = _winograd_kernel(W)
    bias, y = direct.bias_or_zeros(b, W.shape[3], x), np.empty((x.shape[0], P, Q, W.shape[3]), dtype=x.dtype)
    shift, T = (pads[0][0], pads[1][0]), _tiles_of_a_block(C, U.shape[-1])
    run_blocks(lambda begin, end: forward(x, U, bias, y, shift, T, begin, end), split(x.shape[0] * -(-P // 4) * -(-Q // 4), 16))
    return y


def winograd_kernel_gradient(dz: Array, x: Array, pads: Pads) -> Array:
    """dz (B, P, Q, F), x (B, H, W, C) -> dW (3, 3, C, F)."""
    from .winograd_compiled import WIDTH, kernel_gradient

    dz, x = plain(dz), plain(x)
    B, P, Q, F = dz.shape
    C, columns = x.shape[-1], -(-F // WIDTH) * WIDTH
    shift, T = (pads[0][0], pads[1][0]), _tiles_of_a_block(C, columns)
    blocks = split(B * -(-P // 4) * -(-Q // 4), 16)
    parts = {begin: np.empty((36, C, columns), dtype=x.dtype) for begin, _ in blocks}
    run_blocks(lambda begin, end: kernel_gradient(x, dz, parts[begin], shift, T, begin, end), blocks)
    total = sum((parts[begin] for begin, _ in blocks[1:]), start=parts[0])
    dW = matmul(winograd.KERNEL.T, total.reshape(36, C * columns))
    return np.ascontiguousarray(dW.reshape(3, 3, C, columns)[..., :F])


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
    if not direct.pays(groups, W.shape[-1] // groups, x, W):
        return conv_forward_blocks(x, W, b, strides, dilation, pads, groups)
    return direct.forward(x, W, b, strides, dilation, pads, outputs, groups)


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
    geometry = (strides, dilation, pads, groups)
    narrow = input_gradient and not direct.pays(groups, C, x, W)  # panels of dx would be mostly empty
    if not fits and (not direct.pays(groups, F, x, W) or (narrow and max(strides) > 1)):
        return conv_backward_blocks(dz, x, W, has_bias, *geometry, input_gradient)
    dz = plain(dz)
    dx, db = None, sum_over_positions(dz) if has_bias else None
    if fits:
        if input_gradient:
            dx = winograd_forward(dz, winograd.turned(W), None, winograd.turned_pads(pads))
        return dx, winograd_kernel_gradient(dz, x, pads), db
    if narrow:
        back, its_geometry = columns.turned(W, geometry)
        dx = columns.forward(dz, back, None, x.shape[1:-1], its_geometry)
    elif input_gradient:
        dx = direct.input_gradient(dz, W, strides, dilation, pads, x.shape[1:-1], groups)
    return dx, direct.kernel_gradient(dz, x, W, strides, dilation, pads, groups), db


@conv_transpose_forward.override("numba")
def conv_transpose_forward_compiled(
    x: Array, W: Array, b: Array | None, strides: Ints, dilation: Ints, before: Ints, outputs: Ints
) -> Array:
    if not direct.pays(1, W.shape[-2], x, W):
        return conv_transpose_forward_blocks(x, W, b, strides, dilation, before, outputs)
    return direct.spread(x, W, b, strides, dilation, before, outputs, 1)


@conv_transpose_backward.override("numba")
def conv_transpose_backward_compiled(
    dz: Array, x: Array, W: Array, has_bias: bool, strides: Ints, dilation: Ints, before: Ints, input_gradient: bool
) -> tuple[Array | None, Array, Array | None]:
    if not direct.pays(1, W.shape[-1], dz, x, W):
        return conv_transpose_backward_blocks(dz, x, W, has_bias, strides, dilation, before, input_gradient)
    dz = plain(dz)
    pads = tuple((first, 0) for first in before)  # dx is the convolution of dz whose input gradient the forward is
    db = sum_over_positions(dz) if has_bias else None
    dx = direct.forward(dz, W, None, strides, dilation, pads, x.shape[1:-1], 1) if input_gradient else None
    return dx, direct.kernel_gradient(x, dz, W, strides, dilation, pads, 1), db
