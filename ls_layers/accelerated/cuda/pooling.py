"""Pooling on CUDA: one launch for each pass."""

from __future__ import annotations

import math

from ls_core.backend import get_xp
from ls_core.cuda import Source, contiguous, override
from ls_core.types import Array

from ...pooling import average_pool_backward, average_pool_forward, max_pool_backward, max_pool_forward
from ...windows import Ints, Pads, count_windows
from .windows import geometry, window_grid

SOURCE = Source(__file__, "pooling.cu")


def _place(x_shape: Ints, sizes: Ints, strides: Ints, pads: Pads) -> tuple[Ints, Ints]:
    """The output's shape, and the geometry of windows over x."""
    B, *lengths, C = x_shape
    ones = (1,) * len(sizes)
    outputs = count_windows(tuple(lengths), sizes, strides, ones, pads)
    return (B, *outputs, C), geometry(B, C, tuple(lengths), outputs, sizes, strides, ones, tuple(pad[0] for pad in pads))


@override(max_pool_forward)
def max_pool_forward_cuda(x: Array, sizes: Ints, strides: Ints, pads: Pads) -> Array:
    xp = get_xp(x)
    shape, where = _place(x.shape, sizes, strides, pads)
    (x,) = contiguous(xp, x)
    y = xp.empty(shape, dtype=x.dtype)
    SOURCE.run("max_pool_forward", x.dtype, *window_grid(math.prod(shape[:-1]), shape[-1]), x, y, *where)
    return y


@override(max_pool_backward)
def max_pool_backward_cuda(dy: Array, x: Array, y: Array, sizes: Ints, strides: Ints, pads: Pads) -> Array:
    xp = get_xp(dy)
    dy, x, y = contiguous(xp, dy, x, y)
    dx = xp.empty(x.shape, dtype=dy.dtype)
    where = _place(x.shape, sizes, strides, pads)[1]
    SOURCE.run("max_pool_backward", dy.dtype, *window_grid(math.prod(x.shape[:-1]), x.shape[-1]), dy, x, y, dx, *where)
    return dx


@override(average_pool_forward)
def average_pool_forward_cuda(x: Array, sizes: Ints, strides: Ints, pads: Pads) -> tuple[Array, Array]:
    xp = get_xp(x)
    shape, where = _place(x.shape, sizes, strides, pads)
    (x,) = contiguous(xp, x)
    y, count = xp.empty(shape, dtype=x.dtype), xp.ones((1, *shape[1:-1], 1), dtype=x.dtype)
    SOURCE.run("average_pool_forward", x.dtype, *window_grid(math.prod(shape[:-1]), shape[-1]), x, y, count, *where)
    return y, count


@override(average_pool_backward)
def average_pool_backward_cuda(dy: Array, count: Array, x_shape: Ints, sizes: Ints, strides: Ints, pads: Pads) -> Array:
    xp = get_xp(dy)
    dy, count = contiguous(xp, dy, count)
    dx = xp.empty(x_shape, dtype=dy.dtype)
    where = _place(x_shape, sizes, strides, pads)[1]
    SOURCE.run("average_pool_backward", dy.dtype, *window_grid(math.prod(x_shape[:-1]), x_shape[-1]), dy, count, dx, *where)
    return dx
