"""tanh_shrink: y = x - tanh(x)."""

from __future__ import annotations

from ls_core.activation import ActivationFunction
from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array


@kernel
def tanh_shrink_forward(x: Array) -> tuple[Array, Array]:
    t = get_xp(x).tanh(x)  # (...)
    return x - t, t


@kernel
def tanh_shrink_backward(dy: Array, t: Array) -> Array:
    # y = x - t, t = tanh(x), dy/dx = 1 - (1 - t^2) = t^2
    return dy * (t * t)  # (...)


tanh_shrink = ActivationFunction("tanh_shrink", tanh_shrink_forward, tanh_shrink_backward)
