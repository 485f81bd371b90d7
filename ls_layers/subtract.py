"""Subtract: y = x1 - x2."""

from __future__ import annotations

from typing import Any

from ls_core.kernel import kernel
from ls_core.types import Array

from .merge import Merge, list_inputs, sum_to


@kernel
def subtract_forward(x1: Array, x2: Array) -> Array:
    return x1 - x2  # (B, ...)


@kernel
def subtract_backward(dy: Array, shape1: tuple[int, ...], shape2: tuple[int, ...]) -> tuple[Array, Array]:
    # y = x1 - x2
    return sum_to(dy, shape1), -sum_to(dy, shape2)


class Subtract(Merge):
    """The difference of its two inputs: ``y = x1 - x2``.

    Notes
    -----
    The inputs' shapes are equal, or broadcast as in :class:`Add`. Backward: dx1 = dy, dx2 = -dy.

    Raises
    ------
    ShapeError
        The shapes do not broadcast.

    Source: Keras 3, ``keras.layers.Subtract``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Subtract()
    >>> y, cache = layer.forward(np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]]))
    >>> y, layer.backward(np.array([[1.0, 3.0]]), cache)
    (array([[ -9., -18.]]), (array([[1., 3.]]), array([[-1., -3.]])))
    """

    exactly_two = True

    def forward(self, *inputs: Any, training: bool = False) -> Any:
        inputs = list_inputs(inputs)
        x1, x2 = self.align(inputs)
        return subtract_forward(x1, x2), (inputs[0].shape, inputs[1].shape)

    def backward(self, dy: Array, saved: Any) -> Any:
        return subtract_backward(dy, *saved)


__all__ = ["Subtract", "subtract_backward", "subtract_forward"]
