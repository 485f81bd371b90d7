"""Metrics that are the mean of a loss."""

from __future__ import annotations

from typing import Any

from .. import losses
from .reduction import Mean


class _LossMean(Mean):
    """The mean of a loss's values; a subclass sets ``loss`` before its ``__init__`` ends."""

    loss: losses.Loss

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        self.add(self.loss(y_true, y_pred), sample_weight)


class MeanSquaredError(_LossMean):
    """The mean of ``losses.MeanSquaredError``.

    Source: Keras 3, ``keras.metrics.MeanSquaredError``.

    >>> float(MeanSquaredError()([[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [0.0, 0.0]]))
    0.25
    """

    def __init__(self, name: str = "mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name, dtype)
        self.loss = losses.MeanSquaredError(None, dtype=dtype)


class BinaryCrossentropy(_LossMean):
    """The mean of ``losses.BinaryCrossentropy``.

    Source: Keras 3, ``keras.metrics.BinaryCrossentropy``.

    >>> round(float(BinaryCrossentropy()([[0.0, 1.0]], [[0.6, 0.4]])), 4)
    0.9163
    """

    def __init__(self, name: str = "binary_crossentropy", dtype: Any = None, from_logits: bool = False, label_smoothing: float = 0) -> None:
        super().__init__(name, dtype)
        self.loss = losses.BinaryCrossentropy(from_logits, label_smoothing, reduction=None, dtype=dtype)


class CategoricalCrossentropy(_LossMean):
    """The mean of ``losses.CategoricalCrossentropy``.

    Source: Keras 3, ``keras.metrics.CategoricalCrossentropy``.

    >>> round(float(CategoricalCrossentropy()([[0, 1, 0], [0, 0, 1]], [[0.05, 0.95, 0], [0.1, 0.8, 0.1]])), 4)
    1.1769
    """

    def __init__(
        self,
        name: str = "categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: int = -1,
    ) -> None:
        super().__init__(name, dtype)
        self.loss = losses.CategoricalCrossentropy(from_logits, label_smoothing, axis, None, dtype=dtype)


class SparseCategoricalCrossentropy(_LossMean):
    """The mean of ``losses.SparseCategoricalCrossentropy``.

    As in Keras, a sample of ``ignore_class`` counts as a loss of 0 unless sample weights are given; then it is left out.

    Source: Keras 3, ``keras.metrics.SparseCategoricalCrossentropy``.

    >>> round(float(SparseCategoricalCrossentropy()([1, 2], [[0.05, 0.95, 0], [0.1, 0.8, 0.1]])), 4)
    1.1769
    """

    def __init__(
        self,
        name: str = "sparse_categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ) -> None:
        super().__init__(name, dtype)
        self.loss = losses.SparseCategoricalCrossentropy(from_logits, ignore_class, None, axis, dtype=dtype)
