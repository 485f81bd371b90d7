"""Accuracies: the share of samples that the prediction gets right, for labels, yes/no outputs, one-hot and class ids."""

from __future__ import annotations

import math
from typing import Any

from ..backend import get_xp
from ..types import Array
from .metric import same_shape
from .reduction import Mean


class Accuracy(Mean):
    """How often predicted labels equal the true ones.

    Source: Keras 3, ``keras.metrics.Accuracy``.

    >>> float(Accuracy()([1, 2, 3, 4], [0, 2, 3, 4]))
    0.75
    """

    def __init__(self, name: str = "accuracy", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        y_true, y_pred = same_shape(self, *self.arrays(y_true, y_pred))
        if y_pred.dtype.kind == "f":
            y_true = y_true.astype(y_pred.dtype, copy=False)
        self.add(y_true == y_pred, sample_weight)


class BinaryAccuracy(Mean):
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

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        y_true, y_pred = same_shape(self, *self.arrays(y_true, y_pred))
        self.add((y_pred > self.threshold).astype(y_true.dtype) == y_true, sample_weight)


class CategoricalAccuracy(Mean):
    """How often the largest prediction stands where the one-hot label has its largest entry.

    Source: Keras 3, ``keras.metrics.CategoricalAccuracy``.

    >>> float(CategoricalAccuracy()([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.95, 0.0]]))
    0.5
    """

    def __init__(self, name: str = "categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        y_true, y_pred = self.arrays(y_true, y_pred)
        check_one_hot(self, y_true, y_pred)
        self.add(y_true.argmax(axis=-1) == y_pred.argmax(axis=-1), sample_weight)


class SparseCategoricalAccuracy(Mean):
    """How often the largest prediction stands at the class id.

    Source: Keras 3, ``keras.metrics.SparseCategoricalAccuracy``.

    >>> float(SparseCategoricalAccuracy()([2, 1], [[0.1, 0.6, 0.3], [0.05, 0.95, 0.0]]))
    0.5
    """

    def __init__(self, name: str = "sparse_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        y_true, y_pred = self.arrays(y_true, y_pred)
        self.add(class_ids(self, y_true, y_pred) == y_pred.argmax(axis=-1), sample_weight)


class TopKCategoricalAccuracy(Mean):
    """How often the class of the one-hot label is among the ``k`` largest predictions; equal ones count as among them.

    Source: Keras 3, ``keras.metrics.TopKCategoricalAccuracy``.

    >>> float(TopKCategoricalAccuracy(k=2)([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.3, 0.0, 0.7]]))
    0.5
    """

    def __init__(self, k: int = 5, name: str = "top_k_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(name, dtype)
        self.k = k

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        y_true, y_pred = self.arrays(y_true, y_pred)
        check_one_hot(self, y_true, y_pred)
        self.add(in_top_k(y_true.argmax(axis=-1), y_pred, self.k), sample_weight)


class SparseTopKCategoricalAccuracy(Mean):
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

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        y_true, y_pred = self.arrays(y_true, y_pred)
        ids = class_ids(self, y_true, y_pred)
        if self.from_sorted_ids:
            self.add((y_pred[..., : self.k] == ids[..., None]).any(axis=-1), sample_weight)
        else:
            self.add(in_top_k(ids, y_pred, self.k), sample_weight)


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
