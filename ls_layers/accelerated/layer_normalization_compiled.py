"""The loops of layer and RMS normalisation: a row is read once in each direction. Needs Numba.

R rows, N normalised numbers of each; rows ``begin`` to ``end`` are worked on. gamma (N,) and beta (N,) may be None.
"""

from __future__ import annotations

import math
from typing import Any

from ls_core.accelerated.compiled import dot, jit, total


@jit
def layer_forward(x: Any, gamma: Any, beta: Any, epsilon: float, y: Any, xhat: Any, inverse: Any, begin: int, end: int) -> None:
    """y (R, N), xhat (R, N) and inverse (R,), as the reference has them; y may be xhat."""
    for r in range(begin, end):
        row, centred = x[r], xhat[r]
        size = x.dtype.type(row.size)
        mean = total(row) / size
        for i in range(row.size):
            centred[i] = row[i] - mean
        inverse[r] = 1 / math.sqrt(dot(centred, centred) / size + epsilon)
        times_into(centred, centred, inverse[r])
        affine(y[r], centred, gamma, beta)


@jit
def layer_backward(dy: Any, gamma: Any, xhat: Any, inverse: Any, dx: Any, dgamma: Any, dbeta: Any, begin: int, end: int) -> None:
    """dx (R, N); dgamma (N,) and dbeta (N,) += these rows' part."""
    for r in range(begin, end):
        slope, kept, made = dy[r], xhat[r], dx[r]
        size = dx.dtype.type(made.size)
        add_products(dgamma, slope, kept)
        for i in range(made.size):
            dbeta[i] += slope[i]
        affine(made, slope, gamma, None)  # dxhat
        common, along = total(made) / size, dot(made, kept) / size
        for i in range(made.size):
            made[i] = (made[i] - kept[i] * along - common) * inverse[r]


@jit
def rms_forward(x: Any, scale: Any, epsilon: float, y: Any, xhat: Any, inverse: Any, begin: int, end: int) -> None:
    """y (R, N), xhat (R, N) and inverse (R,)."""
    for r in range(begin, end):
        row = x[r]
        inverse[r] = 1 / math.sqrt(dot(row, row) / x.dtype.type(row.size) + epsilon)
        times_into(xhat[r], row, inverse[r])
        affine(y[r], xhat[r], scale, None)


@jit
def rms_backward(dy: Any, scale: Any, xhat: Any, inverse: Any, dx: Any, dscale: Any, begin: int, end: int) -> None:
    """dx (R, N); dscale (N,) += these rows' part."""
    for r in range(begin, end):
        slope, kept, made = dy[r], xhat[r], dx[r]
        add_products(dscale, slope, kept)
        affine(made, slope, scale, None)  # dxhat
        along = dot(made, kept) / dx.dtype.type(made.size)
        for i in range(made.size):
            made[i] = (made[i] - kept[i] * along) * inverse[r]


@jit
def times_into(to: Any, x: Any, factor: Any) -> None:
    """to = x * factor."""
    for i in range(to.size):
        to[i] = x[i] * factor


@jit
def affine(to: Any, x: Any, gamma: Any, beta: Any) -> None:
    """to = x * gamma + beta, where there are such."""
    for i in range(to.size):
        value = x[i]
        if gamma is not None:
            value = value * gamma[i]
        if beta is not None:
            value = value + beta[i]
        to[i] = value


@jit
def add_products(to: Any, x: Any, y: Any) -> None:
    """to += x * y."""
    for i in range(to.size):
        to[i] += x[i] * y[i]
