"""gelu: y = x Phi(x), Phi the normal distribution function (Hendrycks and Gimpel 2016, section 2).

``gelu`` is exact; ``gelu_tanh`` is the paper's approximation
y = x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), Keras' ``gelu(x, approximate=True)``.
"""

from __future__ import annotations

from ls_core.activation import ActivationFunction
from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array

_INV_SQRT_2PI = 0.3989422804014327  # 1 / sqrt(2 pi)
_SQRT_2_OVER_PI = 0.7978845608028654

# (a + 4) exp(a^2 / 2) (1 - Phi(a)) as a polynomial in s = (a - 4) / (a + 4), highest power first: the Chebyshev
# interpolant on -1 <= s <= 1 (Shepherd and Laframboise 1981 treat erfc so). Relative error 2e-15 and 1e-7 for a < 6.
_TAIL_DOUBLE = (
    *(-1.7737405043949108e-09, -1.2845818869925269e-09, 1.6536044775506402e-08, 1.9608339140939514e-08),
    *(-7.98985075256226e-08, -1.6231917680473566e-07, 2.662327898883562e-07, 1.0270948807114341e-06),
    *(-6.2620687669596e-07, -5.9229798276747605e-06, 7.152737509308815e-07, 3.514564458582385e-05),
    *(-1.9079074883936755e-06, -0.0002310951507876874, 0.00013334425890372837, 0.0016308184878823643),
    *(-0.0034796923628903557, -0.007540188969137313, 0.0603965748907624, -0.1865218579595672),
    *(0.38713740074221653, -0.6078966419718931, 0.7552851304157515),
)
_TAIL_SINGLE = (
    *(-0.000162616316, 0.000129340123, 0.00157575208, -0.00347619646, -0.00752125553),
    *(0.0603953134, -0.186524184, 0.387137559, -0.607896596, 0.755285127),
)


def normal_distribution(x: Array) -> tuple[Array, Array]:
    """Phi(x) and exp(-x^2 / 2), by array operations alone; analytic, so complex numbers pass as well.

    >>> import numpy as np
    >>> normal_distribution(np.array([-1.0, 0.0, 1.0]))[0]
    array([0.15865525, 0.5       , 0.84134475])
    """
    xp = get_xp(x)
    negative = x.real < 0
    a = xp.minimum(xp.where(negative, -x, x), 39.0)  # beyond 39 the tail is 0 in float64, and 39^2 fits float16
    gauss = xp.exp(a * a * -0.5)
    denominator = a + 4.0
    s = (a - 4.0) / denominator
    leading, *rest = _TAIL_SINGLE if x.dtype.itemsize <= 4 else _TAIL_DOUBLE
    tail = s * leading  # Horner's rule in place
    for coefficient in rest[:-1]:
        tail += coefficient
        tail *= s
    tail += rest[-1]
    tail *= gauss
    tail /= denominator  # 1 - Phi(a)
    return xp.where(negative, tail, 1 - tail), gauss


@kernel
def gelu_forward(x: Array) -> tuple[Array, tuple[Array, Array, Array]]:
    Phi, gauss = normal_distribution(x)  # (...), (...)
    return x * Phi, (x, Phi, gauss)


@kernel
def gelu_backward(dy: Array, saved: tuple[Array, Array, Array]) -> Array:
    # y = x Phi(x), and Phi'(x) = exp(-x^2 / 2) / sqrt(2 pi)
    x, Phi, gauss = saved
    slope = x * gauss  # (...)
    slope *= _INV_SQRT_2PI
    slope += Phi
    return dy * slope  # (...)


@kernel
def gelu_tanh_forward(x: Array) -> tuple[Array, tuple[Array, Array]]:
    inner = x * x  # (...)
    inner *= 0.044715 * _SQRT_2_OVER_PI
    inner += _SQRT_2_OVER_PI
    t = get_xp(x).tanh(inner * x)
    y = t + 1
    y *= x
    y *= 0.5
    return y, (x, t)


@kernel
def gelu_tanh_backward(dy: Array, saved: tuple[Array, Array]) -> Array:
    # y = x (1 + t) / 2 with t = tanh(u), u = sqrt(2/pi) (x + 0.044715 x^3), so
    # dy/dx = (1 + t) / 2 + x (1 - t^2) / 2 du/dx
    x, t = saved
    slope = x * x  # (...)
    slope *= 3 * 0.044715 * _SQRT_2_OVER_PI
    slope += _SQRT_2_OVER_PI  # du/dx
    slope *= x
    slope *= 1 - t * t
    slope += t
    slope += 1
    slope *= 0.5
    return dy * slope  # (...)


gelu = ActivationFunction("gelu", gelu_forward, gelu_backward)
gelu_tanh = ActivationFunction("gelu_tanh", gelu_tanh_forward, gelu_tanh_backward)
