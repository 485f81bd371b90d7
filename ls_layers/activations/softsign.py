"""softsign: y = x / (1 + |x|) (Turian et al. 2009)."""

from __future__ import annotations

from ls_core.activation import ActivationFunction
from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array

from .parts import magnitude


@kernel
def softsign_forward(x: Array) -> tuple[Array, Array]:
    y = x / (1 + magnitude(x))  # (...)
    return y, y


@kernel
def softsign_backward(dy: Array, y: Array) -> Array:
    # y = x / (1 + |x|), dy/dx = 1 / (1 + |x|)^2 = (1 - |y|)^2
    slope = 1 - get_xp(y).abs(y)  # (...)
    slope *= slope
    return dy * slope  # (...)


softsign = ActivationFunction("softsign", softsign_forward, softsign_backward)
