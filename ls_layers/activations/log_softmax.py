"""log_softmax along an axis: y_i = x_i - m - log(sum_j exp(x_j - m)), m = max x."""

from __future__ import annotations

from ls_core.activation import ActivationFunction
from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array


@kernel
def log_softmax_forward(x: Array, axis: int = -1) -> tuple[Array, Array]:
    xp = get_xp(x)
    y = x - x.max(axis=axis, keepdims=True)  # (..., C)
    y -= xp.log(xp.exp(y).sum(axis=axis, keepdims=True))
    return y, y


@kernel
def log_softmax_backward(dy: Array, y: Array, axis: int = -1) -> Array:
    # y = log(softmax(x)), dy_i/dx_j = delta_ij - exp(y_j)
    dx = get_xp(y).exp(y)  # (..., C)
    dx *= dy.sum(axis=axis, keepdims=True) * -1.0
    dx += dy
    return dx


log_softmax = ActivationFunction("log_softmax", log_softmax_forward, log_softmax_backward)
