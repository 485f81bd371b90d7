"""mish: y = x tanh(softplus(x)) (Misra 2019, eq. 1)."""

from __future__ import annotations

from ls_core.activation import ActivationFunction
from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array

from .parts import magnitude, positive_part


@kernel
def mish_forward(x: Array) -> tuple[Array, tuple[Array, Array, Array]]:
    xp = get_xp(x)
    softplus = xp.log1p(xp.exp(-magnitude(x)))  # (...)
    softplus += positive_part(x)
    t = xp.tanh(softplus)
    return x * t, (x, t, softplus)


@kernel
def mish_backward(dy: Array, saved: tuple[Array, Array, Array]) -> Array:
    # y = x t, t = tanh(softplus(x)), so dy/dx = t + x (1 - t^2) sigmoid(x), and sigmoid(x) = 1 - exp(-softplus(x))
    x, t, softplus = saved
    slope = get_xp(x).expm1(-softplus)  # (...) -sigmoid(x)
    slope *= t * t - 1
    slope *= x
    slope += t
    return dy * slope  # (...)


mish = ActivationFunction("mish", mish_forward, mish_backward)
