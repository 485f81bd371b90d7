"""Hinge: l = mean_C max(1 - t y_pred, 0), t = -1 or 1. C the last axis."""

from __future__ import annotations

from typing import Any

from ..backend import get_xp
from ..kernel import kernel
from ..types import Array
from .loss import Loss, function_form, labels_to_signs


@kernel
def hinge_forward(y_true: Array, y_pred: Array) -> tuple[Array, Any]:
    t = labels_to_signs(y_true)  # (..., C)
    margin = 1.0 - t * y_pred
    return get_xp(y_pred).maximum(margin, 0.0).mean(axis=-1), (t, margin)


@kernel
def hinge_backward(weights: Array, t: Array, margin: Array) -> Array:
    # losses = mean_C max(margin, 0), margin = 1 - t y_pred
    return -t * (margin > 0) * (weights * (1.0 / t.shape[-1]))[..., None]  # (..., C)


class Hinge(Loss):
    """``mean(max(1 - y_true y_pred, 0))`` for labels -1 and 1; labels 0 and 1 are taken for -1 and 1.

    Parameters
    ----------
    reduction, name, dtype
        See ``Loss``.

    Notes
    -----
    Gradient: -y_true / C where y_true y_pred < 1, else 0.

    Source: Keras 3, ``keras.losses.Hinge``.

    Examples
    --------
    >>> value, gradient = Hinge().value_and_grad([[1.0, -1.0]], [[0.5, -2.0]])
    >>> float(value), gradient.tolist()
    (0.25, [[-0.5, 0.0]])
    """

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str = "hinge", dtype: Any = None) -> None:
        super().__init__(name, reduction, dtype)

    def per_sample(self, y_true: Array, y_pred: Array) -> Any:
        return hinge_forward(y_true, y_pred)

    def per_sample_gradient(self, weights: Array, saved: Any) -> Array:
        return hinge_backward(weights, *saved)


hinge = function_form(Hinge)
