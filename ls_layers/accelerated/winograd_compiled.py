"""Winograd's F(4x4, 3x3), compiled: transforms and products of a block of tiles one after the other, all in the cache. Needs Numba.

The algorithm and its matrices stand in winograd.py. The transforms here are the same matrices, factored: their rows
come in pairs that differ in sign alone, so a pair shares its even and its odd part.

A block has T tiles. V, M and Z hold 36 planes, one for each number of a transformed tile: V (36, T, C), M and Z (36, T, F'),
where F' is F filled up to whole panels of the products; a plane has some numbers more, or all 36 would meet in the same few
lines of the cache.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ls_core.accelerated.compiled import jit

from .lanes import LANES, square
from .products import multiply
from .tiles import VECTOR_BYTES, VECTORS, pointer

WIDTH = VECTORS * VECTOR_BYTES // 4  # columns of a panel
_A, _B = math.sqrt(0.5), math.sqrt(2.0)


def input_transform(d0: Any, d1: Any, d2: Any, d3: Any, d4: Any, d5: Any) -> tuple[Any, ...]:
    """B' d."""
    even_a, odd_a = d4 - 2.0 * d2, _A * d3 - _B * d1
    even_b, odd_b = d4 - 0.5 * d2, _B * d3 - _A * d1
    return d0 - 2.5 * d2 + d4, even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, d1 - 2.5 * d3 + d5


def output_transform(m0: Any, m1: Any, m2: Any, m3: Any, m4: Any, m5: Any) -> tuple[Any, ...]:
    """A' m."""
    even_a, odd_a, even_b, odd_b = m1 + m2, m1 - m2, m3 + m4, m3 - m4
    return (
        m0 + even_a + even_b,
        _A * odd_a + _B * odd_b,
        0.5 * even_a + 2.0 * even_b,
        _A / 2 * odd_a + 2 * _B * odd_b + m5,
    )


def tile_transform(y0: Any, y1: Any, y2: Any, y3: Any) -> tuple[Any, ...]:
    """A y."""
    even_a, odd_a = y0 + 0.5 * y2, _A * y1 + _A / 2 * y3
    even_b, odd_b = y0 + 2.0 * y2, _B * y1 + 2 * _B * y3
    return y0, even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, y3


_from_patch, _to_tile, _from_tile = square(input_transform, 6), square(output_transform, 6), square(tile_transform, 4)


@jit
def plane(T: int, columns: int) -> int:
    """Numbers from one plane to the next."""
    return T * columns + LANES


@jit
def chunk(c: int, C: int) -> int:
    """The first channel of the vector at c; the last vector overlaps the one before where C is no multiple of LANES."""
    return min(c, C - LANES)


@jit
def copy(to: Any, given: Any) -> None:
    """to[i] = given[i]."""
    for i in range(to.size):
        to[i] = given[i]


@jit
def cut(x: Any, image: int, top: int, left: int, size: int, scratch: Any) -> None:
    """A square of x, of ``size`` pixels each way, into ``scratch``; zeros where it reaches beyond the image."""
    _, H, W, C = x.shape
    flat = x.reshape(-1)
    first, last = max(0, -left), min(size, W - left)
    for i in range(size):
        row = scratch[i * size * C : (i + 1) * size * C]
        if 0 <= top + i < H and first < last:
            at = ((image * H + top + i) * W + left) * C
            row[: first * C] = 0
            copy(row[first * C : last * C], flat[at + first * C : at + last * C])
            row[last * C :] = 0
        else:
            row[:] = 0


