"""sparse_plus: y = 0 for x <= -1, (x + 1)^2 / 4 between, x for x >= 1 (Blondel et al. 2019)."""

from __future__ import annotations

from ls_core.activation import ActivationFunction
from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array


@kernel
def sparse_plus_forward(x: Array) -> tuple[Array, Array]:
    xp = get_xp(x)
    half = xp.clip(x, -1.0, 1.0)  # (...)
    half += 1
    half *= 0.5
    y = half * half
    y += xp.maximum(x, 1) - 1
    return y, half


@kernel
def sparse_plus_backward(dy: Array, half: Array) -> Array:
    # y = half^2 + max(x, 1) - 1, half = (min(max(x, -1), 1) + 1) / 2, so dy/dx = half: 0, (x + 1) / 2, 1
    return dy * half  # (...)


sparse_plus = ActivationFunction("sparse_plus", sparse_plus_forward, sparse_plus_backward)
