"""celu: y = max(x, 0) + alpha (exp(min(x, 0) / alpha) - 1), alpha > 0 (Barron 2017, eq. 2)."""

from __future__ import annotations

from ls_core.activation import ActivationFunction
from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array

from .parts import negative_part, positive_part


@kernel
def celu_forward(x: Array, alpha: float = 1.0) -> tuple[Array, Array]:
    xp = get_xp(x)
    y = negative_part(x)  # (...)
    y /= alpha
    y = xp.expm1(y)
    y *= alpha
    y += positive_part(x)
    return y, y


@kernel
def celu_backward(dy: Array, y: Array, alpha: float = 1.0) -> Array:
    # y = x for x > 0, else alpha (exp(x / alpha) - 1), whose derivative is exp(x / alpha) = y / alpha + 1
    slope = negative_part(y)  # (...)
    slope /= alpha
    slope += 1
    return dy * slope  # (...)


celu = ActivationFunction("celu", celu_forward, celu_backward)
