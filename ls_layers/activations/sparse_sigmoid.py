"""sparse_sigmoid: y = (x + 1) / 2 between 0 and 1, and 0 or 1 outside (Blondel et al. 2019)."""

from __future__ import annotations

from ls_core.activation import ActivationFunction
from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array


@kernel
def sparse_sigmoid_forward(x: Array) -> tuple[Array, Array]:
    y = get_xp(x).clip(x, -1.0, 1.0)  # (...)
    y += 1
    y *= 0.5
    return y, y


@kernel
def sparse_sigmoid_backward(dy: Array, y: Array) -> Array:
    # y = (min(max(x, -1), 1) + 1) / 2
    dx = dy * 0.5  # (...)
    dx *= (y > 0) & (y < 1)
    return dx


sparse_sigmoid = ActivationFunction("sparse_sigmoid", sparse_sigmoid_forward, sparse_sigmoid_backward)
