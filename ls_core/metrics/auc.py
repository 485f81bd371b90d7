"""AUC: the area under the ROC, precision-recall or precision-recall-gain curve, from counts at many thresholds."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import get_xp
from ..losses.loss import EPSILON, divide_no_nan
from ..types import Array
from .threshold_counts import ThresholdCounts, evenly_spaced


class AUC(ThresholdCounts):
    """The area under a curve that the threshold draws: how well the predictions rank the positive samples first.

    Parameters
    ----------
    num_thresholds : int
        Thresholds, spread evenly over [0, 1]; the first and the last lie just outside. Default 200.
    curve : {'ROC', 'PR', 'PRGAIN'}
        True positive rate over false positive rate; precision over recall; precision gain over recall gain.
    summation_method : {'interpolation', 'minoring', 'majoring'}
        Between two points: the trapezium (for 'PR' the interpolation of the counts), the lower or the higher one.
    thresholds : list of float in [0, 1], optional
        These thresholds instead.
    multi_label : bool
        One curve for each of the labels of y_pred (B, L), averaged; False: one curve for all entries.
    num_labels : int, optional
        L; the first batch tells it as well.
    label_weights : list of float, optional
        Weights of the labels: of their areas with ``multi_label``, else of their entries.
    from_logits : bool
        y_pred holds logits; the sigmoid is applied first.
    name, dtype
        See ``Metric``.

    Source: Davis and Goadrich 2006, "The relationship between Precision-Recall and ROC curves"; Flach and Kull 2015,
    "Precision-Recall-Gain Curves"; Keras 3, ``keras.metrics.AUC``.

    >>> float(AUC(num_thresholds=3)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9]))
    0.75
    """

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Any = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ) -> None:
        self.curve, self.summation_method = curve.upper(), summation_method.lower()
        if self.curve not in ("ROC", "PR", "PRGAIN"):
            raise ValueError(f"AUC: curve is 'ROC', 'PR' or 'PRGAIN', not {curve!r}")
        if self.summation_method not in ("interpolation", "minoring", "majoring"):
            raise ValueError(f"AUC: summation_method is 'interpolation', 'minoring' or 'majoring', not {summation_method!r}")
        if num_labels and not multi_label:
            raise ValueError("AUC: num_labels goes with multi_label=True")
        if thresholds is None:
            if num_thresholds <= 1:
                raise ValueError(f"AUC: num_thresholds is 2 or more, not {num_thresholds}")
            inner = [i / (num_thresholds - 1) for i in range(1, num_thresholds - 1)]
            self.even = True
        else:
            inner = sorted(thresholds)
            self.even = evenly_spaced([0.0, *inner, 1.0])
        self.thresholds = [-EPSILON, *inner, 1.0 + EPSILON]
        self.multi_label = multi_label
        self.label_weights = None if label_weights is None else np.asarray(label_weights, dtype=np.float64)
        self.from_logits = from_logits
        super().__init__(dtype, name)

    def result(self) -> Any:
        tp, fp, tn, fn = self.counts()  # (K, L) each, thresholds rising
        if self.curve == "PR" and self.summation_method == "interpolation":
            return self._over_labels(_precision_recall_area(tp, fp, fn))
        x, y = self._curve(tp, fp, tn, fn)
        xp = get_xp(tp)
        if self.summation_method == "interpolation":
            height = (y[:-1] + y[1:]) / 2.0
        elif self.summation_method == "minoring":
            height = xp.minimum(y[:-1], y[1:])
        else:
            height = xp.maximum(y[:-1], y[1:])
        return self._over_labels(((x[:-1] - x[1:]) * height).sum(axis=0))

    def _curve(self, tp: Array, fp: Array, tn: Array, fn: Array) -> tuple[Array, Array]:
        recall = divide_no_nan(tp, tp + fn)
        if self.curve == "ROC":
            return divide_no_nan(fp, fp + tn), recall
        if self.curve == "PR":
            return recall, divide_no_nan(tp, tp + fp)
        xp = get_xp(tp)
        odds = divide_no_nan(tp + fn, tn + fp)  # of a positive sample
        recall_gain = xp.where(tp == 0, 0.0, 1.0 - odds * divide_no_nan(fn, tp))
        precision_gain = xp.where(tp == 0, 1.0, 1.0 - odds * divide_no_nan(fp, tp))
        return xp.maximum(recall_gain, 0.0), precision_gain

    def _over_labels(self, areas: Array) -> Any:
        if not self.multi_label:
            return areas[0]
        if self.label_weights is None:
            return areas.mean()
        weights = get_xp(areas).asarray(self.label_weights)
        return divide_no_nan((areas * weights).sum(), weights.sum())


def _precision_recall_area(tp: Array, fp: Array, fn: Array) -> Array:
    """The area (L,) under the precision-recall curve on which tp and fp move in proportion between two thresholds."""
    xp = get_xp(tp)
    p = tp + fp
    dtp, dp = tp[:-1] - tp[1:], p[:-1] - p[1:]
    slope = divide_no_nan(dtp, xp.maximum(dp, 0.0))
    intercept = tp[1:] - slope * p[1:]
    both = (p[:-1] > 0) & (p[1:] > 0)
    ratio = xp.where(both, divide_no_nan(p[:-1], xp.maximum(p[1:], 0.0)), 1.0)
    area = divide_no_nan(slope * (dtp + intercept * xp.log(ratio)), xp.maximum(tp[1:] + fn[1:], 0.0))
    return area.sum(axis=0)
