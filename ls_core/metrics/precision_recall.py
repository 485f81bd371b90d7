"""Precision and recall at one threshold or several, and the four counts they are made of."""

from __future__ import annotations

from typing import Any

from ..losses.loss import divide_no_nan
from .threshold_counts import NEG_INF, ThresholdCounts, evenly_spaced, parse_thresholds


class _AtThresholds(ThresholdCounts):
    def __init__(self, thresholds: Any, top_k: int | None, class_id: int | None, name: str | None, dtype: Any) -> None:
        self.top_k = top_k
        self.class_id = class_id
        self.thresholds = parse_thresholds(type(self).__name__, thresholds, 0.5 if top_k is None else NEG_INF)
        self.even = evenly_spaced(self.thresholds)
        super().__init__(dtype, name)

    def one_or_all(self, values: Any) -> Any:
        return values[0, 0] if len(self.thresholds) == 1 else values[:, 0]


class Precision(_AtThresholds):
    """How many of the positive predictions are right: ``tp / (tp + fp)``.

    Parameters
    ----------
    thresholds : float or list of float in [0, 1], optional
        Above it a prediction is positive; several give several results. Default 0.5, or none with ``top_k``.
    top_k : int, optional
        Only the k largest predictions of a row can be positive.
    class_id : int, optional
        Only this class (entry of the last axis) is counted.

    Notes
    -----
    y_true holds 0 and 1 in y_pred's shape.

    Source: Keras 3, ``keras.metrics.Precision``.

    >>> float(Precision()([0, 1, 1, 1], [1, 0, 1, 1]).round(4))
    0.6667
    """

    def __init__(
        self, thresholds: Any = None, top_k: int | None = None, class_id: int | None = None, name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(thresholds, top_k, class_id, name, dtype)

    def result(self) -> Any:
        tp, fp, _, _ = self.counts()
        return self.one_or_all(divide_no_nan(tp, tp + fp))


class Recall(_AtThresholds):
    """How many of the positive labels are found: ``tp / (tp + fn)``. Parameters as for ``Precision``.

    Source: Keras 3, ``keras.metrics.Recall``.

    >>> float(Recall()([0, 1, 1, 1], [1, 0, 1, 1]).round(4))
    0.6667
    """

    def __init__(
        self, thresholds: Any = None, top_k: int | None = None, class_id: int | None = None, name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(thresholds, top_k, class_id, name, dtype)

    def result(self) -> Any:
        tp, _, _, fn = self.counts()
        return self.one_or_all(divide_no_nan(tp, tp + fn))


class _Count(_AtThresholds):
    index: int

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(thresholds, None, None, name, dtype)

    def result(self) -> Any:
        return self.one_or_all(self.counts()[self.index])


class TruePositives(_Count):
    """The weighted number of positive predictions that are right.

    Source: Keras 3, ``keras.metrics.TruePositives``.

    >>> float(TruePositives()([0, 1, 1, 1], [1, 0, 1, 1]))
    2.0
    """

    index = 0


class FalsePositives(_Count):
    """The weighted number of positive predictions that are wrong.

    Source: Keras 3, ``keras.metrics.FalsePositives``.

    >>> float(FalsePositives()([0, 1, 0, 0], [0, 0, 1, 1]))
    2.0
    """

    index = 1


class TrueNegatives(_Count):
    """The weighted number of negative predictions that are right.

    Source: Keras 3, ``keras.metrics.TrueNegatives``.

    >>> float(TrueNegatives()([0, 1, 0, 0], [1, 1, 0, 0]))
    2.0
    """

    index = 2


class FalseNegatives(_Count):
    """The weighted number of negative predictions that are wrong.

    Source: Keras 3, ``keras.metrics.FalseNegatives``.

    >>> float(FalseNegatives()([0, 1, 1, 1], [0, 1, 0, 0]))
    2.0
    """

    index = 3
