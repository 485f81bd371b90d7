"""linear: y = x."""

from __future__ import annotations

from ls_core.activation import ActivationFunction
from ls_core.types import Array


def linear_forward(x: Array) -> tuple[Array, None]:
    return x, None


def linear_backward(dy: Array, saved: None) -> Array:
    return dy


linear = ActivationFunction("linear", linear_forward, linear_backward, keeps_integers=True)
