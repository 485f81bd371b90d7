"""Squared hinge: l = mean_C max(1 - t y_pred, 0)^2, t = -1 or 1. C the last axis."""

from __future__ import annotations

from typing import Any

from ..backend import get_xp
from ..kernel import kernel
from ..types import Array
from .loss import Loss, function_form, labels_to_signs


@kernel
def squared_hinge_forward(y_true: Array, y_pred: Array) -> tuple[Array, Any]:
    t = labels_to_signs(y_true)  # (..., C)
    margin = get_xp(y_pred).maximum(1.0 - t * y_pred, 0.0)
    return (margin * margin).mean(axis=-1), (t, margin)


@kernel
def squared_hinge_backward(weights: Array, t: Array, margin: Array) -> Array:
    # losses = mean_C(margin * margin), margin = max(1 - t y_pred, 0)
    return -t * margin * (weights * (2.0 / t.shape[-1]))[..., None]  # (..., C)


class SquaredHinge(Loss):
    """``mean(max(1 - y_true y_pred, 0)^2)`` for labels -1 and 1; labels 0 and 1 are taken for -1 and 1.

    Parameters
    ----------
    reduction, name, dtype
        See ``Loss``.

    Notes
    -----
    Gradient: -2 y_true max(1 - y_true y_pred, 0) / C.

    Source: Keras 3, ``keras.losses.SquaredHinge``.

    Examples
    --------
    >>> value, gradient = SquaredHinge().value_and_grad([[1.0, -1.0]], [[0.5, -2.0]])
    >>> float(value), gradient.tolist()
    (0.125, [[-0.5, 0.0]])
    """

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str = "squared_hinge", dtype: Any = None) -> None:
        super().__init__(name, reduction, dtype)

    def per_sample(self, y_true: Array, y_pred: Array) -> Any:
        return squared_hinge_forward(y_true, y_pred)

    def per_sample_gradient(self, weights: Array, saved: Any) -> Array:
        return squared_hinge_backward(weights, *saved)


squared_hinge = function_form(SquaredHinge)
