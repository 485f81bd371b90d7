"""Average: y = (x1 + x2 + ...) / n. n inputs."""

from __future__ import annotations

from typing import Any

from ls_core.kernel import kernel
from ls_core.types import Array

from .merge import Merge, list_inputs, sum_to


@kernel
def average_forward(x: Array, *others: Array) -> Array:
    total = x
    for other in others:
        total = total + other  # (B, ...)
    return total / (len(others) + 1)


@kernel
def average_backward(dy: Array, shapes: tuple[tuple[int, ...], ...]) -> tuple[Array, ...]:
    # y = (x1 + x2 + ...) / n
    dtotal = dy / len(shapes)  # (B, ...)
    return tuple(sum_to(dtotal, shape) for shape in shapes)


class Average(Merge):
    """The mean of its inputs, element by element: ``y = (x1 + x2 + ...) / n``.

    Notes
    -----
    The inputs' shapes are equal, or broadcast as in :class:`Add`. Backward: every dx is dy / n.

    Raises
    ------
    ShapeError
        The shapes do not broadcast.

    Source: Keras 3, ``keras.layers.Average``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Average()
    >>> y, cache = layer.forward(np.array([[1.0, 2.0]]), np.array([[3.0, 6.0]]))
    >>> y, layer.backward(np.array([[1.0, 2.0]]), cache)
    (array([[2., 4.]]), (array([[0.5, 1. ]]), array([[0.5, 1. ]])))
    """

    def forward(self, *inputs: Any, training: bool = False) -> Any:
        inputs = list_inputs(inputs)
        return average_forward(*self.align(inputs)), tuple(x.shape for x in inputs)

    def backward(self, dy: Array, saved: Any) -> Any:
        return average_backward(dy, saved)


__all__ = ["Average", "average_backward", "average_forward"]
