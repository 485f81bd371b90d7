"""log_sigmoid: y = log(1 / (1 + exp(-x))) = min(x, 0) - log(1 + exp(-|x|)), which no x overflows."""

from __future__ import annotations

from ls_core.activation import ActivationFunction
from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array

from .parts import magnitude, negative_part


@kernel
def log_sigmoid_forward(x: Array) -> tuple[Array, Array]:
    xp = get_xp(x)
    y = negative_part(x)  # (...)
    y -= xp.log1p(xp.exp(-magnitude(x)))
    return y, y


@kernel
def log_sigmoid_backward(dy: Array, y: Array) -> Array:
    # y = log(sigmoid(x)), dy/dx = 1 - sigmoid(x) = 1 - exp(y)
    slope = get_xp(y).expm1(y)  # (...)
    slope *= -1.0
    return dy * slope  # (...)


log_sigmoid = ActivationFunction("log_sigmoid", log_sigmoid_forward, log_sigmoid_backward)
