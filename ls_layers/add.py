"""Add: y = x1 + x2 + ..."""

from __future__ import annotations

from typing import Any

from ls_core.kernel import kernel
from ls_core.types import Array

from .merge import Merge, list_inputs, sum_to


@kernel
def add_forward(x: Array, *others: Array) -> Array:
    y = x
    for other in others:
        y = y + other  # (B, ...)
    return y


@kernel
def add_backward(dy: Array, shapes: tuple[tuple[int, ...], ...]) -> tuple[Array, ...]:
    # y = x1 + x2 + ...
    return tuple(sum_to(dy, shape) for shape in shapes)  # each of its input's shape


class Add(Merge):
    """The sum of its inputs: ``y = x1 + x2 + ...``.

    Notes
    -----
    Inputs of one shape, or of shapes that broadcast: axes of size 1 are repeated, and an input of lower rank gets
    such axes after the batch axis. Backward: every input's gradient is dy (summed over the axes that were repeated).

    Raises
    ------
    ShapeError
        The shapes do not broadcast.

    Source: Keras 3, ``keras.layers.Add``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Add()
    >>> y, cache = layer.forward(np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]]))
    >>> y, layer.backward(np.array([[1.0, -1.0]]), cache)
    (array([[11., 22.]]), (array([[ 1., -1.]]), array([[ 1., -1.]])))
    """

    def forward(self, *inputs: Any, training: bool = False) -> Any:
        inputs = list_inputs(inputs)
        return add_forward(*self.align(inputs)), tuple(x.shape for x in inputs)

    def backward(self, dy: Array, saved: Any) -> Any:
        return add_backward(dy, saved)


__all__ = ["Add", "add_backward", "add_forward"]
