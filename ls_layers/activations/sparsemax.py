"""sparsemax along an axis: y = max(x - tau, 0), tau such that y sums to 1 (Martins and Astudillo 2016, algorithm 1).

Keras 3.15 adds up partial sums where the algorithm takes the last one, so its result sums to less than 1
wherever more than one element is above tau; this is the paper's.
"""

from __future__ import annotations

from ls_core.activation import ActivationFunction
from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array


@kernel
def sparsemax_forward(x: Array, axis: int = -1) -> tuple[Array, Array]:
    xp = get_xp(x)
    z = x - x.max(axis=axis, keepdims=True)  # (..., C); y stays the same, large numbers lose no digits
    z = xp.maximum(z, -1)  # tau is not below -1 now
    ordered = -xp.sort(-z, axis=axis)  # falling
    shape = [1] * x.ndim
    shape[axis] = -1
    rank = xp.arange(1, x.shape[axis] + 1, dtype=x.dtype).reshape(shape)  # (C,) along the axis
    support = rank * ordered + 1 > xp.cumsum(ordered, axis=axis)  # those above tau
    size = support.sum(axis=axis, keepdims=True, dtype=x.dtype)  # (..., 1)
    tau = ((ordered * support).sum(axis=axis, keepdims=True) - 1) / size
    y = xp.maximum(z - tau, 0)
    return y, y


@kernel
def sparsemax_backward(dy: Array, y: Array, axis: int = -1) -> Array:
    # y = max(x - tau, 0), tau = (sum of the support - 1) / its size, so on the support dx = dy - mean(dy there)
    support = y > 0  # (..., C)
    dx = dy * support
    mean = dx.sum(axis=axis, keepdims=True) / support.sum(axis=axis, keepdims=True, dtype=dy.dtype)  # (..., 1)
    dx -= mean * support
    return dx


sparsemax = ActivationFunction("sparsemax", sparsemax_forward, sparsemax_backward)
