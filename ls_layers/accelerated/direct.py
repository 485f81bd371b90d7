"""Convolution by register tiles on the input itself: what calls direct_compiled.py, and what prepares the kernels for it.

G groups, B batch, I.. input positions, O.. output positions, K taps of the kernel over all axes, C channels of one group,
F filters of one group, m groups that share a panel.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ls_core.threads import run_blocks, split
from ls_core.types import Array

from ..windows import Ints, Pads
from . import columns
from .blocks import LEAST, plain
from .volumes import ahead, along, floats, images, volume

_WASTE = 4  # a panel has at most so many times the columns that are wanted


def _width(dtype: Any) -> int:
    """Columns of a panel of the products."""
    from .tiles import VECTOR_BYTES, VECTORS

    return VECTORS * VECTOR_BYTES // np.dtype(dtype).itemsize


def _joined(groups: int, filters: int, dtype: Any) -> int:
    """How many groups share a panel: zeros between them cost less than an empty half of it."""
    return max(m for m in range(1, groups + 1) if groups % m == 0 and (m == 1 or m * filters <= _width(dtype)))


def panels(W: Array) -> Array:
    """(G, K, C, F) -> (G / m, K, m C, F'): m groups side by side, filled up to whole panels."""
    G, K, C, F = W.shape
    m, width = _joined(G, F, W.dtype), _width(W.dtype)
    panels = np.zeros((G // m, K, m * C, -(-m * F // width) * width), dtype=W.dtype)
    for i in range(m):
        panels[:, :, i * C : (i + 1) * C, i * F : (i + 1) * F] = W[i::m]
    return panels


def pays(groups: int, filters: int, *arrays: Array) -> bool:
    """Whether there is enough to do, and the panels are not mostly empty; ``filters`` columns of each group are wanted."""
    if not floats(LEAST // 4, *arrays):
        return False
    kind = arrays[0].dtype
    return filters * _joined(groups, filters, kind) * _WASTE >= _width(kind)


def bias_or_zeros(b: Array | None, filters: int, like: Array) -> Array:
    """``b`` for compiled code, which takes zeros where there is none."""
    return np.zeros(filters, dtype=like.dtype) if b is None else plain(b)


def _rows(z: Array) -> int:
    """How many rows a volume has."""
    return math.prod(z.shape[:3])


def forward(x: Array, W: Array, b: Array | None, strides: Ints, dilation: Ints, pads: Pads, outputs: Ints, groups: int) -> Array:
    """x (B, I.., G C), W (k.., C, G F) -> (B, O.., G F)."""
    from .direct_compiled import forward as compiled

    *sizes, C, filters = W.shape
    F = filters // groups
    kernel = panels(W.reshape(-1, C, groups, F).transpose(2, 0, 1, 3))
    z = np.empty((x.shape[0], *outputs, filters), dtype=x.dtype)
    given, made, bias = volume(x), volume(z), bias_or_zeros(b, filters, x)
    geometry = along(tuple(sizes)), along(strides), along(dilation), ahead(pads)
    run_blocks(lambda begin, end: compiled(given, kernel, bias, made, *geometry, begin, end), split(_rows(made)))
    return z


def kernel_gradient(dz: Array, x: Array, W: Array, strides: Ints, dilation: Ints, pads: Pads, groups: int) -> Array:
    """dz (B, O.., G F), x (B, I.., G C) -> dW (k.., C, G F)."""
    from .direct_compiled import kernel_gradient as compiled

    *sizes, C, filters = W.shape
    F = filters // groups
    like, m = panels(np.zeros((groups, math.prod(sizes), C, F), dtype=W.dtype)), _joined(groups, F, W.dtype)
    given, read = volume(dz), volume(x)
    geometry = along(tuple(sizes)), along(strides), along(dilation), ahead(pads)
    blocks = split(_rows(given))
    parts = {begin: np.zeros_like(like) for begin, _ in blocks}
    run_blocks(lambda begin, end: compiled(read, given, parts[begin], *geometry, begin, end), blocks)
    total = sum((parts[begin] for begin, _ in blocks[1:]), start=parts[0])  # (G / m, K, m C, F')
    dW = np.empty((math.prod(sizes), C, groups, F), dtype=W.dtype)
    for i in range(m):
        dW[:, :, i::m] = total[:, :, i * C : (i + 1) * C, i * F : (i + 1) * F].transpose(1, 2, 0, 3)
    return dW.reshape(W.shape)


def spread(x: Array, W: Array, b: Array | None, strides: Ints, dilation: Ints, shift: Ints, outputs: Ints, groups: int) -> Array:
    """x (B, I.., G C), W (k.., F, G C) -> (B, O.., G F): every input adds its products to a window of the output."""
    from .direct_compiled import spread as compiled

    *sizes, F, channels = W.shape
    kernel = panels(W.reshape(-1, F, groups, channels // groups).transpose(2, 0, 3, 1))
    z = np.empty((x.shape[0], *outputs, groups * F), dtype=x.dtype)
    given, made, bias = volume(x), volume(z), bias_or_zeros(b, groups * F, x)
    geometry = along(tuple(sizes)), along(strides), along(dilation), along(shift, 0)
    run_blocks(lambda begin, end: compiled(given, kernel, bias, made, *geometry, begin, end), images(given))
    return z


def input_gradient(dz: Array, W: Array, strides: Ints, dilation: Ints, pads: Pads, inputs: Ints, groups: int) -> Array:
    """dx (B, I.., G C): without strides a convolution of dz with the turned kernel, else what ``spread`` does."""
    if max(strides) > 1:
        return spread(dz, W, None, strides, dilation, tuple(pad[0] for pad in pads), inputs, groups)
    turned, (_, _, back, _) = columns.turned(W, (strides, dilation, pads, groups))
    return forward(dz, turned, None, strides, dilation, back, inputs, groups)


__all__ = ["bias_or_zeros", "forward", "input_gradient", "kernel_gradient", "panels", "pays", "spread"]
