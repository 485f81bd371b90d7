"""Windows over a time series."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..random import Stream, random_stream
from .arrays import as_array
from .dataset import Dataset
from .loader import DataLoader


class WindowDataset(Dataset):
    """Windows of a series, cut when they are asked for: nothing is copied before.

    Parameters
    ----------
    data : array (T, ...)
    targets : array, optional
        ``targets[i]`` belongs to the window that begins at i.
    starts : integer array (n,)
        Where the windows begin.
    length, rate : int
        A window is ``data[start : start + length * rate : rate]``.
    """

    def __init__(self, data: Any, targets: Any, starts: np.ndarray, length: int, rate: int = 1) -> None:
        self.data, self.targets, self.starts = data, targets, starts
        self.offsets = np.arange(0, length * rate, rate)

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: int) -> Any:
        start = self.starts[index]
        window = self.data[start + self.offsets]
        return window if self.targets is None else (window, self.targets[start])

    def take(self, indices: np.ndarray) -> Any:
        starts = self.starts[indices]  # (B,)
        windows = self.data[starts[:, None] + self.offsets]  # (B, length, ...)
        return windows if self.targets is None else (windows, self.targets[starts])


def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
) -> Any:
    """Batches of windows over a series: x (B, sequence_length, ...), or (x, y) with targets.

    Parameters
    ----------
    data : array (T, ...)
        One row a time step.
    targets : array or None
        ``targets[i]`` belongs to the window that begins at step i: to forecast the step after the window, pass
        ``data[sequence_length:]``.
    sequence_length : int
        Steps in a window.
    sequence_stride : int
        Steps from one window's beginning to the next one's.
    sampling_rate : int
        Steps from one element of a window to the next one.
    batch_size : int or None
        None: no batches, a dataset of single windows.
    shuffle : bool
        A new order each pass.
    seed : int, optional
    start_index, end_index : int, optional
        Only ``data[start_index:end_index]`` is used.

    Raises
    ------
    ValueError
        An argument does not fit the series, or no window does.

    Source: Keras 3, ``keras.utils.timeseries_dataset_from_array``.

    Examples
    --------
    >>> series = np.arange(10)
    >>> for x, y in timeseries_dataset_from_array(series, series[3:], sequence_length=3, sequence_stride=2, batch_size=2):
    ...     print(x.tolist(), y.tolist())
    [[0, 1, 2], [2, 3, 4]] [3, 5]
    [[4, 5, 6], [6, 7, 8]] [7, 9]
    """
    data = as_array(data, "data")
    targets = None if targets is None else as_array(targets, "targets")
    steps = len(data)
    for name, value in (("sampling_rate", sampling_rate), ("sequence_stride", sequence_stride), ("sequence_length", sequence_length)):
        if not 0 < value < max(steps, 2) and not (name == "sequence_length" and value == steps):
            raise ValueError(f"{name} is at least 1 and less than the {steps} steps of data, not {value}")
    begin, end = start_index or 0, steps if end_index is None else end_index
    if not 0 <= begin < end <= steps:
        raise ValueError(f"start_index ({start_index}) and end_index ({end_index}) are steps of data in this order; it has {steps}")
    count = end - begin - (sequence_length - 1) * sampling_rate
    if targets is not None:
        count = min(count, len(targets) - begin)
    if count < 1:
        raise ValueError(
            f"no window of {sequence_length} elements, {sampling_rate} apart, fits between step {begin} and step {end}"
            + ("" if targets is None else f" with one of {len(targets)} targets")
        )
    starts = begin + np.arange(0, count, sequence_stride)
    windows = WindowDataset(data, targets, starts, sequence_length, sampling_rate)
    if batch_size is None:
        if shuffle:
            stream = random_stream("data/shuffle") if seed is None else Stream("data/shuffle", seed)
            windows.starts = stream.generator.permutation(starts)
        return windows
    return DataLoader(windows, batch_size, shuffle=shuffle, seed=seed)


__all__ = ["WindowDataset", "timeseries_dataset_from_array"]
