"""Metrics of predicted distributions: cross-entropies and divergences."""

from __future__ import annotations

from typing import Any

from .. import losses
from ..losses.loss import apply_mask
from .loss_mean import LossMean


class BinaryCrossentropy(LossMean):
    """The mean of ``losses.BinaryCrossentropy``.

    Source: Keras 3, ``keras.metrics.BinaryCrossentropy``.

    >>> round(float(BinaryCrossentropy()([[0.0, 1.0]], [[0.6, 0.4]])), 4)
    0.9163
    """

    def __init__(self, name: str = "binary_crossentropy", dtype: Any = None, from_logits: bool = False, label_smoothing: float = 0) -> None:
        super().__init__(losses.BinaryCrossentropy(from_logits, label_smoothing, reduction=None, dtype=dtype), name, dtype)


class CategoricalCrossentropy(LossMean):
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
        super().__init__(losses.CategoricalCrossentropy(from_logits, label_smoothing, axis, None, dtype=dtype), name, dtype)


class SparseCategoricalCrossentropy(LossMean):
    """The mean of ``losses.SparseCategoricalCrossentropy``.

    As in Keras, a sample of ``ignore_class`` counts as a loss of 0, unless there are sample weights: then it is left out.

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
        super().__init__(losses.SparseCategoricalCrossentropy(from_logits, ignore_class, None, axis, dtype=dtype), name, dtype)
        self.ignore_class = ignore_class

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        y_true, y_pred = self.arrays(y_true, y_pred)
        values = self.loss(y_true, y_pred)
        if self.ignore_class is not None and sample_weight is not None:
            sample_weight = apply_mask(sample_weight, y_true.reshape(values.shape) != self.ignore_class, values.dtype)
        self.add(values, sample_weight)


class KLDivergence(LossMean):
    """The mean Kullback-Leibler divergence.

    Source: Keras 3, ``keras.metrics.KLDivergence``.

    >>> round(float(KLDivergence()([[0.5, 0.5]], [[0.25, 0.75]])), 4)
    0.1438
    """

    def __init__(self, name: str = "kl_divergence", dtype: Any = None) -> None:
        super().__init__(losses.KLDivergence(None, dtype=dtype), name, dtype)


class Poisson(LossMean):
    """The mean negative log-likelihood of counts.

    Source: Keras 3, ``keras.metrics.Poisson``.

    >>> round(float(Poisson()([[2.0, 1.0]], [[1.0, 2.0]])), 4)
    1.1534
    """

    def __init__(self, name: str = "poisson", dtype: Any = None) -> None:
        super().__init__(losses.Poisson(None, dtype=dtype), name, dtype)
