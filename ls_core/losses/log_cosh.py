"""Log-cosh: l = mean_C log(cosh(y_pred - y_true)). C the last axis.

log(cosh(x)) = |x| + log(1 + exp(-2 |x|)) - log 2 never overflows.
"""

from __future__ import annotations

import math
from typing import Any

from ..backend import get_xp
from ..kernel import kernel
from ..types import Array
from .loss import Loss, function_form


@kernel
def log_cosh_forward(y_true: Array, y_pred: Array) -> tuple[Array, Any]:
    xp = get_xp(y_pred)
    error = y_pred - y_true  # (..., C)
    size = xp.abs(error)
    return (size + xp.log1p(xp.exp(-2.0 * size)) - math.log(2.0)).mean(axis=-1), (error,)


@kernel
def log_cosh_backward(weights: Array, error: Array) -> Array:
    # losses = mean_C log(cosh(error)), error = y_pred - y_true;  log(cosh(x))' = tanh(x)
    return get_xp(error).tanh(error) * (weights * (1.0 / error.shape[-1]))[..., None]  # (..., C)


class LogCosh(Loss):
    """The mean of the logarithm of the hyperbolic cosine of the error: about x^2 / 2 for small x, |x| - log 2 for large.

    Parameters
    ----------
    reduction, name, dtype
        See ``Loss``.

    Notes
    -----
    Gradient: tanh(y_pred - y_true) / C.

    Source: Keras 3, ``keras.losses.LogCosh``.

    Examples
    --------
    >>> value, gradient = LogCosh().value_and_grad([[0.0, 0.0]], [[1.0, 0.0]])
    >>> round(float(value), 4)
    0.2169
    >>> print(gradient.round(4))
    [[0.3808 0.    ]]
    """

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str = "log_cosh", dtype: Any = None) -> None:
        super().__init__(name, reduction, dtype)

    def per_sample(self, y_true: Array, y_pred: Array) -> Any:
        return log_cosh_forward(y_true, y_pred)

    def per_sample_gradient(self, weights: Array, saved: Any) -> Array:
        return log_cosh_backward(weights, *saved)


log_cosh = function_form(LogCosh)
