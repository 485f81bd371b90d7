"""squareplus: y = (x + sqrt(x^2 + b)) / 2, b > 0 (Barron 2021).

Computed as max(x, 0) + b / 2 / (sqrt(x^2 + b) + |x|): equal, and nothing cancels for negative x.
"""

from __future__ import annotations

from ls_core.activation import ActivationFunction
from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array

from .parts import positive_part


@kernel
def squareplus_forward(x: Array, b: float = 4) -> tuple[Array, tuple[Array, Array]]:
    xp = get_xp(x)
    root = xp.hypot(x, b**0.5)  # (...) sqrt(x^2 + b) without the square, which might overflow
    y = b / 4 / (root * 0.5 + xp.abs(x) * 0.5)
    y += positive_part(x)
    return y, (y, root)


@kernel
def squareplus_backward(dy: Array, saved: tuple[Array, Array]) -> Array:
    # y = (x + root) / 2, root = sqrt(x^2 + b), so dy/dx = (1 + x / root) / 2 = y / root
    y, root = saved
    return dy * (y / root)  # (...)


squareplus = ActivationFunction("squareplus", squareplus_forward, squareplus_backward)
