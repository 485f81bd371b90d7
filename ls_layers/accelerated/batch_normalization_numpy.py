"""Batch normalisation on NumPy: few passes over blocks of rows, spread over the pool of threads.

With few channels NumPy's loop over a row is short and its start costs more than its work, so m rows make a long one, and
each vector of channels is repeated to its length. N rows, C channels, K blocks.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ls_core.threads import run_blocks, split
from ls_core.types import Array

from ..batch_normalization import batch_normalization_backward, batch_normalization_forward
from .blocks import LARGE, LEAST

LONG = 8192  # numbers that a long row has about: with half as many the starts of NumPy's loops show


def blocks_pay(x: Array, weights: Array | None) -> bool:
    """Whether the rows are many, count all, and are real."""
    return weights is None and x.size >= LEAST and x.dtype in (np.float32, np.float64)


def _long_rows(C: int, *arrays: Array) -> tuple[int, list[Array]]:
    """m, a divisor of N, and the arrays (N, C) as (N / m, m C)."""
    m = math.gcd(len(arrays[0]), max(1, LONG // C))
    return m, [np.ascontiguousarray(x).reshape(-1, m * C) for x in arrays]


def _blocks(long: Array) -> list[tuple[int, int]]:
    """Rows from and to of each block, as many blocks for each thread."""
    threads = len(split(len(long)))
    count = min(len(long), threads * math.ceil(long.nbytes / (threads * LARGE)))
    return [(len(long) * k // count, len(long) * (k + 1) // count) for k in range(count)]


def _scratch(blocks: list[tuple[int, int]], long: Array) -> tuple[Array, Array]:
    """Room for a thread's products of a block, and the ones that add up its rows."""
    most = max(j - i for i, j in blocks)
    return np.empty((most, long.shape[1]), dtype=long.dtype), np.ones(most, dtype=long.dtype)


def _folded(sums: Array, C: int) -> Any:
    """What the blocks' long rows (K, m C) hold for each channel: (C,)."""
    return sums.reshape(-1, C).sum(axis=0)


@batch_normalization_forward.override("numpy")
def batch_normalization_forward_blocks(
    x: Array, gamma: Array, beta: Array, epsilon: float, weights: Array
) -> tuple[Array, Array, Array, tuple[Array, Array, Array, Array, Array]]:
    if not blocks_pay(x, weights):
        return batch_normalization_forward.reference(x, gamma, beta, epsilon, weights)
    N, C = x.shape
    share = 1.0 / N
    m, (given,) = _long_rows(C, x)
    blocks, y = _blocks(given), np.empty_like(given)
    centres, spreads = np.empty((2, len(blocks), m * C), dtype=x.dtype)

    def spread(first: int, last: int) -> None:
        """Each place of a block's long rows has a mean of its own, and squares of the distance to it; y keeps the distances."""
        squares, ones = _scratch(blocks, given)
        for k in range(first, last):
            i, j = blocks[k]
            np.matmul(ones[: j - i] / (j - i), given[i:j], out=centres[k])  # quicker than ``mean``
            distance = np.subtract(given[i:j], centres[k], out=y[i:j])
            np.multiply(distance, distance, out=squares[: j - i])
            np.matmul(ones[: j - i], squares[: j - i], out=spreads[k])  # quicker than ``einsum``

    run_blocks(spread, split(len(blocks)))
    # The mean of all and the squares of the distance to it, from those of the parts (Chan, Golub and LeVeque 1979)
    counts = np.array([[j - i] for i, j in blocks], dtype=x.dtype)  # (K, 1)
    mean = _folded(centres * counts, C) * share  # (C,)
    centres -= np.tile(mean, m)
    variance = _folded(spreads + centres * centres * counts, C) * share  # (C,)
    inverse = 1 / np.sqrt(variance + epsilon)  # (C,)
    factor = np.tile(inverse if gamma is None else inverse * gamma, m)
    centres *= factor
    if beta is not None:
        centres += np.tile(beta, m)

    def scale(first: int, last: int) -> None:
        for k in range(first, last):
            i, j = blocks[k]
            y[i:j] *= factor
            y[i:j] += centres[k]

    run_blocks(scale, split(len(blocks)))
    return y.reshape(N, C), mean, variance, (x, mean, inverse, share, weights)


@batch_normalization_backward.override("numpy")
def batch_normalization_backward_blocks(
    dy: Array, gamma: Array, saved: tuple[Array, Array, Array, Array, Array]
) -> tuple[Array, Array, Array]:
    x, mean, inverse, share, weights = saved
    if not blocks_pay(dy, weights) or dy.dtype != x.dtype:
        return batch_normalization_backward.reference(dy, gamma, saved)
    N, C = dy.shape
    m, (given, read) = _long_rows(C, dy, x)
    blocks, dx = _blocks(given), np.empty_like(given)
    totals, alongs = np.empty((2, len(blocks), m * C), dtype=dy.dtype)
    centre = np.tile(mean, m)

    def sums(first: int, last: int) -> None:
        products, ones = _scratch(blocks, given)
        for k in range(first, last):
            i, j = blocks[k]
            np.matmul(ones[: j - i], given[i:j], out=totals[k])
            distance = np.subtract(read[i:j], centre, out=dx[i:j])
            np.multiply(given[i:j], distance, out=products[: j - i])
            np.matmul(ones[: j - i], products[: j - i], out=alongs[k])

    run_blocks(sums, split(len(blocks)))
    dbeta, dgamma = _folded(totals, C), _folded(alongs, C) * inverse  # (C,), (C,)
    # dx = (dy - (xhat dgamma + dbeta) share) gamma inverse, xhat = (x - mean) inverse
    along, common = np.tile(dgamma * inverse * share, m), np.tile(dbeta * share, m)
    factor = np.tile(inverse if gamma is None else inverse * gamma, m)

    def pull(first: int, last: int) -> None:
        for k in range(first, last):
            i, j = blocks[k]
            rest = dx[i:j]
            rest *= along
            rest += common
            np.subtract(given[i:j], rest, out=rest)
            rest *= factor

    run_blocks(pull, split(len(blocks)))
    return dx.reshape(N, C), dgamma, dbeta
