"""relu on NumPy: large arrays in one part for each thread."""

from __future__ import annotations

from math import inf

import numpy as np

from ls_core.threads import run_blocks, split
from ls_core.types import Array

from ..activations.relu import relu_backward, relu_forward
from ..relu import general_relu_backward, general_relu_forward
from .blocks import LEAST


@relu_forward.override("numpy")
def relu_forward_threads(x: Array) -> tuple[Array, Array]:
    if x.dtype.kind != "f" or not x.flags.c_contiguous:
        return relu_forward.reference(x)
    y = np.empty_like(x)
    given, made = x.reshape(-1), y.reshape(-1)
    run_blocks(lambda i, j: given[i:j].clip(0.0, inf, out=made[i:j]), split(x.size, LEAST))
    return y, y


@relu_backward.override("numpy")
def relu_backward_threads(dy: Array, y: Array) -> Array:
    if dy.size < LEAST or not (dy.dtype == y.dtype and dy.flags.c_contiguous and y.flags.c_contiguous):
        return relu_backward.reference(dy, y)
    dx = np.empty_like(dy)
    given, kept, made = dy.reshape(-1), y.reshape(-1), dx.reshape(-1)
    most = 2 * LEAST  # the comparison's result stays in the second-level cache; each call may wait for the interpreter

    def part(begin: int, end: int) -> None:
        for i in range(begin, end, most):
            j = min(i + most, end)
            np.multiply(given[i:j], kept[i:j] > 0, out=made[i:j])

    run_blocks(part, split(dy.size, LEAST))
    return dx


@general_relu_forward.override("numpy")
def general_relu_forward_threads(x: Array, max_value: float | None, negative_slope: float, threshold: float) -> tuple[Array, Array]:
    if max_value is None and not negative_slope and not threshold and x.size >= LEAST:
        return relu_forward_threads(x)
    return general_relu_forward.reference(x, max_value, negative_slope, threshold)


@general_relu_backward.override("numpy")
def general_relu_backward_threads(dy: Array, x: Array, max_value: float | None, negative_slope: float, threshold: float) -> Array:
    if max_value is None and not negative_slope and not threshold and x.size >= LEAST:
        return relu_backward_threads(dy, x)
    return general_relu_backward.reference(dy, x, max_value, negative_slope, threshold)
