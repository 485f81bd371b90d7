"""hard_tanh: y = min(max(x, -1), 1)."""

from __future__ import annotations

from ls_core.activation import ActivationFunction
from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array


@kernel
def hard_tanh_forward(x: Array) -> tuple[Array, Array]:
    y = get_xp(x).clip(x, -1.0, 1.0)  # (...)
    return y, y


@kernel
def hard_tanh_backward(dy: Array, y: Array) -> Array:
    # y = min(max(x, -1), 1)
    return dy * ((y > -1) & (y < 1))  # (...)


hard_tanh = ActivationFunction("hard_tanh", hard_tanh_forward, hard_tanh_backward, keeps_integers=True)
