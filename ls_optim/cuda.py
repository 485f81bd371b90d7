"""Updates on CUDA: one launch for all joined Parameters (flat.py), one for each larger one.

Imported when the backend 'cupy' is loaded; see docs/cuda.md.
"""

from __future__ import annotations

from ls_core.backend import get_xp
from ls_core.cuda import Source, contiguous, each_grid, override
from ls_core.parameter import dense_gradient
from ls_core.types import Array

from .adam import adam_update
from .rmsprop import rmsprop_update
from .sgd import sgd_update

SOURCE = Source(__file__, "updates.cu")


def _run(name: str, value: Array, grad: Array, *rest: object) -> None:
    (grad,) = contiguous(get_xp(value), dense_gradient(grad))
    SOURCE.run(name, value.dtype, *each_grid(value.size), value, grad, *rest)


@override(adam_update)
def adam_update_cuda(
    value: Array,
    grad: Array,
    m: Array,
    v: Array,
    v_max: Array | None,
    rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    step: int,
) -> None:
    if not value.flags.c_contiguous:
        return adam_update.reference(value, grad, m, v, v_max, rate, beta_1, beta_2, epsilon, step)
    alpha = rate * (1.0 - beta_2**step) ** 0.5 / (1.0 - beta_1**step)
    _run("adam_update", value, grad, m, v, v_max, value.size, float(alpha), float(beta_1), float(beta_2), float(epsilon))


@override(sgd_update)
def sgd_update_cuda(value: Array, grad: Array, m: Array | None, rate: float, momentum: float, nesterov: bool) -> None:
    if not value.flags.c_contiguous:
        return sgd_update.reference(value, grad, m, rate, momentum, nesterov)
    _run("sgd_update", value, grad, m, value.size, float(rate), float(momentum), int(nesterov))


@override(rmsprop_update)
def rmsprop_update_cuda(
    value: Array,
    grad: Array,
    v: Array,
    mean: Array | None,
    m: Array | None,
    rate: float,
    rho: float,
    momentum: float,
    epsilon: float,
) -> None:
    if not value.flags.c_contiguous:
        return rmsprop_update.reference(value, grad, v, mean, m, rate, rho, momentum, epsilon)
    _run("rmsprop_update", value, grad, v, mean, m, value.size, float(rate), float(rho), float(momentum), float(epsilon))
