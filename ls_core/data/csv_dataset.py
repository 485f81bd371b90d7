"""CSVDataset: rows of a CSV file that may be larger than memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..text.labels import LabelIndex
from .arrays import as_array, count_rows
from .dataset import IterableDataset


class CSVDataset(IterableDataset):
    """Samples from a CSV file, read chunk by chunk; memory holds one chunk and the shuffle buffer.

    Parameters
    ----------
    path : str or file
        What ``pandas.read_csv`` takes; compressed files too. A file object can be read once.
    text : str, optional
        Column of texts: x is a ``str``.
    features : list of str, optional
        Columns of numbers, in place of ``text``: x is a row of floats.
    label : str, optional
        Column of y; without it the samples are (x,).
    label_index : LabelIndex, optional
        Turns labels into class numbers; it may be set later.
    chunk_rows : int
        Rows read at a time.
    shuffle_buffer : int
        See ``IterableDataset``.
    length : int, optional
        How many rows there are, where it is known.
    **read_options
        Further arguments of ``pandas.read_csv`` (sep, encoding ...). ``keep_default_na=False`` keeps words like NA and
        null as texts; ``dtype={'label': str}`` settles a kind that chunks would guess differently.

    Raises
    ------
    ValueError
        A column is not in the file, or a value is missing; the message names rows and column.

    Examples
    --------
    >>> import io
    >>> data = CSVDataset(io.StringIO('text,label\\ngood,1\\nbad,0\\n'), text='text', label='label', chunk_rows=1)
    >>> [(x, int(y)) for x, y in data]
    [('good', 1), ('bad', 0)]

    Vocabulary and labels are learned without the file in memory: ``layer.adapt(data.column('text'))``,
    ``data.label_index = LabelIndex().fit(data.column('label'))``.
    """

    def __init__(
        self,
        path: Any,
        text: str | None = None,
        features: list[str] | None = None,
        label: str | None = None,
        label_index: LabelIndex | None = None,
        chunk_rows: int = 10_000,
        shuffle_buffer: int = 0,
        length: int | None = None,
        **read_options: Any,
    ) -> None:
        super().__init__(self._rows, length, shuffle_buffer)
        if (text is None) == (features is None):
            raise ValueError("CSVDataset takes either text='column' or features=['column', ...]")
        if chunk_rows < 1:
            raise ValueError(f"chunk_rows is a positive integer, not {chunk_rows!r}")
        self.path, self.text, self.features, self.label, self.label_index = path, text, features, label, label_index
        self.chunk_rows, self.read_options = chunk_rows, read_options

    def column(self, name: str) -> Iterator[np.ndarray]:
        """The values of one column, a chunk at a time."""
        for chunk, where in self._chunks([name]):
            yield as_array(chunk[name], where)

    def _chunks(self, columns: list[str]) -> Iterator[tuple[Any, str]]:
        import pandas

        options = {"usecols": lambda name: name in columns, "chunksize": self.chunk_rows, **self.read_options}
        if self.text is not None and isinstance(options.get("dtype", {}), dict):  # a chunk may hold only numbers, or nothing
            options["dtype"] = {self.text: str, **options.get("dtype", {})}
        with pandas.read_csv(self.path, **options) as reader:
            first = 0
            for chunk in reader:
                missing = [name for name in columns if name not in chunk.columns]
                if missing:
                    raise ValueError(f"{self.path} has no column {missing[0]!r}")
                yield chunk, f"{self.path}, rows from {first}"
                first += len(chunk)

    def _rows(self) -> Iterator[Any]:
        inputs = [self.text] if self.text is not None else list(self.features or [])
        for chunk, where in self._chunks([*inputs, *([] if self.label is None else [self.label])]):
            x = as_array(chunk[self.text] if self.text is not None else chunk[inputs], where)
            if self.label is None:
                yield from ((row,) for row in x)
            else:
                y = as_array(chunk[self.label], where) if self.label_index is None else self.label_index.encode(chunk[self.label])
                count_rows(x=x, y=y)
                yield from zip(x, y, strict=True)
