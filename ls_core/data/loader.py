"""DataLoader: batches from a dataset, in order or shuffled, collated by a function."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ..random import Stream, random_stream
from .collate import stack
from .dataset import Dataset, IterableDataset
from .prefetch import prefetch


class DataLoader:
    """Batches of a dataset, anew for each pass.

    Parameters
    ----------
    dataset : Dataset, IterableDataset, sequence of samples
        Anything with ``__len__`` and ``__getitem__`` will do.
    batch_size : int
        Default 32.
    shuffle : bool
        A new order each pass. An IterableDataset shuffles by its own ``shuffle_buffer``.
    drop_last : bool
        Leave out a last batch that is smaller.
    sampler : iterable of int, optional
        The order of the samples, in place of ``shuffle``.
    batch_sampler : iterable of lists of int, optional
        Whole batches, in place of batch_size, shuffle, drop_last and sampler.
    collate : callable, optional
        From a list of samples to a batch; default: stack them. See ``pad_collate``.
    prefetch : int
        How many batches a thread makes ahead; 0 has no thread.
    seed : int, optional
        Default: the stream 'data/shuffle', which ``set_seed`` starts anew.

    Examples
    --------
    >>> from ls_core.data import ArrayDataset
    >>> loader = DataLoader(ArrayDataset(np.arange(5), np.arange(5) % 2), batch_size=2)
    >>> len(loader), [x.tolist() for x, y in loader]
    (3, [[0, 1], [2, 3], [4]])
    """

    def __init__(
        self,
        dataset: Dataset | IterableDataset | Sequence[Any],
        batch_size: int = 32,
        shuffle: bool = False,
        drop_last: bool = False,
        sampler: Iterable[int] | None = None,
        batch_sampler: Iterable[Sequence[int]] | None = None,
        collate: Callable[[list[Any]], Any] | None = None,
        prefetch: int = 0,
        seed: int | None = None,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size is a positive integer, not {batch_size!r}")
        if sampler is not None and shuffle:
            raise ValueError("a sampler decides the order itself; leave out shuffle")
        if batch_sampler is not None and (shuffle or drop_last or sampler is not None):
            raise ValueError("a batch_sampler decides the batches itself; leave out shuffle, drop_last and sampler")
        streaming = isinstance(dataset, IterableDataset)
        if streaming and (shuffle or sampler is not None or batch_sampler is not None):
            raise ValueError("samples that come one after the other can't be picked by number; use the dataset's shuffle_buffer")
        self.dataset: Any = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.collate = collate
        self.prefetch = prefetch
        self._stream = None if seed is None else Stream("data/shuffle", seed)

    def __len__(self) -> int:
        """How many batches a pass has.

        Raises
        ------
        TypeError
            The dataset streams and was not told its length.
        """
        if self.batch_sampler is not None:
            return len(self.batch_sampler)  # type: ignore[arg-type]
        if isinstance(self.dataset, IterableDataset):
            if self.dataset.length is None:
                raise TypeError("this dataset streams and its length is not known; give IterableDataset(..., length=) or steps_per_epoch")
            samples = self.dataset.length
        else:
            samples = len(self.sampler) if self.sampler is not None else len(self.dataset)  # type: ignore[arg-type]
        return samples // self.batch_size if self.drop_last else math.ceil(samples / self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        return prefetch(self._batches(), self.prefetch) if self.prefetch else self._batches()

    def _streams(self) -> list[Stream]:
        """What draws the order of the next pass: the loader's own stream, its samplers' streams."""
        found = (self._stream, getattr(self.sampler, "_stream", None), getattr(self.batch_sampler, "_stream", None))
        return [each for each in found if each is not None]

    def get_state(self) -> dict[str, Any]:
        """What a resumed run needs to make the next pass's order again."""
        return {"generators": [each.generator.bit_generator.state for each in self._streams()]}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take up what ``get_state`` gave."""
        for stream, inner in zip(self._streams(), state["generators"], strict=True):
            stream.generator.bit_generator.state = inner

    def _batches(self) -> Iterator[Any]:
        if isinstance(self.dataset, IterableDataset):
            samples = iter(self.dataset)
            while batch := list(itertools.islice(samples, self.batch_size)):
                if len(batch) == self.batch_size or not self.drop_last:
                    yield (self.collate or stack)(batch)
            return
        for indices in self._index_batches():
            if self.collate is None and isinstance(self.dataset, Dataset):
                yield self.dataset.take(np.asarray(indices))
            else:
                yield (self.collate or stack)([self.dataset[int(i)] for i in indices])

    def _index_batches(self) -> Iterator[Any]:
        if self.batch_sampler is not None:
            yield from self.batch_sampler
            return
        if self.sampler is not None:
            order = np.fromiter(self.sampler, np.int64)
        elif self.shuffle:
            order = (self._stream or random_stream("data/shuffle")).generator.permutation(len(self.dataset))
        else:
            order = np.arange(len(self.dataset))
        for start in range(0, len(order), self.batch_size):
            indices = order[start : start + self.batch_size]
            if len(indices) == self.batch_size or not self.drop_last:
                yield indices
