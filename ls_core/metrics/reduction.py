"""Sum and Mean of what they are shown, and the metric that a function of (y_true, y_pred) makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..backend import as_float, backend_of, get_xp, is_array, to_device
from ..errors import ShapeError
from ..losses.loss import divide_no_nan, same_rank
from ..types import Array
from .metric import Metric


def weigh(values: Any, sample_weight: Any, reduce: str, dtype: Any = None) -> tuple[Array, Array]:
    """-> values (B,), weights (B,) or None: every axis after the batch reduced by ``reduce``, 'mean' or 'sum'.

    Weights with fewer axes than the values stand for the first ones: (B,) weighs the rows of values (B, T).
    """
    values = values if is_array(values) else np.asarray(values)
    values = values.astype(dtype or ("float64" if values.dtype.kind != "f" else values.dtype), copy=False)
    weight = None
    if sample_weight is not None:
        given = sample_weight if is_array(sample_weight) else np.asarray(sample_weight)
        weight = to_device(given, backend_of(values)).astype(values.dtype, copy=False)
        values, weight = same_rank(values, weight)
        if values.ndim > weight.ndim:
            values = getattr(values, reduce)(axis=tuple(range(weight.ndim, values.ndim)))
        try:
            weight = get_xp(values).broadcast_to(weight, values.shape)
        except ValueError:
            raise ShapeError(
                f"sample_weight has shape {tuple(given.shape)}, the values {tuple(values.shape)}; give one weight for each sample."
            ) from None
        values = values * weight
        if weight.ndim > 1:
            weight = getattr(weight, reduce)(axis=tuple(range(1, weight.ndim)))
    if values.ndim > 1:
        values = getattr(values, reduce)(axis=tuple(range(1, values.ndim)))
    return values, weight


class Sum(Metric):
    """The weighted sum of all values.

    Source: Keras 3, ``keras.metrics.Sum``.

    >>> metric = Sum(); metric.update_state([1.0, 3.0]); float(metric([5.0, 7.0]))
    16.0
    """

    def __init__(self, name: str = "sum", dtype: Any = None) -> None:
        super().__init__(dtype, name)

    def reset_state(self) -> None:
        self.total: Array = 0.0

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        values, _ = weigh(values, sample_weight, "sum", self.dtype)
        self.total = self.total + values.sum(dtype=np.float64)

    def result(self) -> Any:
        return self.total


class Mean(Metric):
    """The weighted mean of all values: ``sum(values * weights) / sum(weights)``; 0 before the first.

    Source: Keras 3, ``keras.metrics.Mean``.

    >>> metric = Mean(); metric.update_state([1.0, 3.0]); float(metric([5.0, 7.0], sample_weight=[1.0, 0.0]))
    3.0
    """

    def __init__(self, name: str = "mean", dtype: Any = None) -> None:
        super().__init__(dtype, name)

    def reset_state(self) -> None:
        self.total: Array = 0.0
        self.count: Array = 0.0

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        self.add(values, sample_weight)

    def add(self, values: Any, sample_weight: Any) -> None:
        """Count ``values`` in."""
        values, weight = weigh(values, sample_weight, "mean", self.dtype)
        self.total = self.total + values.sum(dtype=np.float64)
        if weight is None:
            self.count = self.count + (values.shape[0] if values.ndim else 1)
        else:
            self.count = self.count + weight.sum(dtype=np.float64)

    def result(self) -> Any:
        return divide_no_nan(self.total, self.count)


class MeanOfValues(Mean):
    """The mean of ``values(y_true, y_pred)``, which a subclass writes: one for each sample."""

    def values(self, y_true: Array, y_pred: Array) -> Array:
        raise NotImplementedError(f"{type(self).__name__} has no values")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        self.add(self.values(*self.arrays(y_true, y_pred)), sample_weight)

    def of(self, y_true: Any, y_pred: Any) -> Array:
        """The values before the mean, as floats; what the metric has gathered is not touched."""
        return as_float(self.values(*self.arrays(y_true, y_pred)))


class MeanMetricWrapper(MeanOfValues):
    """The mean of a function's values.

    Parameters
    ----------
    fn : callable
        ``fn(y_true, y_pred, **options)`` returns one value for each sample.
    name : str, optional
        Default: the function's name.

    Source: Keras 3, ``keras.metrics.MeanMetricWrapper``.

    >>> metric = MeanMetricWrapper(lambda y_true, y_pred: abs(y_true - y_pred), name='distance')
    >>> float(metric(np.array([1.0, 2.0]), np.array([1.0, 5.0])))
    1.5
    """

    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **options: Any) -> None:
        self.fn = fn
        self.options = options
        super().__init__(name or str(getattr(fn, "__name__", "function")), dtype)

    def values(self, y_true: Array, y_pred: Array) -> Array:
        return self.fn(y_true, y_pred, **self.options)
