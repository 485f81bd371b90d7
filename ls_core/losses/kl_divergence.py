"""Kullback-Leibler divergence: l = sum_C t log(t / p). C the last axis."""

from __future__ import annotations

from typing import Any

from ..backend import get_xp
from ..kernel import kernel
from ..types import Array
from .loss import EPSILON, Loss, function_form


@kernel
def kl_divergence_forward(t: Array, p: Array) -> tuple[Array, Any]:
    xp = get_xp(p)
    t = xp.clip(t, EPSILON, 1.0)  # (..., C)
    q = xp.clip(p, EPSILON, 1.0)
    return (t * xp.log(t / q)).sum(axis=-1), (t, p, q)


@kernel
def kl_divergence_backward(weights: Array, t: Array, p: Array, q: Array) -> Array:
    # 2. losses = sum_C t log(t / q)
    dq = -t / q * weights[..., None]  # (..., C)
    # 1. q = clip(p, 1e-7, 1)
    return dq * ((p >= EPSILON) & (p <= 1.0))


class KLDivergence(Loss):
    """How far the predicted distribution is from the true one: ``sum(y_true log(y_true / y_pred))``.

    Parameters
    ----------
    reduction, name, dtype
        See ``Loss``.

    Notes
    -----
    Both are kept within [1e-7, 1]. Gradient: -y_true / y_pred, and 0 where y_pred was clipped.

    Source: Keras 3, ``keras.losses.KLDivergence``.

    Examples
    --------
    >>> value, gradient = KLDivergence().value_and_grad([[0.5, 0.5]], [[0.25, 0.75]])
    >>> round(float(value), 4)
    0.1438
    >>> print(gradient.round(2))
    [[-2.   -0.67]]
    """

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str = "kl_divergence", dtype: Any = None) -> None:
        super().__init__(name, reduction, dtype)

    def per_sample(self, y_true: Array, y_pred: Array) -> Any:
        return kl_divergence_forward(y_true, y_pred)

    def per_sample_gradient(self, weights: Array, saved: Any) -> Array:
        return kl_divergence_backward(weights, *saved)


kl_divergence = function_form(KLDivergence)
