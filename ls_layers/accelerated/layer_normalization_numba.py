"""Layer and RMS normalisation, compiled: one pass over the rows in each direction, in one part for each thread.

... every axis that is not normalised, N the normalised numbers; R rows, those axes in one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.kernel import Kernel
from ls_core.threads import run_blocks, split
from ls_core.types import Array

from ..layer_normalization import layer_normalization_backward, layer_normalization_forward
from ..rms_normalization import rms_normalization_backward, rms_normalization_forward
from .blocks import plain

LEAST = 1 << 14  # numbers that a thread must have to be worth it


@layer_normalization_forward.override("numba")
def layer_forward_compiled(x: Array, gamma: Array, beta: Array, epsilon: float) -> tuple[Array, tuple[Array, Array]]:
    if not _fits(x, gamma, beta):
        return _otherwise(layer_normalization_forward, x, gamma, beta, epsilon)
    from .layer_normalization_compiled import layer_forward

    rows = _rows(x)
    xhat, inverse = np.empty_like(rows), np.empty(rows.shape[0], x.dtype)  # (R, N), (R,)
    y = xhat if gamma is None and beta is None else np.empty_like(rows)  # (R, N)
    run_blocks(lambda i, j: layer_forward(rows, gamma, beta, epsilon, y, xhat, inverse, i, j), _parts(rows))
    return y.reshape(x.shape), (xhat.reshape(x.shape), inverse.reshape(*x.shape[:-1], 1))


@layer_normalization_backward.override("numba")
def layer_backward_compiled(dy: Array, gamma: Array, saved: tuple[Array, Array]) -> tuple[Array, Array, Array]:
    xhat, inverse = saved
    if not _fits(dy, gamma, xhat):
        return _otherwise(layer_normalization_backward, dy, gamma, saved)
    from .layer_normalization_compiled import layer_backward

    rows, kept, factors = _rows(dy), _rows(xhat), inverse.reshape(-1)  # (R, N), (R, N), (R,)
    dx, parts = np.empty_like(rows), _parts(rows)
    sums = np.zeros((len(parts), 2, rows.shape[1]), dy.dtype)  # each thread's dgamma and dbeta

    def part(begin: int, end: int) -> None:
        dgamma, dbeta = sums[parts.index((begin, end))]
        layer_backward(rows, gamma, kept, factors, dx, dgamma, dbeta, begin, end)

    run_blocks(part, parts)
    dgamma, dbeta = sums.sum(axis=0)  # (N,) each
    return dx.reshape(dy.shape), None if gamma is None else dgamma, dbeta


@rms_normalization_forward.override("numba")
def rms_forward_compiled(x: Array, scale: Array, epsilon: float) -> tuple[Array, tuple[Array, Array]]:
    if not _fits(x, scale):
        return _otherwise(rms_normalization_forward, x, scale, epsilon)
    from .layer_normalization_compiled import rms_forward

    rows = _rows(x)
    y, xhat, inverse = np.empty_like(rows), np.empty_like(rows), np.empty(rows.shape[0], x.dtype)  # (R, N), (R, N), (R,)
    run_blocks(lambda i, j: rms_forward(rows, scale, epsilon, y, xhat, inverse, i, j), _parts(rows))
    return y.reshape(x.shape), (xhat.reshape(x.shape), inverse.reshape(*x.shape[:-1], 1))


@rms_normalization_backward.override("numba")
def rms_backward_compiled(dy: Array, scale: Array, saved: tuple[Array, Array]) -> tuple[Array, Array]:
    xhat, inverse = saved
    if not _fits(dy, scale, xhat):
        return _otherwise(rms_normalization_backward, dy, scale, saved)
    from .layer_normalization_compiled import rms_backward

    rows, kept, factors = _rows(dy), _rows(xhat), inverse.reshape(-1)  # (R, N), (R, N), (R,)
    dx, parts = np.empty_like(rows), _parts(rows)
    sums = np.zeros((len(parts), rows.shape[1]), dy.dtype)  # each thread's dscale

    def part(begin: int, end: int) -> None:
        rms_backward(rows, scale, kept, factors, dx, sums[parts.index((begin, end))], begin, end)

    run_blocks(part, parts)
    return dx.reshape(dy.shape), sums.sum(axis=0)


def _fits(x: Array, *others: Array) -> bool:
    return x.dtype.char in "fd" and x.size > 0 and all(each is None or each.dtype == x.dtype for each in others)


def _rows(x: Array) -> Array:
    return plain(x).reshape(-1, x.shape[-1])


def _parts(rows: Array) -> list[tuple[int, int]]:
    return split(rows.shape[0], LEAST // rows.shape[1])


def _otherwise(kernel: Kernel, *arguments: Any) -> Any:
    """What NumPy arrays get where compiled code does not fit."""
    return kernel.overrides.get("numpy", kernel.reference)(*arguments)


__all__ = ["layer_backward_compiled", "layer_forward_compiled", "rms_backward_compiled", "rms_forward_compiled"]
