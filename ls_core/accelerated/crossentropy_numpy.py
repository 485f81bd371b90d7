"""Sparse cross-entropy on logits, on NumPy: every pass over a block of rows that is still in the cache.

N samples, C classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..losses.sparse_categorical_crossentropy import (
    sparse_categorical_crossentropy_logits_backward,
    sparse_categorical_crossentropy_logits_forward,
)
from ..threads import run_blocks, split
from ..types import Array

CACHE = 256 * 1024  # bytes of a block


@sparse_categorical_crossentropy_logits_forward.override("numpy")
def logits_forward_blocks(ids: Array, z: Array) -> tuple[Array, Any]:
    if z.dtype.kind != "f" or z.dtype.itemsize < 4 or 0 in z.shape:
        return sparse_categorical_crossentropy_logits_forward.reference(ids, z)
    e = np.empty(z.shape, z.dtype)  # (N, C)
    total, at_id = np.empty((2, z.shape[0]), z.dtype)  # (N,) each
    step = _rows(z)

    def part(begin: int, end: int) -> None:
        for i in range(begin, end, step):
            here = slice(i, min(i + step, end))
            block = e[here]
            np.subtract(z[here], z[here].max(axis=1, keepdims=True), out=block)
            at_id[here] = block[np.arange(block.shape[0]), ids[here]]
            np.exp(block, out=block)
            block.sum(axis=1, out=total[here])

    run_blocks(part, split(z.shape[0], step))
    return np.log(total) - at_id, (ids, e, total)


@sparse_categorical_crossentropy_logits_backward.override("numpy")
def logits_backward_blocks(weights: Array, ids: Array, e: Array, total: Array) -> Array:
    scale = (weights / total)[:, None]  # (N, 1)

    def part(begin: int, end: int) -> None:
        e[begin:end] *= scale[begin:end]  # made in the forward and not needed again

    run_blocks(part, split(e.shape[0], _rows(e)))
    e[np.arange(e.shape[0]), ids] -= weights
    return e


def _rows(z: Array) -> int:
    return max(1, CACHE // max(1, z.shape[1] * z.itemsize))


__all__ = ["logits_backward_blocks", "logits_forward_blocks"]
