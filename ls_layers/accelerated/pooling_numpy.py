"""Pooling on NumPy: the references over blocks of images that stay in the cache, spread over the pool of threads."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ls_core.products import matmul
from ls_core.types import Array

from ..global_pooling import global_average_forward
from ..pooling import average_pool_backward, average_pool_forward, max_pool_backward, max_pool_forward, read_by_taps
from ..windows import Ints, Pads, count_windows
from .blocks import HUGE, LARGE, LEAST, in_blocks


def _outputs(x_shape: Ints, sizes: Ints, strides: Ints, pads: Pads) -> Ints:
    return count_windows(x_shape[1:-1], sizes, strides, (1,) * len(sizes), pads)


def _largest(x: Array, axis: int, size: int, stride: int, count: int, out: Array | None) -> Array:
    """The largest numbers of ``count`` windows along one axis; into ``out`` where they take any comparison."""
    taps = [x[(slice(None),) * axis + (slice(k, k + (count - 1) * stride + 1, stride),)] for k in range(size)]
    found = taps[0] if size == 1 else np.maximum(taps[0], taps[1], out=out)
    for tap in taps[2:]:
        np.maximum(found, tap, out=found)
    return found


@max_pool_forward.override("numpy")
def max_pool_forward_blocks(x: Array, sizes: Ints, strides: Ints, pads: Pads) -> Array:
    if x.size < LEAST:
        return max_pool_forward.reference(x, sizes, strides, pads)
    y = np.empty((x.shape[0], *_outputs(x.shape, sizes, strides, pads), x.shape[-1]), dtype=x.dtype)
    padded = any(map(any, pads))

    def work(begin: int, end: int) -> None:
        found, made = x[begin:end], y[begin:end]
        if padded:
            found = max_pool_forward.reference(found, sizes, strides, pads)
        else:  # one axis after the other: along the first the rows are longest
            for axis, (size, stride) in enumerate(zip(sizes, strides, strict=True), 1):
                found = _largest(found, axis, size, stride, y.shape[axis], made if axis == len(sizes) else None)
        if found is not made:
            made[...] = found

    in_blocks(work, x.shape[0], x[0].nbytes, LARGE)
    return y


@max_pool_backward.override("numpy")
def max_pool_backward_blocks(dy: Array, x: Array, y: Array, sizes: Ints, strides: Ints, pads: Pads) -> Array:
    if x.size < LEAST:
        return max_pool_backward.reference(dy, x, y, sizes, strides, pads)
    if sizes == strides and not any(map(any, pads)) and x.flags.c_contiguous and _covered(x, y, sizes):
        return _tiled_backward(dy, x, y, sizes)
    dx = np.empty(x.shape, dtype=dy.dtype)
    apart = all(stride >= size for stride, size in zip(strides, sizes, strict=True))
    taps = read_by_taps(x.shape, sizes, strides, pads)[1]

    def work(begin: int, end: int) -> None:
        if not apart:
            dx[begin:end] = max_pool_backward.reference(dy[begin:end], x[begin:end], y[begin:end], sizes, strides, pads)
            return
        slopes, given, made, found = dy[begin:end], x[begin:end], dx[begin:end], y[begin:end]
        made[...] = 0
        met, won = np.zeros(found.shape, dtype=bool), np.empty(found.shape, dtype=bool)
        for windows, read in taps:  # each element is read once: no sum
            here = won[windows]
            np.equal(given[read], found[windows], out=here)
            np.greater(here, met[windows], out=here)  # the first of equal maxima
            np.multiply(slopes[windows], here, out=made[read])
            met[windows] |= here

    in_blocks(work, x.shape[0], x[0].nbytes)
    return dx


def _covered(x: Array, y: Array, sizes: Ints) -> bool:
    return all(length == count * size for length, count, size in zip(x.shape[1:-1], y.shape[1:-1], sizes, strict=True))


def _tiled_backward(dy: Array, x: Array, y: Array, sizes: Ints) -> Array:
    """Where the windows tile the input: few calls for all taps, since calls wait for the interpreter."""
    dx = np.empty(x.shape, dtype=dy.dtype)
    tiles = [length for pair in zip(y.shape[1:-1], sizes, strict=True) for length in pair]  # o, k of each axis
    order = [*range(2, len(tiles) + 1, 2), 0, *range(1, len(tiles), 2), len(tiles) + 1]

    def by_tap(array: Array) -> Any:
        """(B, I.., C) -> (k.., B, O.., C), a view."""
        return array.reshape(len(array), *tiles, array.shape[-1]).transpose(order)

    def work(begin: int, end: int) -> None:
        found = y[begin:end]
        won = np.empty((*sizes, *found.shape), dtype=bool)
        np.equal(by_tap(x[begin:end]), found, out=won)
        first, *others = won.reshape(-1, *found.shape)
        met = first.copy()
        for here in others:  # the first of equal maxima
            np.greater(here, met, out=here)
            met |= here
        np.multiply(dy[begin:end], won, out=by_tap(dx[begin:end]))

    in_blocks(work, x.shape[0], x[0].nbytes, LARGE)
    return dx


@average_pool_forward.override("numpy")
def average_pool_forward_blocks(x: Array, sizes: Ints, strides: Ints, pads: Pads) -> tuple[Array, Array]:
    if x.size < LEAST:
        return average_pool_forward.reference(x, sizes, strides, pads)
    y = np.empty((x.shape[0], *_outputs(x.shape, sizes, strides, pads), x.shape[-1]), dtype=x.dtype)
    counts = {}

    def work(begin: int, end: int) -> None:
        y[begin:end], counts[begin] = average_pool_forward.reference(x[begin:end], sizes, strides, pads)

    in_blocks(work, x.shape[0], 2 * x[0].nbytes, HUGE)
    return y, counts[0]


@average_pool_backward.override("numpy")
def average_pool_backward_blocks(dy: Array, count: Array, x_shape: Ints, sizes: Ints, strides: Ints, pads: Pads) -> Array:
    dx = np.empty(x_shape, dtype=dy.dtype)
    if dx.size < LEAST:
        return average_pool_backward.reference(dy, count, x_shape, sizes, strides, pads)

    apart = all(stride >= size for stride, size in zip(strides, sizes, strict=True))
    taps = read_by_taps(x_shape, sizes, strides, pads)[1]

    def work(begin: int, end: int) -> None:
        if not apart:
            dx[begin:end] = average_pool_backward.reference(dy[begin:end], count, (end - begin, *x_shape[1:]), sizes, strides, pads)
            return
        dtotal, made = dy[begin:end] / count, dx[begin:end]
        made[...] = 0
        for windows, read in taps:  # each element is read once: no sum
            made[read] = dtotal[windows]

    in_blocks(work, x_shape[0], 2 * dx[0].nbytes, HUGE)
    return dx


@global_average_forward.override("numpy")
def global_average_forward_product(x: Array, mask: Array | None) -> tuple[Array, Array]:
    if mask is not None or x.dtype not in (np.float32, np.float64) or not x.size:
        return global_average_forward.reference(x, mask)
    weight = 1.0 / math.prod(x.shape[1:-1])
    rows = x.reshape(x.shape[0], -1, x.shape[-1])  # (B, N, C)
    return matmul(np.full((1, rows.shape[1]), weight, dtype=x.dtype), rows)[:, 0], weight  # a product is quicker than ``mean``
