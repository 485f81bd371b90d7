"""silu, also swish: y = x sigmoid(x) (Elfwing et al. 2018, eq. 5; Ramachandran et al. 2017)."""

from __future__ import annotations

from ls_core.activation import ActivationFunction
from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array


@kernel
def silu_forward(x: Array) -> tuple[Array, tuple[Array, Array]]:
    sigmoid = get_xp(x).tanh(x * 0.5)  # (...)
    sigmoid *= 0.5
    sigmoid += 0.5
    return x * sigmoid, (x, sigmoid)


@kernel
def silu_backward(dy: Array, saved: tuple[Array, Array]) -> Array:
    # y = x s, s = sigmoid(x), so dy/dx = s + x s (1 - s)
    x, s = saved
    slope = 1 - s  # (...)
    slope *= x
    slope += 1
    slope *= s
    return dy * slope  # (...)


silu = ActivationFunction("silu", silu_forward, silu_backward, aliases=("swish",))
