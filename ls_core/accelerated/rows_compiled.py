"""Adding up rows that share an id. Needs Numba."""

from __future__ import annotations

from typing import Any

import numpy as np

from .compiled import jit, jit_apart


@jit
def places(ids: Any, highest: int) -> Any:
    """-> the ids that occur, rising, and for each of ``ids`` (n,), none above ``highest``, the place of its own among them."""
    place_of = np.zeros(highest + 1, np.intp)
    for i in ids:
        place_of[i] = 1
    count = place_of.sum()
    rows = np.empty(count, ids.dtype)
    found = 0
    for i in range(highest + 1):
        if place_of[i]:
            rows[found], place_of[i] = i, found
            found += 1
    return rows, place_of[ids]


@jit
def sum_rows(where: Any, values: Any, sums: Any, begin: int, end: int) -> None:
    """sums[where[i]] += values[i] for all i in order, as far as where[i] lies in ``begin`` to ``end``; sums there need not be 0 before."""
    fresh = np.ones(end - begin, np.bool_)
    for i in range(where.size):
        place = where[i]
        if begin <= place < end:
            if fresh[place - begin]:
                fresh[place - begin] = False
                take(sums[place], values[i])
            else:
                add(sums[place], values[i])


@jit_apart
def take(to: Any, x: Any) -> None:
    """to = x."""
    for j in range(to.size):
        to[j] = x[j]


@jit_apart
def add(total: Any, x: Any) -> None:
    """total += x."""
    for j in range(total.size):
        total[j] += x[j]


__all__ = ["add", "places", "sum_rows", "take"]
