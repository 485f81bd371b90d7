"""Adam, SGD and RMSprop, compiled: one pass reads and writes each number once, each thread its part of a large array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ls_core.parameter import RowGradient
from ls_core.threads import run_blocks, split
from ls_core.types import Array

from ..adam import adam_update
from ..rmsprop import rmsprop_update
from ..sgd import sgd_update
from .updates_numpy import LEAST, adam_update_blocks, fits, in_order, rmsprop_update_blocks, sgd_update_blocks

_NONE = {char: (np.empty(0, char), np.empty((1, 0), char)) for char in "fd"}  # state that is not there: flat, as a table


def run(
    loop: Callable[..., Any], loop_rows: Callable[..., Any], value: Array, grad: Any, state: tuple[Array | None, ...], *how: Any
) -> None:
    """``loop`` over flat arrays, or ``loop_rows`` over the rows of a table whose gradient is a RowGradient."""
    flat_none, table_none = _NONE[value.dtype.char]
    if isinstance(grad, RowGradient):
        rows, values = in_order(grad)
        shape = len(value), values.shape[1]
        table, *kept = (table_none if a is None else a.reshape(shape) for a in (value, *state))
        run_blocks(
            lambda begin, end: loop_rows(table, rows, values, *kept, *how, begin, end), split(len(value), max(1, LEAST // max(1, shape[1])))
        )
        return
    flat = value.reshape(-1)
    given, *kept = (flat_none if a is None else a.reshape(-1) for a in (grad, *state))
    if value.size < 2 * LEAST:
        loop(flat, given, *kept, *how)
        return

    def part(begin: int, end: int) -> None:
        loop(flat[begin:end], given[begin:end], *(a[begin:end] for a in kept), *how)

    run_blocks(part, split(value.size, LEAST))


def compiles(value: Array, grad: Any, *state: Array | None) -> bool:
    """Whether there is compiled code for these."""
    return value.dtype.char in "fd" and fits(value, grad, [a for a in state if a is not None])


@adam_update.override("numba")
def adam_update_compiled(
    value: Array,
    grad: Array | RowGradient,
    m: Array,
    v: Array,
    v_max: Array | None,
    rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    step: int,
) -> None:
    if not compiles(value, grad, m, v, v_max):
        return adam_update_blocks(value, grad, m, v, v_max, rate, beta_1, beta_2, epsilon, step)
    from .updates_compiled import adam, adam_rows, amsgrad, amsgrad_rows

    alpha = rate * (1.0 - beta_2**step) ** 0.5 / (1.0 - beta_1**step)
    how = float(alpha), float(beta_1), float(beta_2), float(epsilon)
    if v_max is None:
        run(adam, adam_rows, value, grad, (m, v), *how)
    else:
        run(amsgrad, amsgrad_rows, value, grad, (m, v, v_max), *how)


@sgd_update.override("numba")
def sgd_update_compiled(value: Array, grad: Array | RowGradient, m: Array | None, rate: float, momentum: float, nesterov: bool) -> None:
    if not compiles(value, grad, m):
        return sgd_update_blocks(value, grad, m, rate, momentum, nesterov)
    from .updates_compiled import sgd, sgd_rows

    run(sgd, sgd_rows, value, grad, (m,), float(rate), float(momentum), bool(nesterov))


@rmsprop_update.override("numba")
def rmsprop_update_compiled(
    value: Array,
    grad: Array | RowGradient,
    v: Array,
    mean: Array | None,
    m: Array | None,
    rate: float,
    rho: float,
    momentum: float,
    epsilon: float,
) -> None:
    if not compiles(value, grad, v, mean, m):
        return rmsprop_update_blocks(value, grad, v, mean, m, rate, rho, momentum, epsilon)
    from .updates_compiled import rmsprop, rmsprop_rows

    run(rmsprop, rmsprop_rows, value, grad, (v, mean, m), float(rate), float(rho), float(momentum), float(epsilon))


__all__ = ["compiles", "run"]
