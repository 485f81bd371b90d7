"""exponential: y = exp(x)."""

from __future__ import annotations

from ls_core.activation import ActivationFunction
from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array


@kernel
def exponential_forward(x: Array) -> tuple[Array, Array]:
    y = get_xp(x).exp(x)  # (...)
    return y, y


@kernel
def exponential_backward(dy: Array, y: Array) -> Array:
    # y = exp(x), dy/dx = y
    return dy * y  # (...)


exponential = ActivationFunction("exponential", exponential_forward, exponential_backward, aliases=("exp",))
