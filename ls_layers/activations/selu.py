"""selu: y = scale x for x > 0, else scale alpha (exp(x) - 1) (Klambauer et al. 2017, eq. 2).

The two constants keep mean 0 and variance 1 from layer to layer (eq. 14).
"""

from __future__ import annotations

from ls_core.activation import ActivationFunction
from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array

from .parts import negative_part, positive_part

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


@kernel
def selu_forward(x: Array) -> tuple[Array, Array]:
    xp = get_xp(x)
    y = xp.expm1(negative_part(x))  # (...)
    y *= SELU_ALPHA
    y += positive_part(x)
    y *= SELU_SCALE
    return y, y


@kernel
def selu_backward(dy: Array, y: Array) -> Array:
    # y = scale x for x > 0, else scale alpha (exp(x) - 1), whose derivative is scale alpha exp(x) = y + scale alpha
    slope = negative_part(y)  # (...)
    slope += SELU_SCALE * SELU_ALPHA
    positive = (y > 0).astype(y.dtype)  # (...)
    positive *= SELU_SCALE - SELU_SCALE * SELU_ALPHA
    slope += positive
    return dy * slope  # (...)


selu = ActivationFunction("selu", selu_forward, selu_backward)
