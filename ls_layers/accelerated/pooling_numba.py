"""Pooling, compiled, for float32 and float64; other numbers go to the NumPy overrides."""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.threads import run_blocks
from ls_core.types import Array

from ..pooling import average_pool_backward, average_pool_forward, max_pool_backward, max_pool_forward
from ..windows import Ints, Pads, count_windows
from .blocks import LEAST
from .pooling_numpy import (
    average_pool_backward_blocks,
    average_pool_forward_blocks,
    max_pool_backward_blocks,
    max_pool_forward_blocks,
)
from .volumes import ahead, along, floats, images, volume

FEW = LEAST // 4  # numbers below which compiled code is not worth its call


def _windows(sizes: Ints, strides: Ints, pads: Pads) -> tuple[Ints, Ints, Ints]:
    return along(sizes), along(strides), ahead(pads)


@max_pool_forward.override("numba")
def max_pool_forward_compiled(x: Array, sizes: Ints, strides: Ints, pads: Pads) -> Array:
    if not floats(FEW, x):
        return max_pool_forward_blocks(x, sizes, strides, pads)
    from .pooling_compiled import max_forward

    outputs = count_windows(x.shape[1:-1], sizes, strides, (1,) * len(sizes), pads)
    y = np.empty((x.shape[0], *outputs, x.shape[-1]), dtype=x.dtype)
    given, made, windows = volume(x), volume(y), _windows(sizes, strides, pads)
    run_blocks(lambda begin, end: max_forward(given, made, *windows, begin, end), images(x))
    return y


@max_pool_backward.override("numba")
def max_pool_backward_compiled(dy: Array, x: Array, y: Array, sizes: Ints, strides: Ints, pads: Pads) -> Array:
    if not floats(FEW, dy, x, y):
        return max_pool_backward_blocks(dy, x, y, sizes, strides, pads)
    from .pooling_compiled import max_backward

    dx = np.empty(x.shape, dtype=dy.dtype)
    arrays, windows = tuple(map(volume, (dy, x, y, dx))), _windows(sizes, strides, pads)
    run_blocks(lambda begin, end: max_backward(*arrays, *windows, begin, end), images(x))
    return dx


@average_pool_forward.override("numba")
def average_pool_forward_compiled(x: Array, sizes: Ints, strides: Ints, pads: Pads) -> tuple[Array, Array]:
    if not floats(FEW, x):
        return average_pool_forward_blocks(x, sizes, strides, pads)
    from .pooling_compiled import average_forward

    outputs = count_windows(x.shape[1:-1], sizes, strides, (1,) * len(sizes), pads)
    y = np.empty((x.shape[0], *outputs, x.shape[-1]), dtype=x.dtype)
    given, made, windows = volume(x), volume(y), _windows(sizes, strides, pads)
    run_blocks(lambda begin, end: average_forward(given, made, *windows, begin, end), images(x))
    return y, _counts(x.shape[1:-1], outputs, sizes, strides, pads).astype(x.dtype)


def _counts(lengths: Ints, outputs: Ints, sizes: Ints, strides: Ints, pads: Pads) -> Any:
    """How many positions each window has, (1, O.., 1)."""
    count = np.ones((1,) * (len(sizes) + 2))
    for axis, (length, o, size, stride, pad) in enumerate(zip(lengths, outputs, sizes, strides, pads, strict=True)):
        start = np.arange(o) * stride - pad[0]
        inside = np.minimum(start + size, length) - np.maximum(start, 0)
        count = count * inside.reshape(-1, *(1,) * (len(sizes) - axis))
    return count


@average_pool_backward.override("numba")
def average_pool_backward_compiled(dy: Array, count: Array, x_shape: Ints, sizes: Ints, strides: Ints, pads: Pads) -> Array:
    dx = np.empty(x_shape, dtype=dy.dtype)
    if not floats(FEW, dx):
        return average_pool_backward_blocks(dy, count, x_shape, sizes, strides, pads)
    from .pooling_compiled import average_backward

    given, made, windows = volume(dy), volume(dx), _windows(sizes, strides, pads)
    run_blocks(lambda begin, end: average_backward(given, made, *windows, begin, end), images(dx))
    return dx
