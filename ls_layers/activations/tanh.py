"""tanh: y = tanh(x)."""

from __future__ import annotations

from ls_core.activation import ActivationFunction
from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array


@kernel
def tanh_forward(x: Array) -> tuple[Array, Array]:
    y = get_xp(x).tanh(x)  # (...)
    return y, y


@kernel
def tanh_backward(dy: Array, y: Array) -> Array:
    # y = tanh(x), dy/dx = 1 - y^2
    return dy * (1 - y * y)  # (...)


tanh = ActivationFunction("tanh", tanh_forward, tanh_backward)
