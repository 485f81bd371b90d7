"""Batch normalisation on CUDA. N rows, C channels.

Forward reads x twice (statistics, then y), backward dy and x twice (sums, then dx).
"""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.cuda import SINGLE_AND_DOUBLE, Kept, Source, column_grid, contiguous, override
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
    blocks, threads, chunk = column_grid(*x.shape)
    SOURCE.run("batch_norm_forward", x.dtype, blocks, threads, x, mean, inverse, gamma, beta, y, *x.shape, chunk)
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
    if x.shape[0] == 0:
        return batch_normalization_forward.reference(x, gamma, beta, epsilon, weights)
    xp = get_xp(x)
    x, weights = contiguous(xp, x, weights)
    N, C = x.shape
    blocks, threads, chunk = column_grid(N, C)
    of_chunks = xp.empty((blocks[1], 3, C), dtype=x.dtype)
    SOURCE.run("batch_norm_chunks", x.dtype, blocks, threads, x, *_weights(weights)[:2], of_chunks, N, C, chunk)
    mean, variance, inverse, total = (xp.empty(C, dtype=x.dtype) for _ in range(4))
    how = C, blocks[1], float(epsilon), _weights(weights)[2]
    SOURCE.run("batch_norm_statistics", x.dtype, blocks[:1], threads, of_chunks, mean, variance, inverse, total, *how)
    return _normalize(x, mean, inverse, gamma, beta), mean, variance, Kept((x, mean, inverse, weights, total))


def _weights(weights: Array) -> tuple[Array, int, float]:
    """Them, whether each channel has its own, and what is added to their sum."""
    return weights, int(weights is not None and weights.shape[1] > 1), 0.0 if weights is None else 1e-7


@override(batch_normalization_backward, keeps=True)
def batch_normalization_backward_cuda(dy: Array, gamma: Array, saved: Any) -> tuple[Array, Array, Array]:
    xp = get_xp(dy)
    x, mean, inverse, weights, total = saved
    dy, gamma = contiguous(xp, dy, gamma)
    dgamma, dbeta = _sums(dy, x, mean, inverse)
    dx = xp.empty(x.shape, dtype=x.dtype)
    weights, own, added = _weights(weights)
    how = (mean, inverse, gamma, dgamma, dbeta, weights, own, total, added)
    blocks, threads, chunk = column_grid(*x.shape)
    SOURCE.run("batch_norm_backward", x.dtype, blocks, threads, dy, x, *how, dx, *x.shape, chunk)
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
    how = (mean, inverse, gamma, None, None, None, 0, None, 0.0)
    blocks, threads, chunk = column_grid(*x.shape)
    SOURCE.run("batch_norm_backward", x.dtype, blocks, threads, dy, x, *how, dx, *x.shape, chunk)
    return dx, dgamma, dbeta
