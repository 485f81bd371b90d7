"""hard_sigmoid: y = x / 6 + 1/2 between 0 and 1, and 0 or 1 outside."""

from __future__ import annotations

from ls_core.activation import ActivationFunction
from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array


@kernel
def hard_sigmoid_forward(x: Array) -> tuple[Array, Array]:
    y = get_xp(x).clip(x, -3.0, 3.0)  # (...)
    y += 3
    y /= 6
    return y, y


@kernel
def hard_sigmoid_backward(dy: Array, y: Array) -> Array:
    # y = (min(max(x, -3), 3) + 3) / 6
    dx = dy / 6  # (...)
    dx *= (y > 0) & (y < 1)
    return dx


hard_sigmoid = ActivationFunction("hard_sigmoid", hard_sigmoid_forward, hard_sigmoid_backward)
