"""Batch normalisation on NumPy: blocks of rows that stay in the cache, spread over the pool of threads.

With few channels NumPy's loop over a row is short and its start costs more than its work, so m rows make a long one, and
each vector of channels is repeated to its length. N rows, C channels.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ls_core.types import Array

from ..batch_normalization import batch_normalization_backward, batch_normalization_forward
from .blocks import LEAST, in_blocks, sum_in_blocks


def blocks_pay(x: Array, weights: Array | None) -> bool:
    """Whether the rows are many, count all, and are real."""
    return weights is None and x.size >= LEAST and x.dtype in (np.float32, np.float64)


def _together(N: int, C: int) -> int:
    """m, a divisor of N."""
    return math.gcd(N, max(1, 512 // C))


def _sums(long: Array, m: int) -> Any:
    """The sums over all rows (m C,) -> (C,)."""
    return long.reshape(m, -1).sum(axis=0)


def _total(rows: Array) -> Array:
    """The sum over the rows; a product with ones is quicker than ``sum``."""
    return np.ones(len(rows), dtype=rows.dtype) @ rows


@batch_normalization_forward.override("numpy")
def batch_normalization_forward_blocks(
    x: Array, gamma: Array, beta: Array, epsilon: float, weights: Array
) -> tuple[Array, Array, Array, tuple[Array, Array, Array, Array]]:
    if not blocks_pay(x, weights):
        return batch_normalization_forward.reference(x, gamma, beta, epsilon, weights)
    N, C = x.shape
    m, share = _together(N, C), 1.0 / N
    given = np.ascontiguousarray(x).reshape(-1, m * C)
    xhat, y = np.empty_like(given), np.empty_like(given)
    how = len(given), given[0].nbytes
    mean = _sums(sum_in_blocks(lambda i, j: [_total(given[i:j])], *how)[0], m) * share  # (C,)
    centre = np.tile(mean, m)

    def spread(i: int, j: int) -> list[Array | None]:
        h = np.subtract(given[i:j], centre, out=xhat[i:j])
        return [np.einsum("ij,ij->j", h, h)]

    variance = _sums(sum_in_blocks(spread, *how)[0], m) * share  # (C,)
    inverse = 1 / np.sqrt(variance + epsilon)  # (C,)
    width, factor, shift = np.tile(inverse, m), None if gamma is None else np.tile(gamma, m), None if beta is None else np.tile(beta, m)

    def scale(i: int, j: int) -> None:
        h = xhat[i:j]
        h *= width
        made = h if factor is None else np.multiply(h, factor, out=y[i:j])
        if shift is not None:
            np.add(made, shift, out=y[i:j])
        elif factor is None:
            y[i:j] = h

    in_blocks(scale, *how)
    return y.reshape(N, C), mean, variance, (xhat.reshape(N, C), inverse, share, weights)


@batch_normalization_backward.override("numpy")
def batch_normalization_backward_blocks(dy: Array, gamma: Array, saved: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array]:
    xhat, inverse, share, weights = saved
    if not blocks_pay(dy, weights):
        return batch_normalization_backward.reference(dy, gamma, saved)
    N, C = dy.shape
    m = _together(N, C)
    given, kept = np.ascontiguousarray(dy).reshape(-1, m * C), np.ascontiguousarray(xhat).reshape(-1, m * C)
    dx = np.empty_like(given)
    how = len(given), 2 * given[0].nbytes

    def sums(i: int, j: int) -> list[Array | None]:
        return [_total(given[i:j]), np.einsum("ij,ij->j", given[i:j], kept[i:j])]

    dbeta, dgamma = (_sums(long, m) for long in sum_in_blocks(sums, *how))  # (C,), (C,)
    # dx = (dy gamma - (xhat dgamma gamma + dbeta gamma) share) inverse
    factor = inverse if gamma is None else inverse * gamma  # (C,)
    by_dy, by_xhat, shift = (np.tile(v, m) for v in (factor, factor * dgamma * share, factor * dbeta * share))

    def pull(i: int, j: int) -> None:
        rest = kept[i:j] * by_xhat
        rest += shift
        np.multiply(given[i:j], by_dy, out=dx[i:j])
        dx[i:j] -= rest

    in_blocks(pull, *how)
    return dx.reshape(N, C), dgamma, dbeta
