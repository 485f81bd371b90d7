"""Batch normalisation, compiled: two passes over the rows forward, two backward.

N rows, C channels.
"""

from __future__ import annotations

import numpy as np

from ls_core.threads import run_blocks, split
from ls_core.types import Array

from ..batch_normalization import batch_normalization_backward, batch_normalization_forward
from .batch_normalization_numpy import batch_normalization_backward_blocks, batch_normalization_forward_blocks, blocks_pay
from .blocks import LEAST, plain


@batch_normalization_forward.override("numba")
def batch_normalization_forward_compiled(
    x: Array, gamma: Array, beta: Array, epsilon: float, weights: Array
) -> tuple[Array, Array, Array, tuple[Array, Array, Array, Array, Array]]:
    if not blocks_pay(x, weights):
        return batch_normalization_forward_blocks(x, gamma, beta, epsilon, weights)
    from .batch_normalization_compiled import moments, scale

    N, C = x.shape
    x = plain(x)
    blocks = split(N, LEAST // C)
    means, spreads = np.empty((len(blocks), C)), np.empty((len(blocks), C))
    place = {begin: i for i, (begin, _) in enumerate(blocks)}
    run_blocks(lambda begin, end: moments(x, begin, end, means[place[begin]], spreads[place[begin]]), blocks)
    counts = np.array([[end - begin] for begin, end in blocks])
    exact = (means * counts).sum(axis=0) / N
    mean = exact.astype(x.dtype)  # (C,)
    variance = ((spreads + counts * (means - exact) ** 2).sum(axis=0) / N).astype(x.dtype)  # (C,)
    inverse = 1 / np.sqrt(variance + epsilon)  # (C,)
    factor, shift = np.ones(C, x.dtype) if gamma is None else plain(gamma), np.zeros(C, x.dtype) if beta is None else plain(beta)
    y = np.empty_like(x)
    run_blocks(lambda begin, end: scale(x, mean, inverse * factor, shift, y, begin, end), blocks)
    return y, mean, variance, (x, mean, inverse, 1.0 / N, weights)


@batch_normalization_backward.override("numba")
def batch_normalization_backward_compiled(
    dy: Array, gamma: Array, saved: tuple[Array, Array, Array, Array, Array]
) -> tuple[Array, Array, Array]:
    x, mean, inverse, share, weights = saved
    if not blocks_pay(dy, weights):
        return batch_normalization_backward_blocks(dy, gamma, saved)
    from .batch_normalization_compiled import pull, sums

    N, C = dy.shape
    dy, x = plain(dy), plain(x)
    blocks = split(N, LEAST // C)
    parts = {begin: np.empty((2, C)) for begin, _ in blocks}
    run_blocks(lambda begin, end: sums(dy, x, mean, begin, end, *parts[begin]), blocks)
    dbeta, dgamma = np.sum([parts[begin] for begin, _ in blocks], axis=0).astype(dy.dtype)  # (C,), (C,)
    dgamma *= inverse
    # dx = (dy gamma - (xhat dgamma gamma + dbeta gamma) share) inverse, xhat = (x - mean) inverse
    factor = inverse if gamma is None else inverse * gamma  # (C,)
    along, common = factor * dgamma * share * inverse, factor * dbeta * share  # (C,), (C,)
    dx = np.empty_like(dy)
    run_blocks(lambda begin, end: pull(dy, x, mean, factor, along, common, dx, begin, end), blocks)
    return dx, dgamma, dbeta
