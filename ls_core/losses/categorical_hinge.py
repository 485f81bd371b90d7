"""Categorical hinge: l = max(1 + max_C((1 - t) y_pred) - sum_C t y_pred, 0). C the classes, the last axis."""

from __future__ import annotations

from typing import Any

from ..backend import get_xp
from ..kernel import kernel
from ..types import Array
from .categorical_crossentropy import align_one_hot
from .loss import Loss, function_form


@kernel
def categorical_hinge_forward(t: Array, y_pred: Array) -> tuple[Array, Any]:
    xp = get_xp(y_pred)
    others = (1.0 - t) * y_pred  # (..., C)
    worst = others.argmax(axis=-1)[..., None]  # (..., 1)
    margin = 1.0 + others.max(axis=-1) - (t * y_pred).sum(axis=-1)  # (...,)
    return xp.maximum(margin, 0.0), (t, worst, margin)


@kernel
def categorical_hinge_backward(weights: Array, t: Array, worst: Array, margin: Array) -> Array:
    xp = get_xp(weights)
    # 2. losses = max(margin, 0)
    dmargin = (weights * (margin > 0))[..., None]  # (..., 1)
    # 1. margin = 1 + others[worst] - sum_C(t y_pred), others = (1 - t) y_pred
    return dmargin * ((1.0 - t) * (xp.arange(t.shape[-1]) == worst) - t)  # (..., C)


class CategoricalHinge(Loss):
    """``max(1 + neg - pos, 0)``, pos the prediction of the true class, neg the largest of the others.

    Parameters
    ----------
    reduction, name, dtype
        See ``Loss``.

    Notes
    -----
    y_true one-hot. Gradient, where the loss is not 0: 1 for the largest other class, -1 for the true one.

    Source: Keras 3, ``keras.losses.CategoricalHinge``.

    Examples
    --------
    >>> value, gradient = CategoricalHinge().value_and_grad([[0.0, 1.0, 0.0]], [[0.5, 1.0, 0.25]])
    >>> float(value), gradient.tolist()
    (0.5, [[1.0, -1.0, 0.0]])
    """

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str = "categorical_hinge", dtype: Any = None) -> None:
        super().__init__(name, reduction, dtype)

    def align(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        return align_one_hot(self, y_true, y_pred)

    def per_sample(self, y_true: Array, y_pred: Array) -> Any:
        return categorical_hinge_forward(y_true, y_pred)

    def per_sample_gradient(self, weights: Array, saved: Any) -> Array:
        return categorical_hinge_backward(weights, *saved)


categorical_hinge = function_form(CategoricalHinge)
