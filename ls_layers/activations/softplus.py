"""softplus: y = log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)), which no x overflows.

PyTorch, and so Keras on it, returns x itself beyond 20, which is off by up to 2e-9; this is the formula throughout.
"""

from __future__ import annotations

from ls_core.activation import ActivationFunction
from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array

from .parts import magnitude, positive_part


@kernel
def softplus_forward(x: Array) -> tuple[Array, Array]:
    xp = get_xp(x)
    y = xp.log1p(xp.exp(-magnitude(x)))  # (...)
    y += positive_part(x)
    return y, y


@kernel
def softplus_backward(dy: Array, y: Array) -> Array:
    # y = log(1 + exp(x)), dy/dx = sigmoid(x) = 1 - exp(-y)
    slope = get_xp(y).expm1(-y)  # (...)
    slope *= -1.0
    return dy * slope  # (...)


softplus = ActivationFunction("softplus", softplus_forward, softplus_backward)
