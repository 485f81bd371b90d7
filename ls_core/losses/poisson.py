"""Poisson: l = mean_C (p - t log(p + 1e-7)), the negative log-likelihood of counts t at rates p, less a constant. C the last axis."""

from __future__ import annotations

from typing import Any

from ..backend import get_xp
from ..kernel import kernel
from ..types import Array
from .loss import EPSILON, Loss, function_form


@kernel
def poisson_forward(t: Array, p: Array) -> tuple[Array, Any]:
    xp = get_xp(p)
    shifted = p + EPSILON  # (..., C)
    return (p - t * xp.log(shifted)).mean(axis=-1), (t, shifted)


@kernel
def poisson_backward(weights: Array, t: Array, shifted: Array) -> Array:
    # losses = mean_C(p - t log(shifted)), shifted = p + 1e-7
    return (1.0 - t / shifted) * (weights * (1.0 / t.shape[-1]))[..., None]  # (..., C)


class Poisson(Loss):
    """``mean(y_pred - y_true log(y_pred))``: the negative log-likelihood of counts y_true at rates y_pred.

    Parameters
    ----------
    reduction, name, dtype
        See ``Loss``.

    Notes
    -----
    Gradient: (1 - y_true / y_pred) / C.

    Source: Keras 3, ``keras.losses.Poisson``.

    Examples
    --------
    >>> value, gradient = Poisson().value_and_grad([[2.0, 1.0]], [[1.0, 2.0]])
    >>> round(float(value), 4)
    1.1534
    >>> print(gradient.round(4))
    [[-0.5   0.25]]
    """

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str = "poisson", dtype: Any = None) -> None:
        super().__init__(name, reduction, dtype)

    def per_sample(self, y_true: Array, y_pred: Array) -> Any:
        return poisson_forward(y_true, y_pred)

    def per_sample_gradient(self, weights: Array, saved: Any) -> Array:
        return poisson_backward(weights, *saved)


poisson = function_form(Poisson)
