"""The loops of sparse cross-entropy on logits. Needs Numba.

N samples, C classes; the rows ``begin`` to ``end`` of arrays (N, ...) are worked on.
"""

from __future__ import annotations

import math
from typing import Any

from .compiled import exp, jit_sums, largest


@jit_sums
def logits_forward(ids: Any, z: Any, losses: Any, kept: Any, begin: int, end: int) -> None:
    """losses = log(sum_C exp(z)) - z[id]; kept (N, 2): the largest z, and sum_C exp(z - largest)."""
    for i in range(begin, end):
        row = z[i]
        top = largest(row)
        total = z.dtype.type(0)
        for j in range(row.size):
            total += exp(row[j] - top)
        losses[i] = math.log(total) + (top - row[ids[i]])
        kept[i, 0], kept[i, 1] = top, total


@jit_sums
def logits_backward(weights: Any, ids: Any, z: Any, kept: Any, dz: Any, begin: int, end: int) -> None:
    """dz = weights * (softmax(z) - one_hot(id))."""
    for i in range(begin, end):
        row, made = z[i], dz[i]
        top, scale = kept[i, 0], weights[i] / kept[i, 1]
        for j in range(row.size):
            made[j] = exp(row[j] - top) * scale
        made[ids[i]] -= weights[i]
