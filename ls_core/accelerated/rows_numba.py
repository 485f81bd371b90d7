"""Adding up rows that share an id, compiled: ids are counted instead of sorted, and each thread adds up some of the sums."""

from __future__ import annotations

import math

import numpy as np

from ..parameter import sum_rows
from ..threads import run_blocks, split
from ..types import Array

SPARSE = 64  # a table of so many times as many rows as there are ids is sorted, not counted
LEAST = 1 << 16  # numbers that a thread must have to be worth it


@sum_rows.override("numba")
def sum_rows_compiled(ids: Array, values: Array) -> tuple[Array, Array]:
    columns = math.prod(values.shape[1:])
    if values.dtype.char not in "fd" or ids.dtype.char not in "ilq" or not values.size:
        return sum_rows.overrides["numpy"](ids, values)
    highest = int(ids.max())
    if ids.min() < 0 or highest > SPARSE * ids.size:
        return sum_rows.overrides["numpy"](ids, values)
    from .rows_compiled import places
    from .rows_compiled import sum_rows as add_up

    given = np.require(values.reshape(ids.size, columns), requirements=("C", "A", "W"))
    rows, where = places(np.require(ids, requirements=("C", "A", "W")), highest)
    sums = np.empty((rows.size, columns), values.dtype)
    run_blocks(lambda begin, end: add_up(where, given, sums, begin, end), split(rows.size, max(1, LEAST // columns)))
    return rows, sums.reshape(rows.size, *values.shape[1:])


__all__ = ["sum_rows_compiled"]
