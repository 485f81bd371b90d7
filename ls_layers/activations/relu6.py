"""relu6: y = min(max(x, 0), 6) (Krizhevsky 2010)."""

from __future__ import annotations

from ls_core.activation import ActivationFunction
from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array


@kernel
def relu6_forward(x: Array) -> tuple[Array, Array]:
    y = get_xp(x).clip(x, 0.0, 6.0)  # (...)
    return y, y


@kernel
def relu6_backward(dy: Array, y: Array) -> Array:
    # y = min(max(x, 0), 6)
    return dy * ((y > 0) & (y < 6))  # (...)


relu6 = ActivationFunction("relu6", relu6_forward, relu6_backward, keeps_integers=True)
