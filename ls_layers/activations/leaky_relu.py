"""leaky_relu: y = x for x > 0, else negative_slope x, negative_slope >= 0 (Maas et al. 2013, section 2)."""

from __future__ import annotations

from ls_core.activation import ActivationFunction
from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array


@kernel
def leaky_relu_forward(x: Array, negative_slope: float = 0.2) -> tuple[Array, Array]:
    xp = get_xp(x)
    pick = xp.maximum if negative_slope <= 1 else xp.minimum
    y = pick(x, x * negative_slope)  # (...)
    return y, y


@kernel
def leaky_relu_backward(dy: Array, y: Array, negative_slope: float = 0.2) -> Array:
    # y = x for x > 0, else negative_slope x; y has the sign of x
    slope = (y > 0).astype(y.dtype)  # (...)
    slope *= 1 - negative_slope
    slope += negative_slope
    return dy * slope  # (...)


leaky_relu = ActivationFunction("leaky_relu", leaky_relu_forward, leaky_relu_backward)
