"""threshold: y = x where x > threshold, else default_value. By name both are 0, which is relu."""

from __future__ import annotations

from ls_core.activation import ActivationFunction
from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array


@kernel
def threshold_forward(x: Array, threshold: float = 0.0, default_value: float = 0.0) -> tuple[Array, Array]:
    passed = x > threshold  # (...)
    return get_xp(x).where(passed, x, default_value), passed


@kernel
def threshold_backward(dy: Array, passed: Array) -> Array:
    # y = x where passed, else a constant
    return dy * passed  # (...)


threshold = ActivationFunction("threshold", threshold_forward, threshold_backward)
