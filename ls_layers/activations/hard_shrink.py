"""hard_shrink: y = x where |x| > threshold, else 0."""

from __future__ import annotations

from ls_core.activation import ActivationFunction
from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array


@kernel
def hard_shrink_forward(x: Array, threshold: float = 0.5) -> tuple[Array, Array]:
    y = x * (get_xp(x).abs(x) > threshold)  # (...)
    return y, y


@kernel
def hard_shrink_backward(dy: Array, y: Array) -> Array:
    # y = x (|x| > threshold)
    return dy * (y != 0)  # (...)


hard_shrink = ActivationFunction("hard_shrink", hard_shrink_forward, hard_shrink_backward)
