"""Mean absolute error: l = mean_C |y_pred - y_true|. C the last axis."""

from __future__ import annotations

from typing import Any

from ..backend import get_xp
from ..kernel import kernel
from ..types import Array
from .loss import Loss, function_form


@kernel
def mean_absolute_error_forward(y_true: Array, y_pred: Array) -> tuple[Array, Any]:
    error = y_pred - y_true  # (..., C)
    return get_xp(error).abs(error).mean(axis=-1), (error,)


@kernel
def mean_absolute_error_backward(weights: Array, error: Array) -> Array:
    # losses = mean_C |error|, error = y_pred - y_true;  |x|' = sign(x), 0 at 0
    return get_xp(error).sign(error) * (weights * (1.0 / error.shape[-1]))[..., None]  # (..., C)


class MeanAbsoluteError(Loss):
    """The mean of the absolute errors over the last axis: ``mean(|y_true - y_pred|)``.

    Parameters
    ----------
    reduction, name, dtype
        See ``Loss``.

    Notes
    -----
    Gradient: sign(y_pred - y_true) / C.

    Source: Keras 3, ``keras.losses.MeanAbsoluteError``.

    Examples
    --------
    >>> value, gradient = MeanAbsoluteError().value_and_grad([[0.0, 1.0]], [[1.0, 1.0]])
    >>> float(value), gradient.tolist()
    (0.5, [[0.5, 0.0]])
    """

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str = "mean_absolute_error", dtype: Any = None) -> None:
        super().__init__(name, reduction, dtype)

    def per_sample(self, y_true: Array, y_pred: Array) -> Any:
        return mean_absolute_error_forward(y_true, y_pred)

    def per_sample_gradient(self, weights: Array, saved: Any) -> Array:
        return mean_absolute_error_backward(weights, *saved)


mean_absolute_error = function_form(MeanAbsoluteError)
