"""Metric: numbers that grow batch by batch and are read at the end of an epoch.

::

    metric.update_state(y_true, y_pred, sample_weight=None)      # adds a batch; reads nothing back from the device
    metric.result()                                              # a 0-d or small array
    metric.reset_state()                                         # starts anew

A subclass writes these three. ``reset_state`` sets every state to 0.0; the first batch makes it an array of the data's
own backend. Sums are kept in float64, so that counts stay exact past 2^24 samples.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import backend_of, get_xp, is_array, to_device
from ..errors import ShapeError
from ..layer import snake_case
from ..losses.loss import same_rank
from ..registry import Configurable
from ..types import Array


class Metric(Configurable):
    """The base of every metric.

    Parameters
    ----------
    dtype : str, optional
        Float type that the values are computed in before they are summed; default: that of y_pred.
    name : str, optional
        Default: the class name in snake_case.

    Source: Keras 3, ``keras.metrics.Metric``.

    Examples
    --------
    >>> class Positives(Metric):
    ...     def reset_state(self):
    ...         self.count = 0.0
    ...     def update_state(self, y_true, y_pred, sample_weight=None):
    ...         self.count = self.count + (np.asarray(y_pred) > 0).sum()
    ...     def result(self):
    ...         return self.count
    >>> metric = Positives()
    >>> float(metric(None, [1.0, -1.0])), float(metric(None, [2.0])), metric.name
    (1.0, 2.0, 'positives')
    """

    registry_kind = "metric"

    def __init__(self, dtype: Any = None, name: str | None = None) -> None:
        self.name = name or snake_case(type(self).__name__)
        self.dtype = None if dtype is None else str(np.dtype(dtype))
        self.reset_state()

    def reset_state(self) -> None:
        """Forget every batch."""
        raise NotImplementedError(f"{type(self).__name__} has no reset_state")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch."""
        raise NotImplementedError(f"{type(self).__name__} has no update_state")

    def result(self) -> Any:
        """The metric over all batches so far."""
        raise NotImplementedError(f"{type(self).__name__} has no result")

    def __call__(self, *batch: Any, **options: Any) -> Any:
        """update_state, then result."""
        self.update_state(*batch, **options)
        return self.result()

    def arrays(self, y_true: Any, y_pred: Any) -> tuple[Array, Array]:
        """Both as arrays on y_pred's backend; floats in ``dtype`` where one was given."""
        y_pred = y_pred if is_array(y_pred) else np.asarray(y_pred)
        if self.dtype is not None and y_pred.dtype.kind == "f":
            y_pred = y_pred.astype(self.dtype, copy=False)
        return to_device(y_true if is_array(y_true) else np.asarray(y_true), backend_of(y_pred)), y_pred

    def mismatch(self, y_true: Array, y_pred: Array, fix: str) -> ShapeError:
        """The error for shapes that do not fit."""
        return ShapeError(f"{self}: y_true has shape {tuple(y_true.shape)}, y_pred has {tuple(y_pred.shape)}. {fix}")

    def __repr__(self) -> str:
        return f"{type(self).__name__} '{self.name}'"


def same_shape(metric: Metric, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
    """Both with the same number of axes, (B,) standing for (B, 1), after a check that their shapes are equal."""
    y_true, y_pred = same_rank(y_true, y_pred)
    if y_true.shape != y_pred.shape:
        raise metric.mismatch(y_true, y_pred, "They must be equal.")
    return y_true, y_pred


def as_weight(sample_weight: Any, like: Array) -> Array:
    """Sample weights in the shape of ``like``, in float64; 1 where none are given.

    Weights with fewer axes stand for the first ones: (B,) weighs the rows of (B, T).

    >>> as_weight([1.0, 2.0], np.ones((2, 2))).tolist()
    [[1.0, 1.0], [2.0, 2.0]]
    """
    xp = get_xp(like)
    if sample_weight is None:
        return xp.ones(like.shape, dtype=np.float64)
    given = sample_weight if is_array(sample_weight) else np.asarray(sample_weight)
    weight = to_device(given, backend_of(like)).astype(np.float64, copy=False)
    if weight.ndim == like.ndim + 1 and weight.shape[-1] == 1:
        weight = weight[..., 0]
    if 0 < weight.ndim < like.ndim:
        weight = weight.reshape(weight.shape + (1,) * (like.ndim - weight.ndim))
    try:
        return xp.broadcast_to(weight, like.shape)
    except ValueError:
        raise ShapeError(
            f"sample_weight has shape {tuple(given.shape)}, the values {tuple(like.shape)}; give one weight for each sample."
        ) from None


def untouched(state: Any) -> bool:
    """Whether a state is still the 0.0 of reset_state (``np.float64`` derives from float, so isinstance would not tell)."""
    return type(state) is float
