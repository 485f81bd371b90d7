"""Batch normalisation on CUDA. N rows, C channels.

Forward reads x twice (statistics, then y), backward dy and x twice (sums, then dx). Masked rows go to the reference.
"""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.cuda import SINGLE_AND_DOUBLE, Kept, Source, column_grid, contiguous, each_grid, override
from ls_core.types import Array

from ...batch_normalization import (
    batch_normalization_backward,
    batch_normalization_forward,
    batch_normalization_inference_backward,
    batch_normalization_inference_forward,
)

SOURCE = Source(__file__, "batch_normalization.cu")


def _normalize(x: Array, mean: Array, inverse: Array, gamma: Array, beta: Array) -> Array:
    xp = get_xp(x)
    y = xp.empty(x.shape, dtype=x.dtype)
    gamma, beta = contiguous(xp, gamma, beta)
    SOURCE.run("batch_norm_forward", x.dtype, *each_grid(x.size), x, mean, inverse, gamma, beta, y, *x.shape)
    return y


def _sums(dy: Array, x: Array, mean: Array, inverse: Array) -> tuple[Array, Array]:
    """dgamma (C,), dbeta (C,)."""
    N, C = x.shape
    blocks, threads, chunk = column_grid(N, C)
    sums = get_xp(x).empty((blocks[1], 2, C), dtype=x.dtype)
    SOURCE.run("batch_norm_sums", x.dtype, blocks, threads, dy, x, mean, inverse, sums, N, C, chunk)
    dgamma, dbeta = sums.sum(axis=0)
    return dgamma, dbeta


@override(batch_normalization_forward, types=SINGLE_AND_DOUBLE)
def batch_normalization_forward_cuda(
    x: Array, gamma: Array, beta: Array, epsilon: float, weights: Array
) -> tuple[Array, Array, Array, Any]:
    if weights is not None or x.shape[0] == 0:
        return batch_normalization_forward.reference(x, gamma, beta, epsilon, weights)
    xp = get_xp(x)
    (x,) = contiguous(xp, x)
    N, C = x.shape
    blocks, threads, chunk = column_grid(N, C)
    of_chunks = xp.empty((blocks[1], 2, C), dtype=x.dtype)
    SOURCE.run("batch_norm_chunks", x.dtype, blocks, threads, x, of_chunks, N, C, chunk)
    mean, variance, inverse = (xp.empty(C, dtype=x.dtype) for _ in range(3))
    SOURCE.run("batch_norm_statistics", x.dtype, blocks[:1], threads, of_chunks, mean, variance, inverse, N, C, chunk, float(epsilon))
    return _normalize(x, mean, inverse, gamma, beta), mean, variance, Kept((x, mean, inverse))


@override(batch_normalization_backward, keeps=True)
def batch_normalization_backward_cuda(dy: Array, gamma: Array, saved: Any) -> tuple[Array, Array, Array]:
    xp = get_xp(dy)
    x, mean, inverse = saved
    dy, gamma = contiguous(xp, dy, gamma)
    dgamma, dbeta = _sums(dy, x, mean, inverse)
    dx = xp.empty(x.shape, dtype=x.dtype)
    SOURCE.run("batch_norm_backward", x.dtype, *each_grid(x.size), dy, x, mean, inverse, gamma, dgamma, dbeta, dx, *x.shape)
    return dx, dgamma, dbeta


@override(batch_normalization_inference_forward, types=SINGLE_AND_DOUBLE)
def batch_normalization_inference_forward_cuda(
    x: Array, mean: Array, variance: Array, gamma: Array, beta: Array, epsilon: float
) -> tuple[Array, Any]:
    xp = get_xp(x)
    x, mean = contiguous(xp, x, mean)
    inverse = 1 / xp.sqrt(variance + epsilon)  # (C,)
    return _normalize(x, mean, inverse, gamma, beta), Kept((x, mean, inverse))


@override(batch_normalization_inference_backward, keeps=True)
def batch_normalization_inference_backward_cuda(dy: Array, gamma: Array, saved: Any) -> tuple[Array, Array, Array]:
    xp = get_xp(dy)
    x, mean, inverse = saved
    dy, gamma = contiguous(xp, dy, gamma)
    dgamma, dbeta = _sums(dy, x, mean, inverse)
    dx = xp.empty(x.shape, dtype=x.dtype)
    SOURCE.run("batch_norm_backward", x.dtype, *each_grid(x.size), dy, x, mean, inverse, gamma, None, None, dx, *x.shape)
    return dx, dgamma, dbeta
