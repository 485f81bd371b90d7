"""Accuracies: the share of samples that the prediction gets right, for labels, yes/no outputs, one-hot and class ids."""

from __future__ import annotations

import math
from typing import Any

from ..backend import get_xp
from ..registry import form_of
from ..types import Array
from .metric import same_shape
from .reduction import MeanOfValues


class Accuracy(MeanOfValues):
    """How often predicted labels equal the true ones.

    Source: Keras 3, ``keras.metrics.Accuracy``.

    >>> float(Accuracy()([1, 2, 3, 4], [0, 2, 3, 4]))
    0.75
    """

    def __init__(self, name: str = "accuracy", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def values(self, y_true: Array, y_pred: Array) -> Array:
        y_true, y_pred = same_shape(self, y_true, y_pred)
        if y_pred.dtype.kind == "f":
            y_true = y_true.astype(y_pred.dtype, copy=False)
        return y_true == y_pred


class BinaryAccuracy(MeanOfValues):
    """How often ``y_pred > threshold`` equals the label 0 or 1.

    Source: Keras 3, ``keras.metrics.BinaryAccuracy``.

    >>> float(BinaryAccuracy()([[1], [1], [0], [0]], [[0.98], [1.0], [0.0], [0.6]]))
    0.75
    """

    def __init__(self, name: str = "binary_accuracy", dtype: Any = None, threshold: float = 0.5) -> None:
        if threshold is None:
            raise ValueError("BinaryAccuracy: threshold is a number, not None")
        super().__init__(name, dtype)
        self.threshold = threshold

    def values(self, y_true: Array, y_pred: Array) -> Array:
        y_true, y_pred = same_shape(self, y_true, y_pred)
        return (y_pred > self.threshold).astype(y_true.dtype) == y_true


class CategoricalAccuracy(MeanOfValues):
    """How often the largest prediction stands where the one-hot label has its largest entry.

    Source: Keras 3, ``keras.metrics.CategoricalAccuracy``.

    >>> float(CategoricalAccuracy()([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.95, 0.0]]))
    0.5
    """

    def __init__(self, name: str = "categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def values(self, y_true: Array, y_pred: Array) -> Array:
        check_one_hot(self, y_true, y_pred)
        return y_true.argmax(axis=-1) == y_pred.argmax(axis=-1)


class SparseCategoricalAccuracy(MeanOfValues):
    """How often the largest prediction stands at the class id.

    Source: Keras 3, ``keras.metrics.SparseCategoricalAccuracy``.

    >>> float(SparseCategoricalAccuracy()([2, 1], [[0.1, 0.6, 0.3], [0.05, 0.95, 0.0]]))
    0.5
    """

    def __init__(self, name: str = "sparse_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def values(self, y_true: Array, y_pred: Array) -> Array:
        return class_ids(self, y_true, y_pred) == y_pred.argmax(axis=-1)


class TopKCategoricalAccuracy(MeanOfValues):
    """How often the class of the one-hot label is among the ``k`` largest predictions; equal ones count as among them.

    Source: Keras 3, ``keras.metrics.TopKCategoricalAccuracy``.

    >>> float(TopKCategoricalAccuracy(k=2)([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.3, 0.0, 0.7]]))
    0.5
    """

    def __init__(self, k: int = 5, name: str = "top_k_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(name, dtype)
        self.k = k

    def values(self, y_true: Array, y_pred: Array) -> Array:
        check_one_hot(self, y_true, y_pred)
        return in_top_k(y_true.argmax(axis=-1), y_pred, self.k)


class SparseTopKCategoricalAccuracy(MeanOfValues):
    """How often the class id is among the ``k`` largest predictions; equal ones count as among them.

    With ``from_sorted_ids`` y_pred holds class ids, best first, and its first ``k`` are looked at.

    Source: Keras 3, ``keras.metrics.SparseTopKCategoricalAccuracy``.

    >>> float(SparseTopKCategoricalAccuracy(k=2)([2, 1], [[0.1, 0.9, 0.8], [0.3, 0.0, 0.7]]))
    0.5
    """

    def __init__(
        self, k: int = 5, name: str = "sparse_top_k_categorical_accuracy", dtype: Any = None, from_sorted_ids: bool = False
    ) -> None:
        super().__init__(name, dtype)
        self.k = k
        self.from_sorted_ids = from_sorted_ids

    def values(self, y_true: Array, y_pred: Array) -> Array:
        ids = class_ids(self, y_true, y_pred)
        if self.from_sorted_ids:
            return (y_pred[..., : self.k] == ids[..., None]).any(axis=-1)
        return in_top_k(ids, y_pred, self.k)


def check_one_hot(metric: Any, y_true: Array, y_pred: Array) -> None:
    """Raise unless one-hot labels have the predictions' shape."""
    if y_true.shape != y_pred.shape:
        raise metric.mismatch(
            y_true,
            y_pred,
            f"They must be equal; for class ids use Sparse{type(metric).__name__}, or 'accuracy', which looks at the shapes.",
        )


def class_ids(metric: Any, y_true: Array, y_pred: Array) -> Array:
    """Class ids in the shape of the predictions without their last axis; (B, 1) becomes (B,)."""
    if y_true.size != math.prod(y_pred.shape[:-1]):
        name = type(metric).__name__.removeprefix("Sparse")
        fix = f"For one-hot labels use {name}." if y_true.shape == y_pred.shape else "It wants one class id for each sample."
        raise metric.mismatch(y_true, y_pred, fix)
    return y_true.reshape(y_pred.shape[:-1])


def in_top_k(ids: Array, y_pred: Array, k: int) -> Array:
    """Whether fewer than ``k`` predictions are larger than that of the id; a NaN is not among the largest."""
    xp = get_xp(y_pred)
    chosen = xp.take_along_axis(y_pred, ids.astype("int64")[..., None], axis=-1)  # (..., 1)
    return (~(y_pred <= chosen)).sum(axis=-1) < k


# --- as functions: 1.0 for each sample that is right, 0.0 for the others ---------------------------------


@form_of(BinaryAccuracy)
def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Array:
    """Where ``y_pred > threshold`` equals the label: an array of the labels' shape.

    >>> binary_accuracy([[1], [0]], [[0.9], [0.7]]).tolist()
    [[1.0], [0.0]]
    """
    return BinaryAccuracy(threshold=threshold).of(y_true, y_pred)


@form_of(CategoricalAccuracy)
def categorical_accuracy(y_true: Any, y_pred: Any) -> Array:
    """Where the largest prediction stands at the one-hot label's class."""
    return CategoricalAccuracy().of(y_true, y_pred)


@form_of(SparseCategoricalAccuracy)
def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Array:
    """Where the largest prediction stands at the class id."""
    return SparseCategoricalAccuracy().of(y_true, y_pred)


@form_of(TopKCategoricalAccuracy)
def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Array:
    """Where the one-hot label's class is among the ``k`` largest predictions."""
    return TopKCategoricalAccuracy(k).of(y_true, y_pred)


@form_of(SparseTopKCategoricalAccuracy)
def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False) -> Array:
    """Where the class id is among the ``k`` largest predictions."""
    return SparseTopKCategoricalAccuracy(k, from_sorted_ids=from_sorted_ids).of(y_true, y_pred)
