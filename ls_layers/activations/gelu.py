"""gelu: y = x Phi(x), Phi the normal distribution function (Hendrycks and Gimpel 2016, section 2).

``gelu`` is exact; ``gelu_tanh`` is the paper's approximation
y = x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), Keras' ``gelu(x, approximate=True)``.
"""

from __future__ import annotations

from ls_core.activation import ActivationFunction
from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array

from .parts import magnitude

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


def upper_tail(a: Array) -> tuple[Array, Array]:
    """1 - Phi(a) for 0 <= a < 40, and exp(-a^2 / 2); array operations alone.

    >>> import numpy as np
    >>> upper_tail(np.array([0.0, 1.0, 30.0]))[0]
    array([5.00000000e-001, 1.58655254e-001, 4.90671393e-198])
    """
    gauss = a * a  # (...)
    gauss *= -0.5
    gauss = get_xp(a).exp(gauss)
    denominator = a + 4.0
    s = (a - 4.0) / denominator
    leading, *rest, last = _TAIL_SINGLE if a.dtype.itemsize <= 4 else _TAIL_DOUBLE
    tail = s * leading  # Horner's rule in place
    for coefficient in rest:
        tail += coefficient
        tail *= s
    tail += last
    tail *= gauss
    tail /= denominator
    return tail, gauss


@kernel
def gelu_forward(x: Array) -> tuple[Array, tuple[Array, Array, Array]]:
    a = magnitude(x)  # (...)
    near = get_xp(x).clip(a, 0.0, 39.0)  # beyond, the tail is 0 in float64 as well; 39^2 fits float16
    tail, gauss = upper_tail(near)  # (...), (...)
    y = a * 0.5
    y += x * 0.5  # max(x, 0)
    y -= near * tail
    return y, (x, tail, gauss)


@kernel
def gelu_backward(dy: Array, saved: tuple[Array, Array, Array]) -> Array:
    # y = max(x, 0) - |x| tail = x Phi(x), with Phi(x) = 1/2 + sign(x) (1/2 - tail) and
    # Phi'(x) = exp(-x^2 / 2) / sqrt(2 pi); dy/dx = Phi + x Phi'
    x, tail, gauss = saved
    slope = x * gauss  # (...)
    slope *= _INV_SQRT_2PI
    slope += get_xp(x).sign(x.real) * (0.5 - tail)
    slope += 0.5
    return dy * slope  # (...)


@kernel
def gelu_tanh_forward(x: Array) -> tuple[Array, tuple[Array, Array]]:
    xp = get_xp(x)
    near = xp.clip(x, -10.0, 10.0)  # (...), beyond which t is -1 or 1 in float64 as well, and powers might overflow
    t = near * near
    t *= 0.044715 * _SQRT_2_OVER_PI
    t += _SQRT_2_OVER_PI
    t *= near
    t = xp.tanh(t)
    y = t * 0.5
    y += 0.5
    y *= x
    return y, (near, t)


@kernel
def gelu_tanh_backward(dy: Array, saved: tuple[Array, Array]) -> Array:
    # y = x (1 + t) / 2 with t = tanh(u), u = sqrt(2/pi) (x + 0.044715 x^3), so
    # dy/dx = (1 + t) / 2 + x (1 - t^2) / 2 du/dx; the second term is 0 where near is not x
    near, t = saved
    slope = near * near  # (...)
    slope *= 3 * 0.044715 * _SQRT_2_OVER_PI
    slope += _SQRT_2_OVER_PI  # du/dx
    slope *= near
    slope *= 1 - t * t
    slope += t
    slope += 1
    slope *= 0.5
    return dy * slope  # (...)


gelu = ActivationFunction("gelu", gelu_forward, gelu_backward)
gelu_tanh = ActivationFunction("gelu_tanh", gelu_tanh_forward, gelu_tanh_backward)
