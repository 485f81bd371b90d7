"""Splits of data into training and validation parts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..random import Stream, random_stream
from .arrays import count_rows, take_rows, tree_leaves


def split_validation(arrays: Any, fraction: float) -> tuple[Any, Any]:
    """The first part for training, the last ``fraction`` of the rows for validation, as Keras takes it.

    Nothing is shuffled: where rows are sorted by class, shuffle them first or use ``stratified_split``.

    Parameters
    ----------
    arrays : tree of arrays
        For instance (x, y, sample_weight), None where there is none.
    fraction : float
        Between 0 and 1.

    Raises
    ------
    ValueError
        The fraction is out of range, or one part would be empty.

    Source: Keras 3, ``validation_split`` of ``Model.fit``.

    Examples
    --------
    >>> train, validation = split_validation((np.arange(5), None), 0.2)
    >>> train, validation
    ((array([0, 1, 2, 3]), None), (array([4]), None))
    """
    if not 0 < fraction < 1:
        raise ValueError(f"validation_split is a fraction between 0 and 1, not {fraction!r}")
    rows = _rows(arrays)
    at = math.floor(rows * (1.0 - fraction))
    if at == 0 or at == rows:
        part = "training" if at == 0 else "validation"
        raise ValueError(
            f"validation_split={fraction} of {rows} rows leaves none for {part}; choose another fraction, or pass validation_data"
        )
    return take_rows(arrays, slice(0, at)), take_rows(arrays, slice(at, None))


def stratified_split(arrays: Any, labels: Any, fraction: float, seed: int | None = None) -> tuple[Any, Any]:
    """A random split in which every class has the same share of both parts.

    Parameters
    ----------
    arrays : tree of arrays
    labels : array (n,)
        The class of each row.
    fraction : float
        Share of the second part. Each class gives round(share * its rows), at least one row and never all of
        them.
    seed : int, optional
        Default: the stream 'data/split'.

    Raises
    ------
    ValueError
        A class has one row only, so it can't stand in both parts.

    Examples
    --------
    >>> y = np.array([0] * 8 + [1] * 4)
    >>> train, test = stratified_split((np.arange(12), y), y, 0.25, seed=0)
    >>> train[1].tolist(), test[1].tolist()
    ([0, 0, 0, 0, 0, 0, 1, 1, 1], [0, 0, 1])
    """
    if not 0 < fraction < 1:
        raise ValueError(f"the fraction is between 0 and 1, not {fraction!r}")
    labels = np.asarray(labels).ravel()
    count_rows(arrays=tree_leaves(arrays)[0], labels=labels)
    draw = (random_stream("data/split") if seed is None else Stream("data/split", seed)).generator
    first, second = [], []
    classes, ids = np.unique(labels, return_inverse=True)
    for i, label in enumerate(classes.tolist()):
        rows = draw.permutation(np.flatnonzero(ids == i))
        if len(rows) < 2:
            raise ValueError(f"class {label!r} has one row only, so it can't stand in both parts; drop the class or join it with another")
        size = min(max(round(fraction * len(rows)), 1), len(rows) - 1)
        second.append(rows[:size])
        first.append(rows[size:])
    return take_rows(arrays, np.sort(np.concatenate(first))), take_rows(arrays, np.sort(np.concatenate(second)))


def _rows(arrays: Any) -> int:
    if isinstance(arrays, tuple) and len(arrays) <= 3:
        return count_rows(**dict(zip(("x", "y", "sample_weight"), arrays, strict=False)))
    return count_rows(**{f"array {i}": leaf for i, leaf in enumerate(tree_leaves(arrays))})
