"""softmax along an axis (or several): y_i = exp(x_i - max x) / sum_j exp(x_j - max x)."""

from __future__ import annotations

from typing import Any

from ls_core.activation import ActivationFunction
from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array


@kernel
def softmax_forward(x: Array, axis: Any = -1) -> tuple[Array, Array]:
    xp = get_xp(x)
    y = xp.exp(x - x.max(axis=axis, keepdims=True))  # (..., C)
    y /= y.sum(axis=axis, keepdims=True)
    return y, y


@kernel
def softmax_backward(dy: Array, y: Array, axis: Any = -1) -> Array:
    # y = softmax(x), dy_i/dx_j = y_i (delta_ij - y_j), so dx = y (dy - sum_i dy_i y_i)
    return y * (dy - (dy * y).sum(axis=axis, keepdims=True))  # (..., C)


softmax = ActivationFunction("softmax", softmax_forward, softmax_backward)
