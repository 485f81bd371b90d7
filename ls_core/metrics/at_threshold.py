"""One rate where another reaches a bound: sensitivity at a specificity, precision at a recall, and the reverse."""

from __future__ import annotations

from typing import Any

from ..backend import get_xp
from ..losses.loss import divide_no_nan
from ..types import Array
from .threshold_counts import ThresholdCounts


class _BestUnderConstraint(ThresholdCounts):
    def __init__(self, bound: float, word: str, num_thresholds: int, class_id: int | None, name: str | None, dtype: Any) -> None:
        if not 0 <= bound <= 1:
            raise ValueError(f"{type(self).__name__}: {word} lies in [0, 1], not {bound}")
        if num_thresholds <= 0:
            raise ValueError(f"{type(self).__name__}: num_thresholds is 1 or more, not {num_thresholds}")
        self.bound = bound
        self.class_id = class_id
        self.thresholds = [0.5] if num_thresholds == 1 else [i / (num_thresholds - 1) for i in range(num_thresholds)]
        self.even = num_thresholds > 1
        super().__init__(dtype, name)

    def rates(self) -> tuple[Array, Array, Array]:
        """precision, recall (sensitivity), specificity: (K,) each."""
        tp, fp, tn, fn = (count[:, 0] for count in self.counts())
        return divide_no_nan(tp, tp + fp), divide_no_nan(tp, tp + fn), divide_no_nan(tn, tn + fp)

    def best(self, wanted: Array, constrained: Array) -> Any:
        """The largest ``wanted`` where ``constrained`` reaches the bound; 0 where it never does."""
        return get_xp(wanted).where(constrained >= self.bound, wanted, 0.0).max()


class SensitivityAtSpecificity(_BestUnderConstraint):
    """The best sensitivity tp / (tp + fn) at a threshold where the specificity tn / (tn + fp) is ``specificity`` or more.

    ``num_thresholds`` thresholds are tried, spread evenly over [0, 1]; ``class_id`` picks one class of the last axis.

    Source: Keras 3, ``keras.metrics.SensitivityAtSpecificity``.

    >>> float(SensitivityAtSpecificity(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8]))
    0.5
    """

    def __init__(
        self, specificity: float, num_thresholds: int = 200, class_id: int | None = None, name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(specificity, "specificity", num_thresholds, class_id, name, dtype)

    def result(self) -> Any:
        _, sensitivity, specificity = self.rates()
        return self.best(sensitivity, specificity)


class SpecificityAtSensitivity(_BestUnderConstraint):
    """The best specificity tn / (tn + fp) at a threshold where the sensitivity tp / (tp + fn) is ``sensitivity`` or more.

    Source: Keras 3, ``keras.metrics.SpecificityAtSensitivity``.

    >>> round(float(SpecificityAtSensitivity(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8])), 4)
    0.6667
    """

    def __init__(
        self, sensitivity: float, num_thresholds: int = 200, class_id: int | None = None, name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(sensitivity, "sensitivity", num_thresholds, class_id, name, dtype)

    def result(self) -> Any:
        _, sensitivity, specificity = self.rates()
        return self.best(specificity, sensitivity)


class PrecisionAtRecall(_BestUnderConstraint):
    """The best precision tp / (tp + fp) at a threshold where the recall tp / (tp + fn) is ``recall`` or more.

    Source: Keras 3, ``keras.metrics.PrecisionAtRecall``.

    >>> float(PrecisionAtRecall(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8]))
    0.5
    """

    def __init__(
        self, recall: float, num_thresholds: int = 200, class_id: int | None = None, name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(recall, "recall", num_thresholds, class_id, name, dtype)

    def result(self) -> Any:
        precision, recall, _ = self.rates()
        return self.best(precision, recall)


class RecallAtPrecision(_BestUnderConstraint):
    """The best recall tp / (tp + fn) at a threshold where the precision tp / (tp + fp) is ``precision`` or more.

    Source: Keras 3, ``keras.metrics.RecallAtPrecision``.

    >>> float(RecallAtPrecision(0.8)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9]))
    0.5
    """

    def __init__(
        self, precision: float, num_thresholds: int = 200, class_id: int | None = None, name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(precision, "precision", num_thresholds, class_id, name, dtype)

    def result(self) -> Any:
        precision, recall, _ = self.rates()
        return self.best(recall, precision)
