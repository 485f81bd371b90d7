"""Cross-entropy on logits, on CUDA: of class ids, of distributions, of yes/no targets; the probabilities are never stored.

N samples, C classes.
"""

from __future__ import annotations

from typing import Any

from ..backend import get_xp
from ..losses.binary_crossentropy import binary_crossentropy_logits_backward, binary_crossentropy_logits_forward
from ..losses.categorical_crossentropy import (
    categorical_crossentropy_logits_backward,
    categorical_crossentropy_logits_forward,
)
from ..losses.sparse_categorical_crossentropy import (
    sparse_categorical_crossentropy_logits_backward,
    sparse_categorical_crossentropy_logits_forward,
)
from ..types import Array
from .launch import Source, contiguous, each_grid, team_grid
from .overrides import SINGLE_AND_DOUBLE, Kept, override
from .rows import as_ids

SOURCE = Source(__file__, "crossentropy.cu")


@override(sparse_categorical_crossentropy_logits_forward, types=SINGLE_AND_DOUBLE)
def crossentropy_forward(ids: Array, z: Array) -> tuple[Array, Any]:
    """-> losses (N,), (ids, z, kept): in place of exp(z - m) the logits themselves, in place of its sum (2, N) with m too."""
    xp = get_xp(z)
    N, C = z.shape
    ids, z = contiguous(xp, as_ids(ids), z)
    losses, kept = xp.empty(N, dtype=z.dtype), xp.empty((2, N), dtype=z.dtype)
    SOURCE.run("crossentropy_forward", z.dtype, *team_grid(N, C), ids, z, losses, kept, N, C)
    return losses, (ids, z, kept)


@override(sparse_categorical_crossentropy_logits_backward, types=SINGLE_AND_DOUBLE)
def crossentropy_backward(weights: Array, ids: Array, e: Array, total: Array) -> Array:
    if total.ndim == 1:  # the reference ran forward
        return sparse_categorical_crossentropy_logits_backward.reference(weights, ids, e, total)
    xp = get_xp(weights)
    (weights,) = contiguous(xp, weights)
    N, C = e.shape
    dz = xp.empty(e.shape, dtype=e.dtype)
    SOURCE.run("crossentropy_backward", e.dtype, *team_grid(N, C), weights, ids, e, total, dz, N, C)
    return dz


@override(categorical_crossentropy_logits_forward, types=SINGLE_AND_DOUBLE)
def distribution_crossentropy_forward(t: Array, z: Array, axis: int) -> tuple[Array, Any]:
    """-> losses (...), (t, (z, kept), None): in place of exp(z - m) the logits themselves, and kept (3, N)."""
    if not _on_rows(t, z, axis):
        return categorical_crossentropy_logits_forward.reference(t, z, axis)
    xp = get_xp(z)
    C = z.shape[-1]
    N = z.size // C
    t, z = contiguous(xp, t, z)
    losses, kept = xp.empty(z.shape[:-1], dtype=z.dtype), xp.empty((3, N), dtype=z.dtype)
    SOURCE.run("distribution_crossentropy_forward", z.dtype, *team_grid(N, C), t, z, losses, kept, N, C)
    return losses, (t, Kept((z, kept)), None)


@override(categorical_crossentropy_logits_backward, types=SINGLE_AND_DOUBLE, keeps=True)
def distribution_crossentropy_backward(weights: Array, t: Array, e: Any, total: Array, axis: int) -> Array:
    z, kept = e
    xp = get_xp(weights)
    (weights,) = contiguous(xp, weights)
    dz = xp.empty(z.shape, dtype=z.dtype)
    N, C = kept.shape[1], z.shape[-1]
    SOURCE.run("distribution_crossentropy_backward", z.dtype, *team_grid(N, C), weights, t, z, kept, dz, N, C)
    return dz


@override(binary_crossentropy_logits_forward, types=SINGLE_AND_DOUBLE)
def binary_crossentropy_forward_cuda(t: Array, z: Array, axis: int) -> tuple[Array, Any]:
    """-> losses (...), (t, (z,), None)."""
    if not _on_rows(t, z, axis):
        return binary_crossentropy_logits_forward.reference(t, z, axis)
    xp = get_xp(z)
    C = z.shape[-1]
    N = z.size // C
    t, z = contiguous(xp, t, z)
    losses = xp.empty(z.shape[:-1], dtype=z.dtype)
    SOURCE.run("binary_crossentropy_forward", z.dtype, *team_grid(N, C), t, z, losses, N, C)
    return losses, (t, Kept((z,)), None)


@override(binary_crossentropy_logits_backward, types=SINGLE_AND_DOUBLE, keeps=True)
def binary_crossentropy_backward_cuda(weights: Array, t: Array, z: Any, e: Array, axis: int) -> Array:
    (z,) = z
    xp = get_xp(weights)
    (weights,) = contiguous(xp, weights)
    dz = xp.empty(z.shape, dtype=z.dtype)
    C = z.shape[-1]
    SOURCE.run("binary_crossentropy_backward", z.dtype, *each_grid(z.size), weights, t, z, dz, z.size // C, C)
    return dz


def _on_rows(t: Array, z: Array, axis: int) -> bool:
    """Whether targets and logits are alike, and the classes on the last axis."""
    return axis in (-1, z.ndim - 1) and t.dtype == z.dtype and t.shape == z.shape and z.size > 0
