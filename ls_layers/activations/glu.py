"""glu: y = a sigmoid(b), a and b the two halves of x along an axis (Dauphin et al. 2017, section 2).

The axis comes out half as long.
"""

from __future__ import annotations

from typing import Any

from ls_core.activation import ActivationFunction
from ls_core.backend import get_xp
from ls_core.errors import ShapeError
from ls_core.kernel import kernel
from ls_core.types import Array


@kernel
def glu_forward(x: Array, axis: int = -1) -> tuple[Array, tuple[Array, Array]]:
    _require_even(x.shape[axis], axis)
    xp = get_xp(x)
    a, b = xp.split(x, 2, axis=axis)  # (..., C/2) each
    gate = xp.tanh(b * 0.5)  # sigmoid(b)
    gate *= 0.5
    gate += 0.5
    return a * gate, (a, gate)


@kernel
def glu_backward(dy: Array, saved: tuple[Array, Array], axis: int = -1) -> Array:
    # y = a gate, gate = sigmoid(b)
    a, gate = saved
    da = dy * gate  # (..., C/2)
    db = da * a  # dy a gate (1 - gate)
    db *= 1 - gate
    return get_xp(dy).concatenate((da, db), axis=axis)  # (..., C)


def _halved(shape: Any) -> Any:
    if shape[-1] is None:
        return shape
    _require_even(shape[-1], -1)
    return (*shape[:-1], shape[-1] // 2)


def _require_even(size: int, axis: int) -> None:
    if size % 2:
        raise ShapeError(f"glu: axis {axis} of the input is {size}; it must be even, since one half gates the other.", axis)


glu = ActivationFunction("glu", glu_forward, glu_backward, output_shape=_halved)
