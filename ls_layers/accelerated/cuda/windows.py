"""Windows on CUDA: the geometry that kernels get, im2col and col2im. With them every convolution is one launch and a product."""

from __future__ import annotations

import math

from ls_core.backend import get_xp
from ls_core.cuda import Source, contiguous, override
from ls_core.types import Array

from ...windows import Ints, gather, scatter

SOURCE = Source(__file__, "windows.cu")
EACH = 4  # channels of a thread


def three(values: Ints, fill: int) -> Ints:
    """One number for each of three axes; ``fill`` for the first ones, where there are fewer.

    >>> three((5, 6), 1)
    (1, 5, 6)
    """
    return (fill,) * (3 - len(values)) + tuple(int(v) for v in values)


def window_grid(rows: int, channels: int) -> tuple[tuple[int], tuple[int, int]]:
    """Blocks and threads: a row of threads for each window, about EACH channels a thread, so that eight threads fill a sector of memory.

    >>> window_grid(1000, 3), window_grid(1000, 32), window_grid(1000, 500)
    (((12,), (3, 85)), ((32,), (8, 32)), ((125,), (32, 8)))
    """
    wide = max(channels, 1) if channels < 8 else 8 if channels <= 8 * EACH else 16 if channels <= 16 * EACH else 32
    high = 256 // wide
    return (-(-rows // high),), (wide, high)


def geometry(batch: int, channels: int, large: Ints, small: Ints, sizes: Ints, strides: Ints, dilation: Ints, before: Ints) -> Ints:
    """The arguments that ``WINDOWS`` in windows.cuh names."""
    ones = (three(part, 1) for part in (large, small, sizes, strides, dilation))
    return (batch, channels, *(number for part in ones for number in part), *three(before, 0))


@override(gather)
def gather_cuda(large: Array, small: Ints, sizes: Ints, strides: Ints, dilation: Ints, before: Ints) -> Array:
    xp = get_xp(large)
    rank, K, C = len(sizes), math.prod(sizes), large.shape[-1]
    lead, lengths = large.shape[: -1 - rank], large.shape[-1 - rank : -1]
    if K == 1 and lengths == tuple(small):
        return large[..., None, :]  # every position read once: the columns are the array itself
    (large,) = contiguous(xp, large)
    B = math.prod(lead)
    columns = xp.empty((*lead, *small, K, C), dtype=large.dtype)
    where = geometry(B, C, lengths, small, sizes, strides, dilation, before)
    SOURCE.run("gather_windows", large.dtype, *window_grid(B * math.prod(small), C), large, columns, *where)
    return columns


@override(scatter)
def scatter_cuda(columns: Array, large: Ints, sizes: Ints, strides: Ints, dilation: Ints, before: Ints) -> Array:
    xp = get_xp(columns)
    rank, (K, C) = len(sizes), columns.shape[-2:]
    lead, small = columns.shape[: -2 - rank], columns.shape[-2 - rank : -2]
    if K == 1 and small == tuple(large):
        return columns[..., 0, :]
    (columns,) = contiguous(xp, columns)
    B = math.prod(lead)
    x = xp.empty((*lead, *large, C), dtype=columns.dtype)
    where = geometry(B, C, large, small, sizes, strides, dilation, before)
    SOURCE.run("scatter_windows", columns.dtype, *window_grid(B * math.prod(large), C), columns, x, *where)
    return x
