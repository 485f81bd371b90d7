"""From the name of a metric to the metric: 'accuracy' depends on the shapes of the data."""

from __future__ import annotations

from typing import Any

from ..registry import deserialize, lookup
from .accuracy import BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy
from .metric import Metric
from .reduction import MeanMetricWrapper


def resolve_metric(spec: Any, loss: Any, y_true_shape: tuple[int, ...], y_pred_shape: tuple[int, ...]) -> Metric:
    """The metric that ``spec`` names for targets and predictions of these shapes.

    'accuracy' and 'acc' become ``BinaryAccuracy`` where y_pred's last axis is 1, ``SparseCategoricalAccuracy`` for
    class ids and ``CategoricalAccuracy`` otherwise. A name stays the metric's name; a function of (y_true, y_pred) is
    averaged; classes, configurations and metrics are taken as they are. ``loss`` is not looked at: Keras goes by the
    shapes alone.

    >>> resolve_metric('accuracy', None, (32,), (32, 10)), resolve_metric('mse', None, (32, 1), (32, 1))
    (SparseCategoricalAccuracy 'accuracy', MeanSquaredError 'mse')
    """
    if isinstance(spec, dict) and spec.get("class_name") == "function":
        spec = _function(spec["config"])
    if hasattr(spec, "form_of"):  # a function such as mean_squared_error
        return MeanMetricWrapper(spec)
    if isinstance(spec, str):
        if spec.lower() in ("accuracy", "acc"):
            return _accuracy(y_true_shape, y_pred_shape)(name=spec)
        found = lookup("metric", spec)
        return found(name=spec) if isinstance(found, type) else MeanMetricWrapper(found, name=spec)
    metric = deserialize("metric", spec)
    if isinstance(metric, Metric):
        return metric
    if callable(metric):
        return MeanMetricWrapper(metric)
    raise TypeError(f"a metric is a name, a Metric or a function of (y_true, y_pred), not {spec!r}")


def _accuracy(y_true_shape: tuple[int, ...], y_pred_shape: tuple[int, ...]) -> Any:
    if y_pred_shape[-1:] == (1,) or not y_pred_shape:
        return BinaryAccuracy
    if len(y_true_shape) < len(y_pred_shape) or y_true_shape[-1:] == (1,):
        return SparseCategoricalAccuracy
    return CategoricalAccuracy


def _function(name: str) -> Any:
    """The loss or metric that is a function of that name; else the name."""
    from .. import losses, metrics

    found = vars(losses).get(name, vars(metrics).get(name))
    return found if hasattr(found, "form_of") else name
