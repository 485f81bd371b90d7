"""Samplers: in which order, and how often, a DataLoader takes the samples."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..random import Stream, random_stream


def _stream(use: str, seed: int | None) -> Stream:
    return random_stream(use) if seed is None else Stream(use, seed)


class WeightedSampler:
    """Draws each sample with a probability in proportion to its weight.

    Parameters
    ----------
    weights : array (n,)
        Not negative, not all 0.
    num_samples : int, optional
        How many are drawn in a pass; default: n.
    replacement : bool
        Whether a sample may be drawn several times in a pass.
    seed : int, optional
        Default: the stream 'data/weighted'.

    Examples
    --------
    >>> sampler = WeightedSampler([0, 1, 3], num_samples=8000, seed=0)
    >>> np.bincount(list(sampler), minlength=3) // 1000
    array([0, 1, 6])
    """

    def __init__(self, weights: Any, num_samples: int | None = None, replacement: bool = True, seed: int | None = None) -> None:
        weights = np.asarray(weights, dtype=np.float64)
        if weights.ndim != 1 or not np.isfinite(weights).all() or (weights < 0).any() or not weights.sum() > 0:
            raise ValueError("weights are one number for each sample: finite, not negative, and not all 0")
        self.probabilities = weights / weights.sum()
        self.num_samples = len(weights) if num_samples is None else num_samples
        drawable = int((weights > 0).sum())
        if not replacement and self.num_samples > drawable:
            raise ValueError(f"{self.num_samples} samples can't be drawn without replacement from {drawable} of positive weight")
        self.replacement = replacement
        self._stream = _stream("data/weighted", seed)

    def __len__(self) -> int:
        return self.num_samples

    def __iter__(self) -> Iterator[int]:
        drawn = self._stream.generator.choice(len(self.probabilities), self.num_samples, self.replacement, self.probabilities)
        return iter(drawn.tolist())


class BalancedSampler(WeightedSampler):
    """Draws every class equally often, however many samples it has.

    Parameters
    ----------
    labels : array (n,)
    num_samples : int, optional
    seed : int, optional

    Examples
    --------
    >>> labels = np.array([0] * 900 + [1] * 100)
    >>> drawn = labels[list(BalancedSampler(labels, num_samples=10000, seed=0))]
    >>> abs(drawn.mean() - 0.5) < 0.02
    np.True_
    """

    def __init__(self, labels: Any, num_samples: int | None = None, seed: int | None = None) -> None:
        _, ids, counts = np.unique(np.asarray(labels).ravel(), return_inverse=True, return_counts=True)
        super().__init__(1.0 / counts[ids], num_samples, seed=seed)


class StratifiedBatchSampler:
    """Batches with the same share of every class as the whole, up to rounding; every sample once.

    Parameters
    ----------
    labels : array (n,)
    batch_size : int
    drop_last : bool
    seed : int, optional
        Default: the stream 'data/stratified'.

    Examples
    --------
    >>> labels = np.array([0] * 9 + [1] * 3)
    >>> [labels[batch].sum().item() for batch in StratifiedBatchSampler(labels, 4, seed=0)]
    [1, 1, 1]
    """

    def __init__(self, labels: Any, batch_size: int, drop_last: bool = False, seed: int | None = None) -> None:
        _, self.ids, self.counts = np.unique(np.asarray(labels).ravel(), return_inverse=True, return_counts=True)
        self.batch_size, self.drop_last = batch_size, drop_last
        self._stream = _stream("data/stratified", seed)

    def __len__(self) -> int:
        return len(self.ids) // self.batch_size if self.drop_last else math.ceil(len(self.ids) / self.batch_size)

    def __iter__(self) -> Iterator[np.ndarray]:
        order = self._stream.generator.permutation(len(self.ids))
        shuffled = self.ids[order]
        by_class = np.argsort(shuffled, kind="stable")
        rank = np.empty(len(order))  # of each sample among those of its class
        rank[by_class] = np.arange(len(order)) - np.repeat(np.cumsum(self.counts) - self.counts, self.counts)
        # The k-th of m samples of a class stands at (k + 1/2) / m of the pass, so each batch gets its share.
        order = order[np.argsort((rank + 0.5) / self.counts[shuffled], kind="stable")]
        for i in range(len(self)):
            yield order[i * self.batch_size : (i + 1) * self.batch_size]


class BucketSampler:
    """Batches of samples that are about equally long, so that little is padded; every sample once.

    Parameters
    ----------
    lengths : array (n,)
        The length of each sample.
    batch_size : int
    shuffle : bool
        Samples are drawn at random into pools, sorted by length within a pool, and the batches shuffled. Without it:
        all sorted by length.
    pool : int
        How many batches a pool holds: more pad less and shuffle less.
    drop_last : bool
    seed : int, optional
        Default: the stream 'data/buckets'.

    Examples
    --------
    >>> lengths = [9, 1, 8, 2]
    >>> [batch.tolist() for batch in BucketSampler(lengths, 2, shuffle=False)]
    [[1, 3], [2, 0]]
    """

    def __init__(
        self, lengths: Any, batch_size: int, shuffle: bool = True, pool: int = 50, drop_last: bool = False, seed: int | None = None
    ) -> None:
        self.lengths = np.asarray(lengths)
        self.batch_size, self.shuffle, self.pool, self.drop_last = batch_size, shuffle, pool, drop_last
        self._stream = _stream("data/buckets", seed)

    def __len__(self) -> int:
        return len(self.lengths) // self.batch_size if self.drop_last else math.ceil(len(self.lengths) / self.batch_size)

    def __iter__(self) -> Iterator[np.ndarray]:
        n, size = len(self.lengths), self.batch_size
        order = self._stream.generator.permutation(n) if self.shuffle else np.arange(n)
        pool = size * self.pool if self.shuffle else max(n, 1)
        batches = []
        for start in range(0, n, pool):
            rows = order[start : start + pool]
            rows = rows[np.argsort(self.lengths[rows], kind="stable")]
            batches += [rows[i : i + size] for i in range(0, len(rows), size)]
        batches = batches[: len(self)]
        turns = self._stream.generator.permutation(len(batches)) if self.shuffle else range(len(batches))
        for i in turns:
            yield batches[i]
