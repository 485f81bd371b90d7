"""Both gradients of Dense and of the tied output layer on NumPy, in one go of the pool of threads.

B every axis before the last, I inputs, O outputs; V rows of the table, D columns.
"""

from __future__ import annotations

from ls_core.products import multiply_all
from ls_core.types import Array

from ..dense import dense_backward
from ..reversible_embedding import project_backward


@dense_backward.override("numpy")
def dense_backward_threads(dz: Array, x: Array, W: Array, has_bias: bool, input_gradient: bool) -> tuple[Array | None, Array, Array | None]:
    if not input_gradient:
        return dense_backward.reference(dz, x, W, has_bias, input_gradient)
    dz2 = dz.reshape(-1, W.shape[1])  # (B, O)
    # 2. z += b
    db = dz2.sum(axis=0) if has_bias else None  # (O,)
    # 1. z = matmul(x, W)
    dW, dx = multiply_all((x.reshape(-1, W.shape[0]).T, dz2), (dz2, W.T))  # (I, O), (B, I)
    return dx.reshape(x.shape), dW, db


@project_backward.override("numpy")
def project_backward_threads(dz: Array, x: Array, W: Array, t: Array | None) -> tuple[Array, Array]:
    dz2 = dz.reshape(-1, W.shape[0])  # (B, V)
    if t is not None:
        # 2. z = soft_cap tanh(z / soft_cap)
        dz2 = dz2 * (1 - t * t)
    # 1. z = matmul(x, W.T)
    dW, dx = multiply_all((dz2.T, x.reshape(-1, W.shape[1])), (dz2, W))  # (V, D), (B, D)
    return dx.reshape(x.shape), dW


__all__ = ["dense_backward_threads", "project_backward_threads"]
