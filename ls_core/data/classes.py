"""Class numbers to one-hot rows, and how much each class counts."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from ..text.labels import read_labels


def to_categorical(x: Any, num_classes: int | None = None) -> np.ndarray:
    """Class numbers as one-hot rows, float64: (...) to (..., num_classes); a last axis of 1 falls away.

    Parameters
    ----------
    x : array of int
        From 0 to num_classes - 1.
    num_classes : int, optional
        Default: the largest number + 1.

    Raises
    ------
    ValueError
        A number lies outside.

    Source: Keras 3, ``keras.utils.to_categorical``.

    Examples
    --------
    >>> to_categorical([0, 2])
    array([[1., 0., 0.],
           [0., 0., 1.]])
    """
    ids = np.asarray(x, dtype=np.int64)
    if ids.ndim > 1 and ids.shape[-1] == 1:
        ids = ids[..., 0]
    classes = num_classes or int(ids.max(initial=-1)) + 1
    if ids.size and (ids.min() < 0 or ids.max() >= classes):
        raise ValueError(f"class numbers run from 0 to {classes - 1}; x holds {ids.min()} to {ids.max()}")
    return np.eye(classes)[ids]


def class_weights(labels: Any) -> dict[Any, float]:
    """A weight for each class, so that all classes count alike: n / (number of classes x n of the class).

    ``fit(class_weight=class_weights(y))`` makes up for classes of different size; the weights of all samples add up
    to n.

    Examples
    --------
    >>> class_weights(['ham', 'ham', 'ham', 'spam'])
    {'ham': 0.6666666666666666, 'spam': 2.0}
    """
    values = read_labels(labels)
    if not values:
        raise ValueError("there are no labels to weigh")
    counts = Counter(values)
    return {label: len(values) / (len(counts) * counts[label]) for label in sorted(counts)}
