"""soft_shrink: y = x - threshold for x > threshold, x + threshold for x < -threshold, else 0."""

from __future__ import annotations

from ls_core.activation import ActivationFunction
from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array


@kernel
def soft_shrink_forward(x: Array, threshold: float = 0.5) -> tuple[Array, Array]:
    y = x - get_xp(x).clip(x, -threshold, threshold)  # (...)
    return y, y


@kernel
def soft_shrink_backward(dy: Array, y: Array) -> Array:
    # y = x - min(max(x, -threshold), threshold)
    return dy * (y != 0)  # (...)


soft_shrink = ActivationFunction("soft_shrink", soft_shrink_forward, soft_shrink_backward)
