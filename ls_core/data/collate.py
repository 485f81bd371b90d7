"""From a list of samples to a batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from .arrays import as_array


def stack(samples: list[Any]) -> Any:
    """Samples as a batch: tuples and dicts by their parts, arrays and numbers along a new first axis.

    Raises
    ------
    ValueError
        Samples differ in shape.

    Examples
    --------
    >>> stack([(np.zeros(3), 'a'), (np.ones(3), 'b')])
    (array([[0., 0., 0.],
           [1., 1., 1.]]), array(['a', 'b'], dtype=object))
    """
    first = samples[0]
    if isinstance(first, dict):
        return {key: stack([sample[key] for sample in samples]) for key in first}
    if isinstance(first, tuple):
        return tuple(stack(list(part)) for part in zip(*samples, strict=True))
    if isinstance(first, (str, bytes)):
        return as_array(samples)
    arrays = [np.asarray(sample) for sample in samples]
    shapes = sorted({array.shape for array in arrays})
    if len(shapes) > 1:
        raise ValueError(
            f"the samples of a batch have different shapes ({', '.join(map(str, shapes[:4]))}); "
            "pad them: DataLoader(..., collate=ls_core.data.pad_collate), or sort them by length with BucketSampler"
        )
    return np.stack(arrays)


def pad_collate(samples: list[Any], value: float = 0, padding: str = "post") -> Any:
    """``stack``, after samples of different length are padded to the longest of the batch.

    Parameters
    ----------
    samples : list
    value : number
        What is put in; 0 is the padding id of a vocabulary. Other values: ``functools.partial(pad_collate, value=-1)``.
    padding : {'post', 'pre'}
        Behind or before the sample.

    Examples
    --------
    >>> pad_collate([(np.array([1, 2, 3]), 0), (np.array([4]), 1)])
    (array([[1, 2, 3],
           [4, 0, 0]]), array([0, 1]))
    """
    if padding not in ("post", "pre"):
        raise ValueError(f"padding is 'post' or 'pre', not {padding!r}")
    first = samples[0]
    if isinstance(first, dict):
        return {key: pad_collate([sample[key] for sample in samples], value, padding) for key in first}
    if isinstance(first, tuple):
        return tuple(pad_collate(list(part), value, padding) for part in zip(*samples, strict=True))
    if isinstance(first, (str, bytes)) or np.ndim(first) == 0:
        return stack(samples)
    arrays = [np.asarray(sample) for sample in samples]
    longest = max(len(array) for array in arrays)
    padded = np.full((len(arrays), longest, *arrays[0].shape[1:]), value, dtype=np.result_type(*arrays))
    for row, array in zip(padded, arrays, strict=True):
        row[slice(0, len(array)) if padding == "post" else slice(longest - len(array), None)] = array
    return padded
