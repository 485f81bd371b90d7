"""Adam, SGD and RMSprop on NumPy: large arrays block by block without temporary arrays, each thread its own blocks.

A RowGradient is made dense for one block at a time only, or not at all where an update adds it to its means (Adam). Small arrays
take the references.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ls_core.parameter import RowGradient
from ls_core.threads import run_blocks, split
from ls_core.types import Array

from ..adam import adam_update
from ..rmsprop import rmsprop_update
from ..sgd import sgd_update

BLOCK = 1 << 17  # numbers: larger blocks leave the cache; in smaller ones threads wait for the interpreter's lock, call after call
LEAST = 1 << 16  # numbers that a thread must have to be worth it

Update = Callable[[Array, Any, list[Array], Array], Any]  # value, gradient, state, scratch; all of one block


class Rows(NamedTuple):
    """The rows of a block whose gradient is not zero, and their gradients (n, columns)."""

    rows: Array
    values: Array

    def add_to(self, mean: Array, terms: Array) -> None:
        """Add terms (n, columns) to these rows of a flat mean."""
        mean.reshape(-1, terms.shape[1])[self.rows] += terms


def is_large(value: Array, grad: Any) -> bool:
    """Whether blocks are worth the trouble."""
    return value.size > LEAST or isinstance(grad, RowGradient)


def fits(value: Array, grad: Any, state: list[Array]) -> bool:
    """Whether flat views of all of them exist."""
    given = grad.values if isinstance(grad, RowGradient) else grad
    arrays = (value, *state) if given is grad else (value, *state, given)
    return all(a.flags.c_contiguous for a in arrays) and given.dtype == value.dtype and (given is not grad or grad.flags.c_contiguous)


def in_blocks(update: Update, value: Array, grad: Any, state: list[Array], takes_rows: bool = False) -> None:
    """``update`` for every block of ``value``; of a RowGradient it gets ``Rows`` if it ``takes_rows``, else a dense block."""
    if isinstance(grad, RowGradient):
        _in_blocks_of_rows(update, value, grad, state, takes_rows)
    else:
        flat, given, kept = value.reshape(-1), grad.reshape(-1), [a.reshape(-1) for a in state]

        def part(begin: int, end: int) -> None:
            scratch = np.empty(min(BLOCK, end - begin), value.dtype)
            for i in range(begin, end, BLOCK):
                j = min(i + BLOCK, end)
                update(flat[i:j], given[i:j], [a[i:j] for a in kept], scratch[: j - i])

        run_blocks(part, split(value.size, LEAST))


def _in_blocks_of_rows(update: Update, value: Array, grad: RowGradient, state: list[Array], takes_rows: bool) -> None:
    rows, values = in_order(grad)
    columns = values.shape[1]
    several = max(1, min(len(value), BLOCK // max(1, columns)))  # rows of a block
    flat, kept = value.reshape(-1), [a.reshape(-1) for a in state]

    def part(begin: int, end: int) -> None:
        scratch = np.empty(several * columns, value.dtype)
        dense = None if takes_rows else np.empty((several, columns), value.dtype)
        for i in range(begin, end, several):
            j = min(i + several, end)
            first, last = np.searchsorted(rows, (i, j))
            touched = Rows(rows[first:last] - i, values[first:last])
            here, size = slice(i * columns, j * columns), (j - i) * columns
            given: Any = touched
            if dense is not None:
                dense[...] = 0
                dense[touched.rows] = touched.values
                given = dense.reshape(-1)[:size]
            update(flat[here], given, [a[here] for a in kept], scratch[:size])

    run_blocks(part, split(len(value), max(1, LEAST // max(1, columns))))


def in_order(grad: RowGradient) -> tuple[Array, Array]:
    """The gradient's rows, rising, and their values (n, columns)."""
    rows, values = grad.rows, grad.values.reshape(len(grad.rows), math.prod(grad.shape[1:]))
    if rows.size > 1 and not (rows[1:] > rows[:-1]).all():
        order = np.argsort(rows)
        rows, values = rows[order], values[order]
    return rows, values


@adam_update.override("numpy")
def adam_update_blocks(
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
    state = [m, v] if v_max is None else [m, v, v_max]
    if not (is_large(value, grad) and fits(value, grad, state)):
        return adam_update.reference(value, grad, m, v, v_max, rate, beta_1, beta_2, epsilon, step)
    alpha = rate * (1.0 - beta_2**step) ** 0.5 / (1.0 - beta_1**step)

    def update(value: Array, grad: Array | Rows, state: list[Array], scratch: Array) -> None:
        m, v, *v_max = state
        m *= beta_1
        v *= beta_2
        if isinstance(grad, Rows):
            grad.add_to(m, grad.values * (1.0 - beta_1))
            grad.add_to(v, grad.values * grad.values * (1.0 - beta_2))
        else:
            np.multiply(grad, 1.0 - beta_1, out=scratch)
            m += scratch
            np.multiply(grad, grad, out=scratch)
            scratch *= 1.0 - beta_2
            v += scratch
        if v_max:
            v = np.maximum(v_max[0], v, out=v_max[0])
        np.sqrt(v, out=scratch)
        scratch += epsilon
        np.divide(m, scratch, out=scratch)
        scratch *= alpha
        value -= scratch

    in_blocks(update, value, grad, state, takes_rows=True)


@sgd_update.override("numpy")
def sgd_update_blocks(value: Array, grad: Array | RowGradient, m: Array | None, rate: float, momentum: float, nesterov: bool) -> None:
    state = [] if m is None else [m]
    if not (is_large(value, grad) and fits(value, grad, state)):
        return sgd_update.reference(value, grad, m, rate, momentum, nesterov)

    def update(value: Array, grad: Array, state: list[Array], scratch: Array) -> None:
        np.multiply(grad, -rate, out=scratch)
        if state:
            (m,) = state
            m *= momentum
            m += scratch
            if not nesterov:
                value += m
                return
            value += scratch
            np.multiply(m, momentum, out=scratch)
        value += scratch

    in_blocks(update, value, grad, state)


@rmsprop_update.override("numpy")
def rmsprop_update_blocks(
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
    state = [a for a in (v, mean, m) if a is not None]
    if not (is_large(value, grad) and fits(value, grad, state)):
        return rmsprop_update.reference(value, grad, v, mean, m, rate, rho, momentum, epsilon)
    centered, with_momentum = mean is not None, m is not None

    def update(value: Array, grad: Array, state: list[Array], scratch: Array) -> None:
        v, *rest = state
        v *= rho
        np.multiply(grad, grad, out=scratch)
        scratch *= 1.0 - rho
        v += scratch
        if centered:
            mean = rest.pop(0)
            mean *= rho
            np.multiply(grad, 1.0 - rho, out=scratch)
            mean += scratch
            np.multiply(mean, mean, out=scratch)
            np.subtract(v, scratch, out=scratch)
            scratch += epsilon
        else:
            np.add(v, epsilon, out=scratch)
        np.sqrt(scratch, out=scratch)
        np.divide(grad, scratch, out=scratch)
        scratch *= rate
        if with_momentum:
            m = rest.pop()
            m *= momentum
            m += scratch
            value -= m
        else:
            value -= scratch

    in_blocks(update, value, grad, state)


__all__ = ["LEAST", "BLOCK", "fits", "in_blocks", "in_order"]
