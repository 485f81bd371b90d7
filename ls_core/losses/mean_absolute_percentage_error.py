"""Mean absolute percentage error: l = 100 mean_C |y_true - y_pred| / max(|y_true|, 1e-7). C the last axis."""

from __future__ import annotations

from typing import Any

from ..backend import get_xp
from ..kernel import kernel
from ..types import Array
from .loss import EPSILON, Loss, function_form


@kernel
def mean_absolute_percentage_error_forward(y_true: Array, y_pred: Array) -> tuple[Array, Any]:
    xp = get_xp(y_pred)
    scale = 100.0 / xp.maximum(xp.abs(y_true), EPSILON)  # (..., C)
    error = y_pred - y_true
    return (xp.abs(error) * scale).mean(axis=-1), (error, scale)


@kernel
def mean_absolute_percentage_error_backward(weights: Array, error: Array, scale: Array) -> Array:
    # losses = mean_C(|error| scale), error = y_pred - y_true;  |x|' = sign(x), 0 at 0
    return get_xp(error).sign(error) * scale * (weights * (1.0 / error.shape[-1]))[..., None]  # (..., C)


class MeanAbsolutePercentageError(Loss):
    """The mean absolute error in percent of the targets: ``100 mean(|y_true - y_pred| / |y_true|)``.

    Parameters
    ----------
    reduction, name, dtype
        See ``Loss``.

    Notes
    -----
    Targets nearer to 0 than 1e-7 are divided by 1e-7. Gradient: 100 sign(y_pred - y_true) / (C |y_true|).

    Source: Keras 3, ``keras.losses.MeanAbsolutePercentageError``.

    Examples
    --------
    >>> value, gradient = MeanAbsolutePercentageError().value_and_grad([[2.0, 4.0]], [[1.0, 5.0]])
    >>> float(value), gradient.tolist()
    (37.5, [[-25.0, 12.5]])
    """

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "mean_absolute_percentage_error", dtype: Any = None
    ) -> None:
        super().__init__(name, reduction, dtype)

    def per_sample(self, y_true: Array, y_pred: Array) -> Any:
        return mean_absolute_percentage_error_forward(y_true, y_pred)

    def per_sample_gradient(self, weights: Array, saved: Any) -> Array:
        return mean_absolute_percentage_error_backward(weights, *saved)


mean_absolute_percentage_error = function_form(MeanAbsolutePercentageError)
