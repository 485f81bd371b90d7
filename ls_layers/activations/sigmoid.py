"""sigmoid: y = 1 / (1 + exp(-x)) = (1 + tanh(x / 2)) / 2, which no x overflows."""

from __future__ import annotations

from ls_core.activation import ActivationFunction
from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array


@kernel
def sigmoid_forward(x: Array) -> tuple[Array, Array]:
    y = get_xp(x).tanh(x * 0.5)  # (...)
    y *= 0.5
    y += 0.5
    return y, y


@kernel
def sigmoid_backward(dy: Array, y: Array) -> Array:
    # y = sigmoid(x), dy/dx = y (1 - y)
    return dy * y * (1 - y)  # (...)


sigmoid = ActivationFunction("sigmoid", sigmoid_forward, sigmoid_backward)
