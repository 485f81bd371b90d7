"""Dense and the tied output layer on NumPy: their products by the pool of threads.

B every axis before the last, I inputs, O outputs; V rows of the table, D columns.
"""

from __future__ import annotations

import numpy as np

from ls_core.products import multiply, multiply_all
from ls_core.types import Array

from ..dense import dense_backward, dense_forward
from ..reversible_embedding import project_backward, project_forward


@dense_forward.override("numpy")
def dense_forward_threads(x: Array, W: Array, b: Array | None) -> tuple[Array, Array]:
    z = multiply(x.reshape(-1, W.shape[0]), W)  # (B, O)
    if b is not None:
        z += b
    return z.reshape(*x.shape[:-1], W.shape[1]), x


@dense_backward.override("numpy")
def dense_backward_threads(dz: Array, x: Array, W: Array, has_bias: bool, input_gradient: bool) -> tuple[Array | None, Array, Array | None]:
    dz2 = dz.reshape(-1, W.shape[1])  # (B, O)
    # 2. z += b
    db = dz2.sum(axis=0) if has_bias else None  # (O,)
    # 1. z = x @ W
    x2 = x.reshape(-1, W.shape[0])
    if not input_gradient:
        return None, multiply(x2.T, dz2), db
    dW, dx = multiply_all((x2.T, dz2), (dz2, W.T))  # (I, O), (B, I)
    return dx.reshape(x.shape), dW, db


@project_forward.override("numpy")
def project_forward_threads(x: Array, W: Array, soft_cap: float | None) -> tuple[Array, Array | None]:
    z = multiply(x.reshape(-1, W.shape[1]), W.T)  # (B, V)
    t = None
    if soft_cap is not None:
        z *= 1.0 / soft_cap
        t = np.tanh(z)  # (B, V)
        z = t * soft_cap
    return z.reshape(*x.shape[:-1], W.shape[0]), t


@project_backward.override("numpy")
def project_backward_threads(dz: Array, x: Array, W: Array, t: Array | None) -> tuple[Array, Array]:
    dz2 = dz.reshape(-1, W.shape[0])  # (B, V)
    if t is not None:
        # 2. z = soft_cap tanh(z / soft_cap)
        dz2 = dz2 * (1 - t * t)
    # 1. z = x @ W^T
    dW, dx = multiply_all((dz2.T, x.reshape(-1, W.shape[1])), (dz2, W))  # (V, D), (B, D)
    return dx.reshape(x.shape), dW


__all__ = ["dense_backward_threads", "dense_forward_threads", "project_backward_threads", "project_forward_threads"]
