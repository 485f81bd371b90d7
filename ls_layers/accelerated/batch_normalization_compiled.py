"""Batch normalisation, compiled: each pass reads a row once. Needs Numba.

With few channels a row is too short for the processor's vectors, so several rows make a long one, and each vector of
channels is repeated to its length. Sums are made of short blocks, so that few numbers are added one after the other.
N rows, C channels, m rows in a long one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.accelerated.compiled import jit

LONG = 256  # numbers that a long row has at least
BLOCK = 16  # long rows in a block of a sum


@jit
def folded(long: Any, C: int) -> Any:
    """The sums over a long row's rows: (m C,) -> (C,)."""
    total = np.zeros(C, long.dtype)
    for i in range(0, long.size, C):
        row = long[i : i + C]
        for c in range(C):
            total[c] += row[c]
    return total


@jit
def repeated(vector: Any, m: int) -> Any:
    """(C,) -> (m C,)."""
    long = np.empty(m * vector.size, vector.dtype)
    for i in range(0, long.size, vector.size):
        long[i : i + vector.size] = vector
    return long


@jit
def moments(x: Any, begin: int, end: int, mean: Any, spread: Any) -> None:
    """The mean of rows ``begin`` to ``end``, and the sum of the squared distances to it; both (C,) in float64.

    Of each block, its own; two sets with n1 and n2 rows join (Chan, Golub and LeVeque 1979): the mean moves by
    n2 / (n1 + n2) of the distance of the means, whose square adds n1 n2 / (n1 + n2) times to the spread.
    """
    C = x.shape[1]
    m = max(1, LONG // C)
    flat = x.reshape(-1)
    mean[:] = 0
    spread[:] = 0
    done = begin
    while done < end:
        together = m if end - done >= m else 1  # the last rows come one by one
        count = min(BLOCK, (end - done) // together)
        size, start = together * C, done * C
        total = np.zeros(size, x.dtype)
        for at in range(start, start + count * size, size):
            long = flat[at : at + size]
            for i in range(size):
                total[i] += long[i]
        rows = count * together
        of_block = folded(total, C) / x.dtype.type(rows)
        centre = repeated(of_block, together)
        total[:] = 0
        for at in range(start, start + count * size, size):
            long = flat[at : at + size]
            for i in range(size):
                distance = long[i] - centre[i]
                total[i] += distance * distance
        squares = folded(total, C)
        before = done - begin
        for c in range(C):
            apart = of_block[c] - mean[c]
            mean[c] += apart * rows / (before + rows)
            spread[c] += squares[c] + apart * apart * before * rows / (before + rows)
        done += rows


@jit
def scale(x: Any, mean: Any, factor: Any, beta: Any, y: Any, begin: int, end: int) -> None:
    """y = (x - mean) factor + beta, for rows ``begin`` to ``end``."""
    C = x.shape[1]
    m = max(1, LONG // C)
    centre, width, shift = repeated(mean, m), repeated(factor, m), repeated(beta, m)
    flat_x, flat_y = x.reshape(-1), y.reshape(-1)
    for at in range(begin * C, end * C, m * C):
        last = min(at + m * C, end * C)
        given, made = flat_x[at:last], flat_y[at:last]
        for i in range(given.size):
            made[i] = (given[i] - centre[i]) * width[i] + shift[i]


@jit
def sums(dy: Any, x: Any, mean: Any, begin: int, end: int, total_dy: Any, along_x: Any) -> None:
    """total_dy = sum dy, along_x = sum dy (x - mean) over rows ``begin`` to ``end``; both (C,) in float64."""
    C = dy.shape[1]
    m = max(1, LONG // C)
    centre = repeated(mean, m)
    flat_dy, flat_x = dy.reshape(-1), x.reshape(-1)
    total, along = np.empty(m * C, dy.dtype), np.empty(m * C, dy.dtype)
    total_dy[:] = 0
    along_x[:] = 0
    for first in range(begin * C, end * C, BLOCK * m * C):
        total[:] = 0
        along[:] = 0
        for at in range(first, min(first + BLOCK * m * C, end * C), m * C):
            last = min(at + m * C, end * C)
            given, kept = flat_dy[at:last], flat_x[at:last]
            for i in range(given.size):
                total[i] += given[i]
            for i in range(given.size):
                along[i] += given[i] * (kept[i] - centre[i])
        total_dy += folded(total, C)
        along_x += folded(along, C)


@jit
def pull(dy: Any, x: Any, mean: Any, factor: Any, along: Any, common: Any, dx: Any, begin: int, end: int) -> None:
    """dx = dy factor - ((x - mean) along + common) for rows ``begin`` to ``end``."""
    C = dy.shape[1]
    m = max(1, LONG // C)
    centre, by_dy, by_x, shift = repeated(mean, m), repeated(factor, m), repeated(along, m), repeated(common, m)
    flat_dy, flat_x, flat_dx = dy.reshape(-1), x.reshape(-1), dx.reshape(-1)
    for at in range(begin * C, end * C, m * C):
        last = min(at + m * C, end * C)
        given, kept, made = flat_dy[at:last], flat_x[at:last], flat_dx[at:last]
        for i in range(given.size):
            made[i] = given[i] * by_dy[i] - ((kept[i] - centre[i]) * by_x[i] + shift[i])


__all__ = ["moments", "pull", "scale", "sums"]
