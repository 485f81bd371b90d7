"""From the name of a loss to the loss: 'crossentropy' depends on the shapes of the data."""

from __future__ import annotations

from typing import Any

from ..registry import deserialize
from .binary_crossentropy import BinaryCrossentropy
from .categorical_crossentropy import CategoricalCrossentropy
from .loss import Loss
from .sparse_categorical_crossentropy import SparseCategoricalCrossentropy


def resolve_loss(spec: Any, y_true_shape: tuple[int, ...], y_pred_shape: tuple[int, ...]) -> Loss:
    """The loss that ``spec`` names for targets and predictions of these shapes.

    'crossentropy' and 'ce' become ``BinaryCrossentropy`` where y_pred's last axis is 1, the sparse cross-entropy for class
    ids and the categorical one otherwise; every other name, class, configuration or loss does not depend on the shapes.

    >>> resolve_loss('ce', (32,), (32, 10)), resolve_loss('mse', (32, 1), (32, 1))
    (SparseCategoricalCrossentropy 'sparse_categorical_crossentropy', MeanSquaredError 'mean_squared_error')
    """
    if not isinstance(spec, str) or spec.lower() not in ("crossentropy", "ce"):
        found: Loss = deserialize("loss", spec)
        return found
    if y_pred_shape[-1:] == (1,):
        return BinaryCrossentropy()
    if len(y_true_shape) < len(y_pred_shape) or y_true_shape[-1:] == (1,):
        return SparseCategoricalCrossentropy()
    return CategoricalCrossentropy()
