"""Convolution on CUDA: 3 x 3 kernels in float32 by Winograd's F(4 x 4, 3 x 3), all others by the references, whose columns are launches.

A quarter of the multiplications, and 2.25 numbers for each input and output where columns have 9. ``accelerated/winograd.py`` has the
formulas and the matrices; here each transform is a launch over all tiles, and the 36 products are one call of cuBLAS.

B batch, H x W inputs, P x Q outputs, C channels, F filters, T tiles.
"""

from __future__ import annotations

import math

from ls_core.backend import constant, get_xp
from ls_core.cuda import Source, contiguous, override
from ls_core.matmul_precision import matmul_precision
from ls_core.products import matmul
from ls_core.types import Array

from ...convolution import conv_backward, conv_forward
from ...windows import Ints, Pads, count_windows
from .. import winograd
from ..winograd import turned, turned_pads

SOURCE = Source(__file__, "winograd.cu")
COLUMNS = 1 << 24  # bytes that columns would take; with fewer, a launch costs more than what it spares


def _fits(x: Array, W: Array, strides: Ints, dilation: Ints, outputs: Ints, groups: int) -> bool:
    """Where products are quick but memory is not (tensor cores), columns lose no digits and little time."""
    if not winograd.fits(x, W, strides, dilation, outputs, groups) or matmul_precision() != "float32":
        return False
    return 9 * min(W.shape[2:]) * x.shape[0] * math.prod(outputs) * x.dtype.itemsize >= COLUMNS


def _grid(tiles: int, channels: int) -> tuple[tuple[int], tuple[int, int]]:
    """Blocks and threads: a row of threads for each tile."""
    wide = 16 if channels <= 16 else 32
    return (-(-tiles * wide // 256),), (wide, 256 // wide)


class _Tiles:
    """The tiles of 4 x 4 that cover images (B, P, Q, .)."""

    def __init__(self, B: int, P: int, Q: int) -> None:
        self.image, self.grid = (B, P, Q), (-(-P // 4), -(-Q // 4))
        self.count = B * math.prod(self.grid)

    def input(self, x: Array, pads: Pads) -> Array:
        """x (B, H, W, C) -> V (36, T, C), the transformed patches that the tiles read."""
        H, W, C = x.shape[1:]
        (above, _), (before, _) = pads
        V = get_xp(x).empty((36, self.count, C), dtype=x.dtype)
        SOURCE.run("winograd_input", x.dtype, *_grid(self.count, C), x, V, H, W, C, *self.grid, above, before, self.count)
        return V

    def output(self, M: Array, b: Array | None) -> Array:
        """M (36, T, F), b (F,) -> y (B, P, Q, F)."""
        F = M.shape[-1]
        y = get_xp(M).empty((*self.image, F), dtype=M.dtype)
        SOURCE.run("winograd_output", M.dtype, *_grid(self.count, F), M, b, y, *self.image[1:], F, *self.grid, self.count)
        return y

    def gradient(self, dy: Array) -> Array:
        """dy (B, P, Q, F) -> Z (36, T, F), what reaches M of y's gradient."""
        F = dy.shape[-1]
        Z = get_xp(dy).empty((36, self.count, F), dtype=dy.dtype)
        SOURCE.run("winograd_gradient", dy.dtype, *_grid(self.count, F), dy, Z, *self.image[1:], F, *self.grid, self.count)
        return Z


def _kernel(W: Array) -> Array:
    """W (3, 3, C, F) -> U (36, C, F)."""
    return matmul(constant(winograd.KERNEL, W), W.reshape(9, -1)).reshape(36, *W.shape[2:])


def _kernel_gradient(V: Array, Z: Array) -> Array:
    """V (36, T, C), Z (36, T, F) -> dW (3, 3, C, F)."""
    dU = matmul(V.transpose(0, 2, 1), Z)  # (36, C, F)
    return matmul(constant(winograd.KERNEL, V).T, dU.reshape(36, -1)).reshape(3, 3, *dU.shape[1:])


@override(conv_forward, ("float32",))
def conv_forward_cuda(x: Array, W: Array, b: Array | None, strides: Ints, dilation: Ints, pads: Pads, groups: int) -> Array:
    outputs = count_windows(x.shape[1:-1], W.shape[:-2], strides, dilation, pads)
    if not _fits(x, W, strides, dilation, outputs, groups):
        return conv_forward.reference(x, W, b, strides, dilation, pads, groups)
    x, W, b = contiguous(get_xp(x), x, W, b)
    tiles = _Tiles(x.shape[0], *outputs)
    V, U = tiles.input(x, pads), _kernel(W)
    return tiles.output(matmul(V, U), b)


@override(conv_backward, ("float32",))
def conv_backward_cuda(
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
    outputs = dz.shape[1:-1]
    if not _fits(x, W, strides, dilation, outputs, groups):
        return conv_backward.reference(dz, x, W, has_bias, strides, dilation, pads, groups, input_gradient)
    xp = get_xp(dz)
    dz, x, W = contiguous(xp, dz, x, W)
    db = dz.sum(axis=(0, 1, 2)) if has_bias else None  # (F,)
    if not input_gradient:
        tiles = _Tiles(x.shape[0], *outputs)
        return None, _kernel_gradient(tiles.input(x, pads), tiles.gradient(dz)), db
    # dx is a convolution of dz with the turned kernel, whose gradient comes from the same patches of dz: they are transformed once.
    tiles = _Tiles(*x.shape[:-1])
    V = tiles.input(dz, turned_pads(pads))  # (36, T, F)
    dx = tiles.output(matmul(V, _kernel(xp.ascontiguousarray(turned(W)))), None)
    return dx, xp.ascontiguousarray(turned(_kernel_gradient(V, tiles.gradient(x)))), db
