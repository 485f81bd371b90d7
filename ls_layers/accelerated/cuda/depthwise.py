"""Depthwise convolution on CUDA: one launch forward; backward one for dx, one for dW and the sums of its chunks.

B batch, C channels, M kernels per channel, K taps.
"""

from __future__ import annotations

import math

from ls_core.backend import get_xp
from ls_core.cuda import Source, column_grid, contiguous, override
from ls_core.types import Array

from ...depthwise_convolution import depthwise_backward, depthwise_forward
from ...windows import Ints, Pads, count_windows
from .windows import geometry, window_grid

SOURCE = Source(__file__, "depthwise.cu")


def _place(x: Array, W: Array, strides: Ints, dilation: Ints, pads: Pads) -> tuple[Ints, Ints]:
    """The output's shape, and the geometry of windows over x."""
    *sizes, C, M = W.shape
    lengths = x.shape[1:-1]
    outputs = count_windows(lengths, tuple(sizes), strides, dilation, pads)
    before = tuple(pad[0] for pad in pads)
    return (x.shape[0], *outputs, C * M), geometry(x.shape[0], C, lengths, outputs, tuple(sizes), strides, dilation, before)


@override(depthwise_forward)
def depthwise_forward_cuda(x: Array, W: Array, b: Array | None, strides: Ints, dilation: Ints, pads: Pads) -> Array:
    xp = get_xp(x)
    x, W, b = contiguous(xp, x, W, b)
    shape, where = _place(x, W, strides, dilation, pads)
    z = xp.empty(shape, dtype=x.dtype)
    SOURCE.run("depthwise_forward", x.dtype, *window_grid(math.prod(shape[:-1]), shape[-1]), x, W, b, z, W.shape[-1], *where)
    return z


@override(depthwise_backward)
def depthwise_backward_cuda(
    dz: Array, x: Array, W: Array, has_bias: bool, strides: Ints, dilation: Ints, pads: Pads, input_gradient: bool
) -> tuple[Array | None, Array, Array | None]:
    xp = get_xp(dz)
    dz, x, W = contiguous(xp, dz, x, W)
    *sizes, C, M = W.shape
    shape, where = _place(x, W, strides, dilation, pads)
    db = dz.sum(axis=tuple(range(dz.ndim - 1))) if has_bias else None  # (C M,)
    dx = None
    if input_gradient:
        dx = xp.empty(x.shape, dtype=x.dtype)
        SOURCE.run("depthwise_backward_x", x.dtype, *window_grid(math.prod(x.shape[:-1]), C), dz, W, dx, M, *where)
    (tiles, chunks), threads, chunk = column_grid(math.prod(shape[:-1]), C * M)
    sums = xp.empty((chunks, *W.shape), dtype="float32" if x.dtype.itemsize == 2 else x.dtype)
    SOURCE.run("depthwise_backward_W", x.dtype, (tiles, chunks, math.prod(sizes)), threads, dz, x, sums, M, chunk, *where)
    return dx, sums.sum(axis=0).astype(x.dtype, copy=False), db
