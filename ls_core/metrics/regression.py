"""Metrics of regression: mean errors, cosine similarity."""

from __future__ import annotations

from typing import Any

from .. import losses
from ..backend import as_float, get_xp
from ..registry import form_of
from ..types import Array
from .loss_mean import LossMean
from .metric import same_shape
from .reduction import Mean, MeanOfValues


class MeanSquaredError(LossMean):
    """The mean squared error.

    Source: Keras 3, ``keras.metrics.MeanSquaredError``.

    >>> round(float(MeanSquaredError()([[0.0, 1.0], [0.0, 2.0]], [[1.0, 1.0], [0.0, 4.0]])), 4)
    1.25
    """

    def __init__(self, name: str = "mean_squared_error", dtype: Any = None) -> None:
        super().__init__(losses.MeanSquaredError(None, dtype=dtype), name, dtype)


class RootMeanSquaredError(Mean):
    """The square root of the mean squared error.

    Source: Keras 3, ``keras.metrics.RootMeanSquaredError``.

    >>> round(float(RootMeanSquaredError()([[0.0, 1.0], [0.0, 2.0]], [[1.0, 1.0], [0.0, 4.0]])), 4)
    1.118
    """

    def __init__(self, name: str = "root_mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        y_true, y_pred = same_shape(self, *self.arrays(y_true, y_pred))
        error = as_float(y_pred) - y_true
        self.add(error * error, sample_weight)

    def result(self) -> Any:
        return super().result() ** 0.5


class MeanAbsoluteError(LossMean):
    """The mean absolute error.

    Source: Keras 3, ``keras.metrics.MeanAbsoluteError``.

    >>> round(float(MeanAbsoluteError()([[0.0, 1.0], [0.0, 2.0]], [[1.0, 1.0], [0.0, 4.0]])), 4)
    0.75
    """

    def __init__(self, name: str = "mean_absolute_error", dtype: Any = None) -> None:
        super().__init__(losses.MeanAbsoluteError(None, dtype=dtype), name, dtype)


class MeanAbsolutePercentageError(LossMean):
    """The mean absolute error in percent of the targets.

    Source: Keras 3, ``keras.metrics.MeanAbsolutePercentageError``.

    >>> round(float(MeanAbsolutePercentageError()([[2.0, 4.0]], [[1.0, 5.0]])), 4)
    37.5
    """

    def __init__(self, name: str = "mean_absolute_percentage_error", dtype: Any = None) -> None:
        super().__init__(losses.MeanAbsolutePercentageError(None, dtype=dtype), name, dtype)


class MeanSquaredLogarithmicError(LossMean):
    """The mean squared error of log(1 + y).

    Source: Keras 3, ``keras.metrics.MeanSquaredLogarithmicError``.

    >>> round(float(MeanSquaredLogarithmicError()([[0.0, 1.0], [0.0, 2.0]], [[1.0, 1.0], [0.0, 4.0]])), 4)
    0.1853
    """

    def __init__(self, name: str = "mean_squared_logarithmic_error", dtype: Any = None) -> None:
        super().__init__(losses.MeanSquaredLogarithmicError(None, dtype=dtype), name, dtype)


class LogCoshError(LossMean):
    """The mean of log(cosh(error)).

    Source: Keras 3, ``keras.metrics.LogCoshError``.

    >>> round(float(LogCoshError()([[0.0, 1.0], [0.0, 2.0]], [[1.0, 1.0], [0.0, 4.0]])), 4)
    0.4397
    """

    def __init__(self, name: str = "logcosh", dtype: Any = None) -> None:
        super().__init__(losses.LogCosh(None, dtype=dtype), name, dtype)


class CosineSimilarity(LossMean):
    """The mean cosine of the angle between y_true and y_pred along ``axis``: 1 for the same direction.

    Source: Keras 3, ``keras.metrics.CosineSimilarity``.

    >>> round(float(CosineSimilarity()([[0.0, 1.0]], [[3.0, 4.0]])), 4)
    0.8
    """

    def __init__(self, name: str = "cosine_similarity", dtype: Any = None, axis: int = -1) -> None:
        super().__init__(losses.CosineSimilarity(axis, None, dtype=dtype), name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        self.add(-self.loss(y_true, y_pred), sample_weight)  # the loss is the negative cosine


class PearsonCorrelation(MeanOfValues):
    """The mean correlation coefficient of y_true and y_pred along ``axis``; NaN where one of them is constant.

    Source: Keras 3, ``keras.metrics.PearsonCorrelation``.

    >>> round(float(PearsonCorrelation()([[0.0, 1.0, 0.5], [1.0, 1.0, 0.2]], [[0.1, 0.9, 0.5], [1.0, 0.9, 0.2]])), 4)
    0.9967
    """

    def __init__(self, name: str = "pearson_correlation", dtype: Any = None, axis: int = -1) -> None:
        super().__init__(name, dtype)
        self.axis = axis

    def values(self, y_true: Array, y_pred: Array) -> Array:
        y_true, y_pred = same_shape(self, y_true, y_pred)
        t, p = as_float(y_true), as_float(y_pred)
        xp, axis = get_xp(p), self.axis
        t = t - t.mean(axis=axis, keepdims=True)
        p = p - p.mean(axis=axis, keepdims=True)
        return (t * p).mean(axis=axis) / xp.sqrt((t * t).mean(axis=axis) * (p * p).mean(axis=axis))


class ConcordanceCorrelation(MeanOfValues):
    """The mean concordance coefficient along ``axis``: 1 only where y_pred equals y_true, not just follows it.

    ``2 cov(t, p) / (var(t) + var(p) + (mean(t) - mean(p))^2 + 1e-7)``.

    Source: Lin 1989, "A Concordance Correlation Coefficient to Evaluate Reproducibility"; Keras 3,
    ``keras.metrics.ConcordanceCorrelation``.

    >>> round(float(ConcordanceCorrelation()([[0.0, 1.0, 0.5], [1.0, 1.0, 0.2]], [[0.1, 0.9, 0.5], [1.0, 0.9, 0.2]])), 4)
    0.9816
    """

    def __init__(self, name: str = "concordance_correlation", dtype: Any = None, axis: int = -1) -> None:
        super().__init__(name, dtype)
        self.axis = axis

    def values(self, y_true: Array, y_pred: Array) -> Array:
        y_true, y_pred = same_shape(self, y_true, y_pred)
        t, p = as_float(y_true), as_float(y_pred)
        axis = self.axis
        t_mean, p_mean = t.mean(axis=axis, keepdims=True), p.mean(axis=axis, keepdims=True)
        covariance = ((t - t_mean) * (p - p_mean)).mean(axis=axis)
        distance = ((t_mean - p_mean) ** 2).mean(axis=axis)
        return 2.0 * covariance / (t.var(axis=axis) + p.var(axis=axis) + distance + losses.loss.EPSILON)


@form_of(PearsonCorrelation)
def pearson_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Array:
    """The correlation coefficients along ``axis``."""
    return PearsonCorrelation(axis=axis).of(y_true, y_pred)


@form_of(ConcordanceCorrelation)
def concordance_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Array:
    """The concordance coefficients along ``axis``."""
    return ConcordanceCorrelation(axis=axis).of(y_true, y_pred)
