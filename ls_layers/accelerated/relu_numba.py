"""relu, compiled: one pass, in one part for each thread."""

from __future__ import annotations

import numpy as np

from ls_core.threads import run_blocks, split
from ls_core.types import Array

from ..activations.relu import relu_backward, relu_forward
from ..relu import general_relu_backward, general_relu_forward
from .blocks import LEAST, plain
from .relu_numpy import general_relu_backward_threads, general_relu_forward_threads, relu_backward_threads, relu_forward_threads


def _forward(x: Array) -> Array:
    from .relu_compiled import forward

    y = np.empty(x.shape, x.dtype)
    given, made = plain(x).reshape(-1), y.reshape(-1)
    run_blocks(lambda i, j: forward(given[i:j], made[i:j]), split(x.size, LEAST))
    return y


def _backward(dy: Array, kept: Array) -> Array:
    from .relu_compiled import backward

    dx = np.empty(dy.shape, dy.dtype)
    given, sign, made = plain(dy).reshape(-1), plain(kept).reshape(-1), dx.reshape(-1)
    run_blocks(lambda i, j: backward(given[i:j], sign[i:j], made[i:j]), split(dy.size, LEAST))
    return dx


def _takes(x: Array, y: Array) -> bool:
    return x.dtype.char in "fd" and x.dtype == y.dtype and x.size >= LEAST // 4


@relu_forward.override("numba")
def relu_forward_compiled(x: Array) -> tuple[Array, Array]:
    if not _takes(x, x):
        return relu_forward_threads(x)
    y = _forward(x)
    return y, y


@relu_backward.override("numba")
def relu_backward_compiled(dy: Array, y: Array) -> Array:
    return _backward(dy, y) if _takes(dy, y) else relu_backward_threads(dy, y)


@general_relu_forward.override("numba")
def general_relu_forward_compiled(x: Array, max_value: float | None, negative_slope: float, threshold: float) -> tuple[Array, Array]:
    if max_value is None and not negative_slope and not threshold:
        return relu_forward_compiled(x)
    return general_relu_forward_threads(x, max_value, negative_slope, threshold)


@general_relu_backward.override("numba")
def general_relu_backward_compiled(dy: Array, x: Array, max_value: float | None, negative_slope: float, threshold: float) -> Array:
    if max_value is None and not negative_slope and not threshold and _takes(dy, x):
        return _backward(dy, x)
    return general_relu_backward_threads(dy, x, max_value, negative_slope, threshold)
