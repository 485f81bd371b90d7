"""hard_silu, also hard_swish: y = x hard_sigmoid(x) (Howard et al. 2019, section 5.2)."""

from __future__ import annotations

from ls_core.activation import ActivationFunction
from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array


@kernel
def hard_silu_forward(x: Array) -> tuple[Array, Array]:
    near = get_xp(x).clip(x, -3.0, 3.0)  # (...)
    y = near + 3  # 6 hard_sigmoid(x)
    y /= 6
    y *= x
    return y, near


@kernel
def hard_silu_backward(dy: Array, near: Array) -> Array:
    # y = x (x + 3) / 6 between -3 and 3, else 0 or x
    slope = near / 3  # (...)
    slope += 0.5
    slope *= (near > -3) & (near < 3)
    slope += near >= 3
    return dy * slope  # (...)


hard_silu = ActivationFunction("hard_silu", hard_silu_forward, hard_silu_backward, aliases=("hard_swish",))
