"""Datasets: samples by number (Dataset, ArrayDataset) or one after the other (IterableDataset)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from ..random import Stream, random_stream
from .arrays import as_arrays, count_rows, take_rows
from .collate import stack


class Dataset:
    """Samples that can be asked for by number: write ``__len__`` and ``__getitem__``.

    A sample is what one row of a batch is: an array, or a tuple (x, y) or (x, y, sample_weight) of trees.

    >>> class Squares(Dataset):
    ...     def __len__(self): return 4
    ...     def __getitem__(self, i): return np.float32(i), np.float32(i * i)
    >>> len(Squares()), float(Squares()[3][1])
    (4, 9.0)
    """

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} has no __len__")

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no __getitem__")

    def take(self, indices: np.ndarray) -> Any:
        """The batch of these samples; a dataset that can fetch many at once overrides it."""
        return stack([self[int(i)] for i in indices])

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))


class ArrayDataset(Dataset):
    """Rows of arrays: ``(x,)``, ``(x, y)`` or ``(x, y, sample_weight)``.

    Parameters
    ----------
    x : array, list, pandas Series or DataFrame; or a list or dict of them for several inputs
    y, sample_weight : likewise, optional

    Raises
    ------
    ValueError
        The numbers of rows differ.

    Examples
    --------
    >>> data = ArrayDataset({'title': ['a', 'b'], 'price': [1.0, 2.0]}, [0, 1])
    >>> len(data), data[1]
    (2, ({'title': 'b', 'price': np.float64(2.0)}, np.int64(1)))
    """

    def __init__(self, x: Any, y: Any = None, sample_weight: Any = None) -> None:
        if y is None and sample_weight is not None:
            raise ValueError("sample_weight weighs the loss of y; there is no y")
        named = {"x": x, "y": y, "sample_weight": sample_weight}
        trees = {name: as_arrays(data, name) for name, data in named.items() if data is not None}
        self.rows = count_rows(**trees)
        self.arrays = tuple(trees.values())

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, index: Any) -> Any:
        return take_rows(self.arrays, index)

    def take(self, indices: np.ndarray) -> Any:
        return take_rows(self.arrays, indices)


class IterableDataset:
    """Samples that come one after the other: from a generator, a stream, a file larger than memory.

    Parameters
    ----------
    make : callable or iterable
        A function that starts the samples anew for each pass (a generator function), or something that can be
        iterated; an iterator can be passed once only, and a second pass is an error.
    length : int, optional
        How many samples there are, where it is known.
    shuffle_buffer : int
        Samples held back to be given out in random order; 0 keeps the order. The buffer should hold samples of every
        class: a small one can't mix a sorted file.

    Examples
    --------
    >>> data = IterableDataset(lambda: ((i, 2 * i) for i in range(3)))
    >>> list(data), list(data)[-1]
    ([(0, 0), (1, 2), (2, 4)], (2, 4))
    """

    def __init__(self, make: Callable[[], Iterable[Any]] | Iterable[Any], length: int | None = None, shuffle_buffer: int = 0) -> None:
        self.make = make
        self.length = length
        self.shuffle_buffer = shuffle_buffer
        self._spent = False

    def samples(self) -> Iterator[Any]:
        """The samples in their own order."""
        if callable(self.make):
            return iter(self.make())
        if iter(self.make) is self.make:
            if self._spent:
                raise RuntimeError(
                    "this dataset stands on an iterator, which has been used up by the first pass; "
                    "give the function that makes it (IterableDataset(make_samples)), so that each epoch starts anew"
                )
            self._spent = True
        return iter(self.make)

    def __iter__(self) -> Iterator[Any]:
        return shuffled(self.samples(), self.shuffle_buffer) if self.shuffle_buffer else self.samples()


def shuffled(samples: Iterable[Any], buffer: int, seed: int | None = None) -> Iterator[Any]:
    """The samples in random order, as far as a buffer of ``buffer`` of them allows.

    >>> sorted(shuffled(range(10), 4)) == list(range(10))
    True
    """
    draw = (random_stream("data/shuffle_buffer") if seed is None else Stream("data/shuffle_buffer", seed)).generator
    held: list[Any] = []
    for sample in samples:
        if len(held) < buffer:
            held.append(sample)
            continue
        place = int(draw.integers(buffer))
        yield held[place]
        held[place] = sample
    for place in draw.permutation(len(held)).tolist():
        yield held[place]
