"""Intersection over union of predicted and true classes, from a confusion matrix: tp / (tp + fp + fn)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..backend import get_xp
from ..losses.loss import EPSILON
from ..types import Array
from .metric import Metric, as_weight, untouched


def count_pairs(true: Array, predicted: Array, weight: Array, classes: int) -> Array:
    """The confusion matrix (C, C), rows true, columns predicted, of ids (N,); ids outside 0 .. C - 1 do not count."""
    xp = get_xp(true)
    inside = (true >= 0) & (true < classes) & (predicted >= 0) & (predicted < classes)
    counts = xp.zeros(classes * classes, dtype=np.float64)
    xp.add.at(counts, xp.where(inside, true * classes + predicted, 0), weight * inside)
    return counts.reshape(classes, classes)


class IoU(Metric):
    """The intersection over union of ``target_class_ids``, averaged over those that occur.

    Parameters
    ----------
    num_classes : int
        C.
    target_class_ids : list of int
        The classes whose mean is the result.
    name, dtype
        See ``Metric``.
    ignore_class : int, optional
        Samples whose true class is this one do not count.
    sparse_y_true, sparse_y_pred : bool
        False: one-hot labels or scores, of which the largest along ``axis`` is the class. Default True.
    axis : int
        Axis of the classes where they are not sparse; default -1.

    Notes
    -----
    Sample weights count as they are, fractions as well (Keras cuts them to integers unless dtype is a float type).

    Source: Keras 3, ``keras.metrics.IoU``.

    >>> round(float(IoU(num_classes=2, target_class_ids=[0])([0, 0, 1, 1], [0, 1, 0, 1])), 4)
    0.3333
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Iterable[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        self.target_class_ids = list(target_class_ids)
        if max(self.target_class_ids) >= num_classes or min(self.target_class_ids) < 0:
            raise ValueError(f"{type(self).__name__}: target_class_ids {self.target_class_ids} lie outside 0 .. {num_classes - 1}")
        self.num_classes = num_classes
        self.ignore_class = ignore_class
        self.sparse_y_true, self.sparse_y_pred, self.axis = sparse_y_true, sparse_y_pred, axis
        super().__init__(None, name)

    def reset_state(self) -> None:
        self.total_cm: Array = 0.0  # the confusion matrix (C, C), rows true, columns predicted

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = self.arrays(y_true, y_pred)
        true = y_true if self.sparse_y_true else y_true.argmax(axis=self.axis)
        predicted = y_pred if self.sparse_y_pred else y_pred.argmax(axis=self.axis)
        if true.size != predicted.size:
            raise self.mismatch(
                y_true, y_pred, "It wants one class for each sample in both; say with sparse_y_true/_pred which is one-hot."
            )
        weight = as_weight(sample_weight, true).reshape(-1)
        true, predicted = true.reshape(-1).astype("int64"), predicted.reshape(-1).astype("int64")
        if self.ignore_class is not None:
            weight = weight * (true != self.ignore_class)
        self.total_cm = self.total_cm + count_pairs(true, predicted, weight, self.num_classes)

    def result(self) -> Any:
        if untouched(self.total_cm):
            return 0.0
        table = self.total_cm
        xp = get_xp(table)
        both = xp.diagonal(table)[self.target_class_ids]
        either = (table.sum(axis=0) + table.sum(axis=1))[self.target_class_ids] - both
        occurs = either > 1e-9
        return (both / (either + EPSILON) * occurs).sum() / (occurs.sum() + EPSILON)


class BinaryIoU(IoU):
    """``IoU`` of the classes 0 and 1 for predictions that a threshold makes 0 or 1 (``y_pred >= threshold``).

    Source: Keras 3, ``keras.metrics.BinaryIoU``.

    >>> round(float(BinaryIoU(threshold=0.3)([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7])), 4)
    0.3333
    """

    def __init__(
        self, target_class_ids: Iterable[int] = (0, 1), threshold: float = 0.5, name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = threshold

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = self.arrays(y_true, y_pred)
        super().update_state(y_true, y_pred >= self.threshold, sample_weight)


class MeanIoU(IoU):
    """``IoU`` averaged over all classes that occur.

    Source: Keras 3, ``keras.metrics.MeanIoU``.

    >>> round(float(MeanIoU(num_classes=2)([0, 0, 1, 1], [0, 1, 0, 1])), 4)
    0.3333
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, range(num_classes), name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)


class OneHotIoU(IoU):
    """``IoU`` for one-hot labels, and scores (or, with ``sparse_y_pred``, class ids) as predictions.

    Source: Keras 3, ``keras.metrics.OneHotIoU``.

    >>> round(float(OneHotIoU(2, [0])([[1, 0], [1, 0], [0, 1], [0, 1]], [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.1, 0.9]])), 4)
    0.3333
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Iterable[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)


class OneHotMeanIoU(MeanIoU):
    """``MeanIoU`` for one-hot labels, and scores (or, with ``sparse_y_pred``, class ids) as predictions.

    Source: Keras 3, ``keras.metrics.OneHotMeanIoU``.

    >>> round(float(OneHotMeanIoU(2)([[1, 0], [1, 0], [0, 1], [0, 1]], [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.1, 0.9]])), 4)
    0.3333
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)
