"""R2 score: the share of the targets' variance that the predictions explain."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..backend import as_float, get_xp
from ..losses.loss import divide_no_nan
from ..types import Array
from .metric import Metric, as_weight, same_shape, untouched


class R2Score(Metric):
    """``1 - sum((y_true - y_pred)^2) / sum((y_true - mean(y_true))^2)``, for each output, or averaged over them.

    Parameters
    ----------
    class_aggregation : {'uniform_average', 'variance_weighted_average', None}
        How the outputs' scores become one; None: one score for each output.
    num_regressors : int
        Number of independent variables, for the adjusted score; 0: the plain one.
    name, dtype
        See ``Metric``.

    Notes
    -----
    y_true and y_pred (B, C). An output whose targets are constant scores 0 (NaN where it is predicted exactly).

    Source: Keras 3, ``keras.metrics.R2Score``.

    >>> round(float(R2Score()([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]])), 4)
    0.5714
    """

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str = "r2_score",
        dtype: Any = None,
    ) -> None:
        if class_aggregation not in (None, "uniform_average", "variance_weighted_average"):
            raise ValueError(
                f"R2Score: class_aggregation is 'uniform_average', 'variance_weighted_average' or None, not {class_aggregation!r}"
            )
        if num_regressors < 0:
            raise ValueError(f"R2Score: num_regressors is 0 or more, not {num_regressors}")
        super().__init__(dtype, name)
        self.class_aggregation = class_aggregation
        self.num_regressors = num_regressors

    def reset_state(self) -> None:
        self.sum: Array = 0.0
        self.squared_sum: Array = 0.0
        self.residual: Array = 0.0
        self.count: Array = 0.0
        self.num_samples = 0

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = same_shape(self, *self.arrays(y_true, y_pred))
        if y_pred.ndim != 2:
            raise self.mismatch(y_true, y_pred, "It wants shape (batch, outputs).")
        t, p = y_true.astype(np.float64), as_float(y_pred).astype(np.float64)  # (B, C)
        weight = as_weight(sample_weight, t)
        self.sum = self.sum + (t * weight).sum(axis=0)
        self.squared_sum = self.squared_sum + (t * t * weight).sum(axis=0)
        self.residual = self.residual + ((t - p) ** 2 * weight).sum(axis=0)
        self.count = self.count + weight.sum(axis=0)
        self.num_samples += y_true.size

    def result(self) -> Any:
        if untouched(self.count):
            return 0.0
        xp = get_xp(self.count)
        variation = self.squared_sum - self.sum * divide_no_nan(self.sum, self.count)  # (C,)
        constant = variation == 0
        score = 1.0 - self.residual / (variation + constant)
        score = xp.where(constant, xp.where(self.residual == 0, xp.nan, 0.0), score)
        if self.class_aggregation == "uniform_average":
            score = score.mean()
        elif self.class_aggregation == "variance_weighted_average":
            score = (variation * score).sum() / variation.sum()
        return self._adjusted(score)

    def _adjusted(self, score: Any) -> Any:
        n, p = self.num_samples, self.num_regressors
        if p == 0:
            return score
        if p >= n - 1:
            warnings.warn(f"{self}: {p} regressors want more than {n} samples; this is the score without adjustment", stacklevel=3)
            return score
        return 1.0 - (1.0 - score) * (n - 1.0) / (n - p - 1.0)
