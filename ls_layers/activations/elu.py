"""elu: y = x for x > 0, else alpha (exp(x) - 1), alpha >= 0 (Clevert et al. 2015, eq. 15)."""

from __future__ import annotations

from ls_core.activation import ActivationFunction
from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array

from .parts import negative_part, positive_part


@kernel
def elu_forward(x: Array, alpha: float = 1.0) -> tuple[Array, Array]:
    xp = get_xp(x)
    y = xp.expm1(negative_part(x))  # (...)
    y *= alpha
    y += positive_part(x)
    return y, y


@kernel
def elu_backward(dy: Array, y: Array, alpha: float = 1.0) -> Array:
    # y = x for x > 0, else alpha (exp(x) - 1), whose derivative is alpha exp(x) = y + alpha
    slope = negative_part(y)  # (...)
    slope += alpha
    if alpha != 1:
        positive = (y > 0).astype(y.dtype)  # (...)
        positive *= 1 - alpha
        slope += positive
    return dy * slope  # (...)


elu = ActivationFunction("elu", elu_forward, elu_backward)
