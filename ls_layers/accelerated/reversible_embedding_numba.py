"""A tied output layer, compiled: products of register tiles where they are faster than BLAS.

B every axis before the last, V rows of the table, D columns.
"""

from __future__ import annotations

import numpy as np

from ls_core.threads import run_blocks, split
from ls_core.types import Array

from ..reversible_embedding import project_backward, project_forward
from .blocks import plain
from .dense_numba import SHARE, fits
from .dense_numpy import project_backward_threads


@project_forward.override("numba")
def project_forward_compiled(x: Array, W: Array, soft_cap: float | None) -> tuple[Array, Array | None]:
    if not fits(x, W.T):
        return project_forward.reference(x, W, soft_cap)
    from .products import product

    x2, table, (V, D) = plain(x.reshape(-1, W.shape[1])), plain(W), W.shape  # (B, D), (V, D)
    B = len(x2)
    z = np.empty((B, V), x.dtype)
    # 1. z = x @ W^T: each thread some columns
    run_blocks(lambda left, right: product(z, x2, False, table, True, 0, B, left, right, 0, D, False), split(V, SHARE // (B * D)))
    t = None
    if soft_cap is not None:
        z *= 1.0 / soft_cap
        t = np.tanh(z)  # (B, V)
        z = t * soft_cap
    return z.reshape(*x.shape[:-1], V), t


@project_backward.override("numba")
def project_backward_compiled(dz: Array, x: Array, W: Array, t: Array | None) -> tuple[Array, Array]:
    if not fits(x, W.T, None, dz):
        return project_backward_threads(dz, x, W, t)
    from .products import product

    x2, table, (V, D) = plain(x.reshape(-1, W.shape[1])), plain(W), W.shape  # (B, D), (V, D)
    B = len(x2)
    dz2 = plain(dz.reshape(B, V))
    if t is not None:
        # 2. z = soft_cap tanh(z / soft_cap)
        dz2 = dz2 * (1 - t * t)
    dx, dW = np.empty((B, D), x.dtype), np.empty((V, D), x.dtype)
    # 1. z = x @ W^T: each thread some rows of both
    run_blocks(lambda top, bottom: product(dx, dz2, False, table, False, top, bottom, 0, D, 0, V, False), split(B, SHARE // (V * D)))
    run_blocks(lambda top, bottom: product(dW, dz2, True, x2, False, top, bottom, 0, D, 0, B, False), split(V, SHARE // (B * D)))
    return dx.reshape(x.shape), dW


__all__ = ["project_backward_compiled", "project_forward_compiled"]
