"""The loops of Adam, SGD and RMSprop. Needs Numba.

Arrays have one axis; state that an optimiser goes without has size 0. ``..._rows`` take a table (rows, columns) whose
gradient is ``values`` in the rising ``rows`` and 0 in the others, and work on rows ``begin`` to ``end``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ls_core.accelerated.compiled import jit, jit_apart, larger


@jit_apart
def adam(value: Any, grad: Any, m: Any, v: Any, alpha: float, beta_1: float, beta_2: float, epsilon: float) -> None:
    """One step; ``alpha`` is the rate with both corrections in it."""
    number = value.dtype.type  # constants in the array's own type, or all would be float64
    a, b1, c1 = number(alpha), number(beta_1), number(1 - beta_1)
    b2, c2, e = number(beta_2), number(1 - beta_2), number(epsilon)
    for i in range(value.size):
        g = grad[i]
        m[i] = b1 * m[i] + c1 * g
        v[i] = b2 * v[i] + c2 * (g * g)
        value[i] -= a * m[i] / (math.sqrt(v[i]) + e)


@jit_apart
def amsgrad(value: Any, grad: Any, m: Any, v: Any, v_max: Any, alpha: float, beta_1: float, beta_2: float, epsilon: float) -> None:
    """``adam`` with the largest v so far in place of v."""
    number = value.dtype.type
    a, b1, c1 = number(alpha), number(beta_1), number(1 - beta_1)
    b2, c2, e = number(beta_2), number(1 - beta_2), number(epsilon)
    for i in range(value.size):
        g = grad[i]
        m[i] = b1 * m[i] + c1 * g
        v[i] = b2 * v[i] + c2 * (g * g)
        v_max[i] = larger(v_max[i], v[i])
        value[i] -= a * m[i] / (math.sqrt(v_max[i]) + e)


@jit
def adam_rows(
    value: Any, rows: Any, values: Any, m: Any, v: Any, alpha: float, beta_1: float, beta_2: float, epsilon: float, begin: int, end: int
) -> None:
    none, p = np.zeros(value.shape[1], value.dtype), np.searchsorted(rows, begin)
    for r in range(begin, end):
        if p < rows.size and rows[p] == r:
            adam(value[r], values[p], m[r], v[r], alpha, beta_1, beta_2, epsilon)
            p += 1
        else:
            adam(value[r], none, m[r], v[r], alpha, beta_1, beta_2, epsilon)


@jit
def amsgrad_rows(
    value: Any,
    rows: Any,
    values: Any,
    m: Any,
    v: Any,
    v_max: Any,
    alpha: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    begin: int,
    end: int,
) -> None:
    none, p = np.zeros(value.shape[1], value.dtype), np.searchsorted(rows, begin)
    for r in range(begin, end):
        if p < rows.size and rows[p] == r:
            amsgrad(value[r], values[p], m[r], v[r], v_max[r], alpha, beta_1, beta_2, epsilon)
            p += 1
        else:
            amsgrad(value[r], none, m[r], v[r], v_max[r], alpha, beta_1, beta_2, epsilon)


@jit_apart
def sgd(value: Any, grad: Any, m: Any, rate: float, momentum: float, nesterov: bool) -> None:
    a, b = value.dtype.type(-rate), value.dtype.type(momentum)
    if m.size == 0:
        for i in range(value.size):
            value[i] += a * grad[i]
    else:
        for i in range(value.size):
            m[i] = b * m[i] + a * grad[i]
            value[i] += a * grad[i] + b * m[i] if nesterov else m[i]


@jit
def sgd_rows(value: Any, rows: Any, values: Any, m: Any, rate: float, momentum: float, nesterov: bool, begin: int, end: int) -> None:
    none, p = np.zeros(value.shape[1], value.dtype), np.searchsorted(rows, begin)
    for r in range(begin, end):
        of_row = m[r] if m.size else m[0]
        if p < rows.size and rows[p] == r:
            sgd(value[r], values[p], of_row, rate, momentum, nesterov)
            p += 1
        elif m.size:
            sgd(value[r], none, of_row, rate, momentum, nesterov)


@jit_apart
def rmsprop(value: Any, grad: Any, v: Any, mean: Any, m: Any, rate: float, rho: float, momentum: float, epsilon: float) -> None:
    number = value.dtype.type
    a, b, c, d, e = number(rate), number(rho), number(1 - rho), number(momentum), number(epsilon)
    for i in range(value.size):
        g = grad[i]
        v[i] = b * v[i] + c * (g * g)
        spread = v[i]
        if mean.size:  # centered: the variance instead of the mean square
            mean[i] = b * mean[i] + c * g
            spread -= mean[i] * mean[i]
        step = a * g / math.sqrt(spread + e)
        if m.size:
            m[i] = d * m[i] + step
            step = m[i]
        value[i] -= step


@jit
def rmsprop_rows(
    value: Any,
    rows: Any,
    values: Any,
    v: Any,
    mean: Any,
    m: Any,
    rate: float,
    rho: float,
    momentum: float,
    epsilon: float,
    begin: int,
    end: int,
) -> None:
    none, p = np.zeros(value.shape[1], value.dtype), np.searchsorted(rows, begin)
    for r in range(begin, end):
        of_mean, of_m = mean[r] if mean.size else mean[0], m[r] if m.size else m[0]
        if p < rows.size and rows[p] == r:
            rmsprop(value[r], values[p], v[r], of_mean, of_m, rate, rho, momentum, epsilon)
            p += 1
        else:
            rmsprop(value[r], none, v[r], of_mean, of_m, rate, rho, momentum, epsilon)


__all__ = ["adam", "adam_rows", "amsgrad", "amsgrad_rows", "rmsprop", "rmsprop_rows", "sgd", "sgd_rows"]
