"""Mean squared logarithmic error: l = mean_C (log(y_pred + 1) - log(y_true + 1))^2. C the last axis."""

from __future__ import annotations

from typing import Any

from ..backend import get_xp
from ..kernel import kernel
from ..types import Array
from .loss import EPSILON, Loss, function_form


@kernel
def mean_squared_logarithmic_error_forward(y_true: Array, y_pred: Array) -> tuple[Array, Any]:
    xp = get_xp(y_pred)
    shifted = xp.maximum(y_pred, EPSILON) + 1.0  # (..., C)
    error = xp.log(shifted) - xp.log(xp.maximum(y_true, EPSILON) + 1.0)
    return (error * error).mean(axis=-1), (y_pred, shifted, error)


@kernel
def mean_squared_logarithmic_error_backward(weights: Array, y_pred: Array, shifted: Array, error: Array) -> Array:
    # 3. losses = mean_C(error * error)
    derror = error * (weights * (2.0 / error.shape[-1]))[..., None]  # (..., C)
    # 2. error = log(shifted) - log(...)
    # 1. shifted = max(y_pred, 1e-7) + 1
    return derror / shifted * (y_pred > EPSILON)


class MeanSquaredLogarithmicError(Loss):
    """The mean squared error of the logarithms: ``mean((log(y_true + 1) - log(y_pred + 1))^2)``.

    Parameters
    ----------
    reduction, name, dtype
        See ``Loss``.

    Notes
    -----
    Values below 1e-7 count as 1e-7. Gradient: 2 (log(y_pred + 1) - log(y_true + 1)) / (C (y_pred + 1)).

    Source: Keras 3, ``keras.losses.MeanSquaredLogarithmicError``.

    Examples
    --------
    >>> value, gradient = MeanSquaredLogarithmicError().value_and_grad([[0.0, 0.0]], [[1.0, 0.0]])
    >>> round(float(value), 4)
    0.2402
    >>> print(gradient.round(4))
    [[0.3466 0.    ]]
    """

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "mean_squared_logarithmic_error", dtype: Any = None
    ) -> None:
        super().__init__(name, reduction, dtype)

    def per_sample(self, y_true: Array, y_pred: Array) -> Any:
        return mean_squared_logarithmic_error_forward(y_true, y_pred)

    def per_sample_gradient(self, weights: Array, saved: Any) -> Array:
        return mean_squared_logarithmic_error_backward(weights, *saved)


mean_squared_logarithmic_error = function_form(MeanSquaredLogarithmicError)
