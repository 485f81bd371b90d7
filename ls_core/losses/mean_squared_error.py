"""Mean squared error: l = mean_C (y_pred - y_true)^2. C the last axis."""

from __future__ import annotations

from typing import Any

from ..kernel import kernel
from ..types import Array
from .loss import Loss, function_form


@kernel
def mean_squared_error_forward(y_true: Array, y_pred: Array) -> tuple[Array, Any]:
    error = y_pred - y_true  # (..., C)
    return (error * error).mean(axis=-1), (error,)


@kernel
def mean_squared_error_backward(weights: Array, error: Array) -> Array:
    # losses = mean_C(error * error), error = y_pred - y_true
    return error * (weights * (2.0 / error.shape[-1]))[..., None]  # (..., C)


class MeanSquaredError(Loss):
    """The mean of the squared errors over the last axis: ``mean((y_true - y_pred)^2)``.

    Parameters
    ----------
    reduction, name, dtype
        See ``Loss``.

    Notes
    -----
    Gradient: 2 (y_pred - y_true) / C.

    Source: Keras 3, ``keras.losses.MeanSquaredError``.

    Examples
    --------
    >>> value, gradient = MeanSquaredError().value_and_grad([[0.0, 1.0]], [[1.0, 1.0]])
    >>> float(value), gradient.tolist()
    (0.5, [[1.0, 0.0]])
    """

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str = "mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name, reduction, dtype)

    def per_sample(self, y_true: Array, y_pred: Array) -> Any:
        return mean_squared_error_forward(y_true, y_pred)

    def per_sample_gradient(self, weights: Array, saved: Any) -> Array:
        return mean_squared_error_backward(weights, *saved)


mean_squared_error = function_form(MeanSquaredError)
