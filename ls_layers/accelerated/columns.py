"""Convolution on NumPy as products with columns: what every window reads, for a few images at a time.

The columns of a whole batch are many times the input, and every pass over them goes to memory; those of a few images stay
in the cache. All windows are one strided view of the padded images, so one copy makes the columns. With few channels the
positions stand last in them, since copies of long rows are quicker than of short ones; the product takes them transposed.

G groups, B batch, I.. input positions, O.. output positions, K taps of the kernel over all axes, C channels of one group,
F filters of one group; n images at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ls_core.threads import run_blocks, split
from ls_core.types import Array

from ..windows import Ints, Pads
from .blocks import CACHE

Geometry = tuple[Ints, Ints, Pads, int]  # strides, dilation, pads, groups
FEW = 8  # channels with which the positions stand last


class Columns:
    """The columns of blocks of images; its arrays are used again for every block."""

    def __init__(self, x: Array, sizes: Ints, outputs: Ints, geometry: Geometry) -> None:
        strides, dilation, pads, G = geometry
        lengths, C, K, O = x.shape[1:-1], x.shape[-1] // G, math.prod(sizes), math.prod(outputs)
        rank, each = len(sizes), K * C * G * O * x.itemsize
        self.images = max(1, min(x.shape[0], CACHE // each))
        reach = tuple((o - 1) * s + (k - 1) * d + 1 for o, s, k, d in zip(outputs, strides, sizes, dilation, strict=True))
        self.padded = np.zeros((self.images, *reach, G * C), dtype=x.dtype)
        self.read, self.inside = [slice(None)], [slice(None)]  # which positions of the images go where in it
        for length, size, (before, _) in zip(lengths, reach, pads, strict=True):
            first, last = max(0, -before), min(length, size - before)
            self.read.append(slice(first, max(first, last)))
            self.inside.append(slice(first + before, max(first, last) + before))
        image, *along, channel = self.padded.strides
        by_window = [size * s for size, s in zip(along, strides, strict=True)]
        by_tap = [size * d for size, d in zip(along, dilation, strict=True)]
        windows = np.lib.stride_tricks.as_strided(
            self.padded,
            (G, self.images, *outputs, *sizes, C),
            (C * channel, image, *by_window, *by_tap, channel),
            writeable=False,
        )
        self.few = C < FEW
        if self.few:  # (G, k.., C, n, O..)
            windows = windows.transpose(0, *range(2 + rank, 3 + 2 * rank), 1, *range(2, 2 + rank))
        self.windows, self.columns = windows, np.empty(windows.shape, dtype=x.dtype)
        self.shape = (G, K * C, -1) if self.few else (G, -1, K * C)
        self.positions = O

    def of(self, x: Array) -> Array:
        """(G, n O.., K C) of the images ``x``, as a view of what the next call overwrites."""
        n = x.shape[0]
        self.padded[(slice(n), *self.inside[1:])] = x[tuple(self.read)]
        np.copyto(self.columns, self.windows)
        columns = self.columns.reshape(self.shape)
        return (columns.transpose(0, 2, 1) if self.few else columns)[:, : n * self.positions]

    def blocks(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """``begin`` to ``end`` in steps of as many images as there is room for."""
        for i in range(begin, end, self.images):
            yield i, min(i + self.images, end)


def by_group(W: Array, groups: int) -> Array:
    """(k.., C, G F) -> (G, K C, F)."""
    *sizes, C, filters = W.shape
    K, F = math.prod(sizes), filters // groups
    return W.reshape(K, C, groups, F).transpose(2, 0, 1, 3).reshape(groups, K * C, F)


def grouped(z: Array, groups: int) -> Array:
    """(n, O.., G F) -> (G, n O.., F), a view."""
    return z.reshape(-1, groups, z.shape[-1] // groups).transpose(1, 0, 2)


def forward(x: Array, W: Array, b: Array | None, outputs: Ints, geometry: Geometry) -> Array:
    """x (B, I.., G C), W (k.., C, G F) -> (B, O.., G F)."""
    groups = geometry[-1]
    kernel = by_group(W, groups)  # (G, K C, F)
    z = np.empty((x.shape[0], *outputs, W.shape[-1]), dtype=x.dtype)

    def work(begin: int, end: int) -> None:
        columns = Columns(x, W.shape[:-2], outputs, geometry)
        for i, j in columns.blocks(begin, end):
            np.matmul(columns.of(x[i:j]), kernel, out=grouped(z[i:j], groups))
            if b is not None:
                z[i:j] += b

    run_blocks(work, split(x.shape[0]))
    return z


def turned(W: Array, geometry: Geometry) -> tuple[Array, Geometry]:
    """The kernel (k.., F, G C) and the padding with which dx is a convolution of dz, where the strides are 1."""
    strides, dilation, pads, groups = geometry
    *sizes, C, filters = W.shape
    F = filters // groups
    back = W.reshape(-1, C, groups, F)[::-1].transpose(0, 3, 2, 1).reshape(*sizes, F, groups * C)
    reach = [(k - 1) * d for k, d in zip(sizes, dilation, strict=True)]
    return back, (strides, dilation, tuple((r - first, r - last) for r, (first, last) in zip(reach, pads, strict=True)), groups)


def backward(dz: Array, x: Array, W: Array, geometry: Geometry, input_gradient: bool) -> tuple[Array | None, Array]:
    """dz (B, O.., G F) -> dx (B, I.., G C) or None, dW (k.., C, G F).

    Without strides both come from the columns of dz: dx = columns @ turned W, and dW = x' @ columns has its taps turned.
    Otherwise dW comes from the columns of x; and dx, where they meet again, from the products added up window by window.
    """
    strides, _, _, groups = geometry
    *sizes, C, filters = W.shape
    K, F = math.prod(sizes), filters // groups
    from_dz = max(strides) == 1 and (input_gradient or F < C)
    back, its_geometry = turned(W, geometry)
    kernel = by_group(back, groups) if from_dz else by_group(W, groups)  # (G, K F, C) or (G, K C, F)
    dx = np.empty(x.shape, dtype=dz.dtype) if input_gradient else None
    sums: dict[int, Array] = {}

    def work(begin: int, end: int) -> None:
        if from_dz:
            columns = Columns(dz, tuple(sizes), x.shape[1:-1], its_geometry)
            total = np.zeros((groups, C, K * F), dtype=dz.dtype)
        else:
            columns = Columns(x, tuple(sizes), dz.shape[1:-1], geometry)
            total = np.zeros((groups, K * C, F), dtype=dz.dtype)
        for i, j in columns.blocks(begin, end):
            if from_dz:
                of_dz = columns.of(dz[i:j])  # (G, n I.., K F)
                total += grouped(x[i:j], groups).transpose(0, 2, 1) @ of_dz
                if dx is not None:
                    np.matmul(of_dz, kernel, out=grouped(dx[i:j], groups))
            else:
                total += columns.of(x[i:j]).transpose(0, 2, 1) @ grouped(dz[i:j], groups)
                if dx is not None:
                    dx[i:j] = _spread(grouped(dz[i:j], groups) @ kernel.transpose(0, 2, 1), columns, sizes, geometry, dx[i:j].shape)
        sums[begin] = total

    run_blocks(work, split(x.shape[0]))
    dW = sum((sums[begin] for begin in sorted(sums)[1:]), start=sums[min(sums)])
    if from_dz:
        dW = dW.reshape(groups, C, K, F)[:, :, ::-1].transpose(2, 1, 0, 3)  # (K, C, G, F)
    else:
        dW = dW.reshape(groups, K, C, F).transpose(1, 2, 0, 3)
    return dx, np.ascontiguousarray(dW.reshape(W.shape))


def _spread(dcolumns: Array, columns: Columns, sizes: Any, geometry: Geometry, shape: Ints) -> Array:
    """The columns' gradient (G, n O.., K C), each added where it was read: (n, I.., G C)."""
    strides, dilation, _, G = geometry
    outputs = columns.windows.shape[-len(sizes) :] if columns.few else columns.windows.shape[2 : 2 + len(sizes)]
    parts = dcolumns.reshape(G, shape[0], *outputs, math.prod(sizes), -1)
    total = np.zeros((shape[0], *columns.padded.shape[1:-1], G, parts.shape[-1]), dtype=dcolumns.dtype)
    for k, tap in enumerate(np.ndindex(*sizes)):
        read = [slice(t * d, t * d + (o - 1) * s + 1, s) for t, d, o, s in zip(tap, dilation, outputs, strides, strict=True)]
        total[(slice(None), *read)] += np.moveaxis(parts[..., k, :], 0, -2)
    dx = np.zeros(shape, dtype=dcolumns.dtype)
    dx[tuple(columns.read)] = total.reshape(*total.shape[:-2], -1)[tuple(columns.inside)]
    return dx


__all__ = ["Columns", "backward", "forward", "turned"]