@jit
def load(x: Any, before: Any, size: int, first: int, count: int, grid: Any, V: Any, T: int, columns: int, scratch: Any, none: Any) -> None:
    """Tiles ``first`` and on of x, ``count`` of them, transformed into V: patches where ``size`` is 6, tiles where it is 4."""
    _, H, W, C = x.shape
    flat, step = x.reshape(-1), plane(T, columns)
    for t in range(count):
        image, place = divmod(first + t, grid[0] * grid[1])
        top, left = place // grid[1] * 4 - before[0], place % grid[1] * 4 - before[1]
        given, at, row = flat, ((image * H + top) * W + left) * C, W * C
        if top < 0 or left < 0 or top + size > H or left + size > W:
            cut(x, image, top, left, size, scratch)
            given, at, row = scratch, 0, size * C
        for c in range(0, C, LANES):
            c = chunk(c, C)
            to = pointer(V, t * columns + c)
            if size == 6:
                _from_patch(to, 6 * step, step, pointer(given, at + c), row, C, pointer(none, 0))
            else:
                _from_tile(to, 6 * step, step, pointer(given, at + c), row, C, pointer(none, 0))


@jit
def forward(x: Any, U: Any, bias: Any, y: Any, before: Any, T: int, begin: int, end: int) -> None:
    """Tiles ``begin`` to ``end`` of y. x (B, H, W, C), U (36, C, F'), bias (F,), y (B, P, Q, F)."""
    C, F, (_, P, Q, _), columns = x.shape[3], y.shape[3], y.shape, U.shape[2]
    grid = (P + 3) // 4, (Q + 3) // 4
    v_step, m_step = plane(T, C), plane(T, columns)
    V, M = np.empty(36 * v_step, np.float32), np.empty(36 * m_step, np.float32)
    scratch, none = np.empty(36 * max(C, F), np.float32), np.zeros(LANES, np.float32)
    kernel, flat = U.reshape(-1), y.reshape(-1)
    for first in range(begin, end, T):
        count = min(T, end - first)
        load(x, before, 6, first, count, grid, V, T, C, scratch, none)
        for k in range(36):
            for f in range(0, columns, WIDTH):
                b_at = k * C * columns + f
                multiply(M, k * m_step + f, columns, V, k * v_step, C, 1, kernel, b_at, columns, count, C, True)
        for t in range(count):
            image, place = divmod(first + t, grid[0] * grid[1])
            top, left = place // grid[1] * 4, place % grid[1] * 4
            whole = top + 4 <= P and left + 4 <= Q
            to, at, row = (flat, ((image * P + top) * Q + left) * F, Q * F) if whole else (scratch, 0, 4 * F)
            for f in range(0, F, LANES):
                f = chunk(f, F)
                _to_tile(pointer(to, at + f), row, F, pointer(M, t * columns + f), 6 * m_step, m_step, pointer(bias, f))
            if not whole:
                for i in range(min(4, P - top)):
                    at, size = ((image * P + top + i) * Q + left) * F, min(4, Q - left) * F
                    copy(flat[at : at + size], scratch[4 * i * F : 4 * i * F + size])


@jit
def kernel_gradient(x: Any, dz: Any, dU: Any, before: Any, T: int, begin: int, end: int) -> None:
    """dU (36, C, F') = the sum over tiles ``begin`` to ``end`` of V' Z. x (B, H, W, C), dz (B, P, Q, F)."""
    C, F, (_, P, Q, _), columns = x.shape[3], dz.shape[3], dz.shape, dU.shape[2]
    grid = (P + 3) // 4, (Q + 3) // 4
    v_step, z_step = plane(T, C), plane(T, columns)
    V, Z = np.empty(36 * v_step, np.float32), np.zeros(36 * z_step, np.float32)
    scratch, none = np.empty(36 * max(C, F), np.float32), np.zeros(LANES, np.float32)
    sums = dU.reshape(-1)
    for first in range(begin, end, T):
        count = min(T, end - first)
        load(x, before, 6, first, count, grid, V, T, C, scratch, none)
        load(dz, (0, 0), 4, first, count, grid, Z, T, columns, scratch, none)
        for k in range(36):
            for f in range(0, columns, WIDTH):
                at = k * C * columns + f
                multiply(sums, at, columns, V, k * v_step, 1, C, Z, k * z_step + f, columns, C, count, first == begin)


__all__ = ["LANES", "WIDTH", "forward", "input_transform", "kernel_gradient", "output_transform", "tile_transform"]
