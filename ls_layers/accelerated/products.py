"""Matrix products for compiled kernels: cache-sized blocks of the register tiles in tiles.py. Needs Numba.

c (M, N) = a @ b, where a is (M, K) or, ``a_turned``, the transpose of an array (K, M), and b likewise; all contiguous.
The blocks: DEPTH steps of k and BREADTH columns of b are packed into panels of WIDTH columns each. They stay in the
second-level cache together with TALL rows of a; the panel in use stays in the first, while the rows pass over it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.accelerated.compiled import jit

from .tiles import FULL, VECTOR_BYTES, VECTORS, pointer, tile1, tile2, tile4, tile8, turn

DEPTH, BREADTH, TALL = 256, 256, 256
FEW = 200  # rows; for so few, packing b costs more than it gains
_PANEL_BYTES = VECTORS * VECTOR_BYTES


@jit
def width_of(array: Any) -> int:
    """WIDTH: how many columns a panel has in this array's dtype."""
    return _PANEL_BYTES // array.itemsize


@jit
def pack(panels: Any, b: Any, b_turned: bool, k: int, length: int, j: int, columns: int) -> None:
    """b[k : k + length, j : j + columns] as panels, one behind the other; in each, a step's WIDTH numbers lie together.

    Zeros fill up the last one. Whole rows of b are read, since short pieces of long rows defeat the processor's prefetching.
    """
    width = width_of(panels)
    size, over = length * width, columns % width
    if over:
        panels[columns // width * size : (columns // width + 1) * size] = 0
    if b_turned:
        ldb, lanes = b.shape[1], VECTOR_BYTES // panels.itemsize
        whole = length // lanes * lanes  # steps that are turned square by square
        for column in range(0, columns - columns % lanes, lanes):
            at = column // width * size + column % width
            for step in range(0, whole, lanes):
                turn(pointer(panels, at + step * width), width, pointer(b, (j + column) * ldb + k + step), ldb)
        for column in range(columns):
            row, at = b[j + column], column // width * size + column % width
            for step in range(whole if column < columns - columns % lanes else 0, length):
                panels[at + step * width] = row[k + step]
    else:
        for step in range(length):
            row, to = b[k + step, j : j + columns], panels[step * width :]
            for begin in range(0, columns - over, width):
                some, there = row[begin:], to[begin // width * size :]
                for column in range(width):
                    there[column] = some[column]
            some, there = row[columns - over :], to[columns // width * size :]
            for column in range(over):
                there[column] = some[column]


@jit
def multiply(
    c: Any,
    c_at: int,
    ldc: int,
    a: Any,
    a_at: int,
    row_step: int,
    k_step: int,
    b: Any,
    b_at: int,
    ldb: int,
    rows: int,
    length: int,
    first: bool,
) -> None:
    """``rows`` x WIDTH numbers of c from ``c_at`` on += (``first``: =) rows of a from ``a_at`` on times b from ``b_at`` on."""
    at = pointer(b, b_at)
    i = 0
    while FULL == 8 and rows - i >= 8:
        tile8(pointer(c, c_at + i * ldc), ldc, pointer(a, a_at + i * row_step), row_step, k_step, at, ldb, length, first)
        i += 8
    while rows - i >= 4:
        tile4(pointer(c, c_at + i * ldc), ldc, pointer(a, a_at + i * row_step), row_step, k_step, at, ldb, length, first)
        i += 4
    if rows - i >= 2:
        tile2(pointer(c, c_at + i * ldc), ldc, pointer(a, a_at + i * row_step), row_step, k_step, at, ldb, length, first)
        i += 2
    if rows - i >= 1:
        tile1(pointer(c, c_at + i * ldc), ldc, pointer(a, a_at + i * row_step), row_step, k_step, at, ldb, length, first)


@jit
def product(
    c: Any,
    a: Any,
    a_turned: bool,
    b: Any,
    b_turned: bool,
    top: int,
    bottom: int,
    left: int,
    right: int,
    k_begin: int,
    k_end: int,
    add: bool,
) -> None:
    """c[top:bottom, left:right] = (``add``: +=) the sum of a[:, k] b[k] over k_begin <= k < k_end."""
    width, ldc, lda, ldb = width_of(c), c.shape[1], a.shape[1], b.shape[1]
    row_step, k_step = (1, lda) if a_turned else (lda, 1)
    if k_end <= k_begin and not add:
        c[top:bottom, left:right] = 0
    direct = bottom - top <= FEW and not b_turned
    panels = np.empty(DEPTH * BREADTH, c.dtype)
    edge = np.empty(TALL * width, c.dtype)  # where the sums of a last, narrower panel go first
    for j in range(left, right, BREADTH):
        columns = min(BREADTH, right - j)
        for k in range(k_begin, k_end, DEPTH):
            length, first = min(DEPTH, k_end - k), k == k_begin and not add
            packed = columns // width * width if direct else 0  # columns that need no packing
            if packed < columns:
                pack(panels, b, b_turned, k, length, j + packed, columns - packed)
            for i in range(top, bottom, TALL):
                rows, a_at = min(TALL, bottom - i), i * row_step + k * k_step
                for begin in range(0, columns, width):
                    c_at = i * ldc + j + begin
                    if begin < packed:
                        multiply(c, c_at, ldc, a, a_at, row_step, k_step, b, k * ldb + j + begin, ldb, rows, length, first)
                    elif begin + width <= columns:
                        multiply(c, c_at, ldc, a, a_at, row_step, k_step, panels, (begin - packed) * length, width, rows, length, first)
                    else:
                        at = (begin - packed) * length
                        multiply(edge, 0, width, a, a_at, row_step, k_step, panels, at, width, rows, length, True)
                        for row in range(rows):
                            for column in range(columns - begin):
                                there = c.dtype.type(0) if first else c[i + row, j + begin + column]
                                c[i + row, j + begin + column] = there + edge[row * width + column]


__all__ = ["multiply", "pack", "product", "width_of"]
