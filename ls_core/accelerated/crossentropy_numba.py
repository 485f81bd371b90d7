"""Sparse cross-entropy on logits, compiled: the forward reads a row once and keeps two numbers of it.

The reference keeps exp(z - max), as large as the logits; here the backward computes it again, which costs less than
writing and reading it.

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
from . import plain

LEAST = 1 << 15  # logits that a thread must have to be worth it


@sparse_categorical_crossentropy_logits_forward.override("numba")
def logits_forward_compiled(ids: Array, z: Array) -> tuple[Array, Any]:
    if z.dtype.char not in "fd" or 0 in z.shape:
        return sparse_categorical_crossentropy_logits_forward.overrides["numpy"](ids, z)
    from .crossentropy_compiled import logits_forward

    ids, z = plain(ids.astype(np.int64, copy=False)), plain(z)  # (N,), (N, C)
    losses = np.empty(z.shape[0], z.dtype)  # (N,)
    kept = np.empty((z.shape[0], 2), z.dtype)  # the largest z of a row, and sum_C exp(z - largest)
    run_blocks(lambda begin, end: logits_forward(ids, z, losses, kept, begin, end), split(z.shape[0], LEAST // z.shape[1]))
    return losses, (ids, z, kept)


@sparse_categorical_crossentropy_logits_backward.override("numba")
def logits_backward_compiled(weights: Array, ids: Array, e: Array, total: Array) -> Array:
    if total.ndim == 1:  # not from the forward above
        return sparse_categorical_crossentropy_logits_backward.overrides["numpy"](weights, ids, e, total)
    from .crossentropy_compiled import logits_backward

    weights, z, kept = plain(weights), e, total
    dz = np.empty(z.shape, z.dtype)  # (N, C)
    run_blocks(lambda begin, end: logits_backward(weights, ids, z, kept, dz, begin, end), split(z.shape[0], LEAST // z.shape[1]))
    return dz


__all__ = ["logits_backward_compiled", "logits_forward_compiled"]
