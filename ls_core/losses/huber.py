"""Huber: l = mean_C of e^2 / 2 where |e| <= d, else d |e| - d^2 / 2, e = y_pred - y_true. C the last axis."""

from __future__ import annotations

from typing import Any

from ..backend import get_xp
from ..kernel import kernel
from ..types import Array
from .loss import Loss, function_form


@kernel
def huber_forward(y_true: Array, y_pred: Array, delta: float) -> tuple[Array, Any]:
    xp = get_xp(y_pred)
    error = y_pred - y_true  # (..., C)
    size = xp.abs(error)
    each = xp.where(size <= delta, 0.5 * error * error, delta * size - 0.5 * delta * delta)
    return each.mean(axis=-1), (error,)


@kernel
def huber_backward(weights: Array, error: Array, delta: float) -> Array:
    # losses = mean_C each;  each' = error where |error| <= delta, else delta sign(error)
    return get_xp(error).clip(error, -delta, delta) * (weights * (1.0 / error.shape[-1]))[..., None]  # (..., C)


class Huber(Loss):
    """Squared error for small errors, absolute error for those beyond ``delta``.

    Parameters
    ----------
    delta : float
        Where the quadratic part ends; default 1.0.
    reduction, name, dtype
        See ``Loss``.

    Notes
    -----
    Gradient: (y_pred - y_true) / C, kept within [-delta / C, delta / C].

    Source: Huber 1964, "Robust Estimation of a Location Parameter"; Keras 3, ``keras.losses.Huber``.

    Examples
    --------
    >>> value, gradient = Huber().value_and_grad([[0.0, 0.0]], [[0.5, 3.0]])
    >>> float(value), gradient.tolist()
    (1.3125, [[0.25, 0.5]])
    """

    def __init__(
        self, delta: float = 1.0, reduction: str | None = "sum_over_batch_size", name: str = "huber_loss", dtype: Any = None
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.delta = delta

    def per_sample(self, y_true: Array, y_pred: Array) -> Any:
        return huber_forward(y_true, y_pred, self.delta)

    def per_sample_gradient(self, weights: Array, saved: Any) -> Array:
        return huber_backward(weights, *saved, self.delta)


huber = function_form(Huber)
