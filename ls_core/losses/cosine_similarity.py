"""Cosine similarity: l = -sum_C (t / |t|) (y / |y|), t = y_true, y = y_pred. C the vectors' axis."""

from __future__ import annotations

from typing import Any

from ..backend import get_xp
from ..kernel import kernel
from ..types import Array
from .loss import EPSILON, Loss, function_form


@kernel
def cosine_similarity_forward(t: Array, y: Array, axis: int) -> tuple[Array, Any]:
    xp = get_xp(y)
    norm = xp.sqrt((y * y).sum(axis=axis, keepdims=True))  # (..., 1)
    size = xp.maximum(norm, EPSILON)
    u = y / size  # (..., C)
    v = t / xp.maximum(xp.sqrt((t * t).sum(axis=axis, keepdims=True)), EPSILON)
    return -(v * u).sum(axis=axis), (u, v, norm, size)


@kernel
def cosine_similarity_backward(weights: Array, u: Array, v: Array, norm: Array, size: Array, axis: int) -> Array:
    xp = get_xp(weights)
    # 3. losses = -sum_C v u
    du = -v * xp.expand_dims(weights, axis)  # (..., C)
    # 2. u = y / size
    # 1. size = max(|y|, 1e-7):  d size / dy = u, or 0 where the vector is shorter
    return (du - u * (du * u).sum(axis=axis, keepdims=True) * (norm > EPSILON)) / size


class CosineSimilarity(Loss):
    """The negative cosine of the angle between y_true and y_pred: -1 for the same direction, 1 for the opposite one.

    Parameters
    ----------
    axis : int
        Axis of the vectors, default -1.
    reduction, name, dtype
        See ``Loss``.

    Notes
    -----
    A vector shorter than 1e-7 is divided by 1e-7. Gradient: -(v - u (u . v)) / |y_pred|, u and v the unit vectors.

    Source: Keras 3, ``keras.losses.CosineSimilarity``.

    Examples
    --------
    >>> value, gradient = CosineSimilarity().value_and_grad([[0.0, 1.0]], [[3.0, 4.0]])
    >>> round(float(value), 4)
    -0.8
    >>> print(gradient.round(4))
    [[ 0.096 -0.072]]
    """

    def __init__(
        self, axis: int = -1, reduction: str | None = "sum_over_batch_size", name: str = "cosine_similarity", dtype: Any = None
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.axis = axis

    def per_sample(self, y_true: Array, y_pred: Array) -> Any:
        return cosine_similarity_forward(y_true, y_pred, self.axis)

    def per_sample_gradient(self, weights: Array, saved: Any) -> Array:
        return cosine_similarity_backward(weights, *saved, self.axis)


cosine_similarity = function_form(CosineSimilarity)
