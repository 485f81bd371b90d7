"""Dot: the inner product of two inputs along one axis of each.

B batch, K the axis that is summed over, M and N the other axes of the first and the second input, as one.
"""

from __future__ import annotations

import math
from typing import Any

from ls_core.backend import get_xp
from ls_core.errors import ShapeError
from ls_core.kernel import kernel
from ls_core.products import matmul
from ls_core.types import Array

from .merge import Merge, list_inputs, list_shapes

_LEAST = 1e-7  # Keras' epsilon: shorter vectors are not brought to length 1


@kernel
def dot_forward(a: Array, b: Array) -> Array:
    return matmul(a, b)  # (B, M, K) (B, K, N) -> (B, M, N)


@kernel
def dot_backward(dy: Array, a: Array, b: Array) -> tuple[Array, Array]:
    # y = matmul(a, b)
    return matmul(dy, b.swapaxes(1, 2)), matmul(a.swapaxes(1, 2), dy)  # (B, M, K), (B, K, N)


@kernel
def unit_length_forward(x: Array, axis: int) -> tuple[Array, Array]:
    xp = get_xp(x)
    length = xp.sqrt((x * x).sum(axis=axis, keepdims=True))
    return x / xp.maximum(length, _LEAST), length


@kernel
def unit_length_backward(dy: Array, y: Array, length: Array, axis: int) -> Array:
    # y = x / max(|x|, 1e-7): what dy has along y is lost, but for vectors that short
    along = (dy * y).sum(axis=axis, keepdims=True) * (length > _LEAST)
    return (dy - y * along) / get_xp(dy).maximum(length, _LEAST)


class Dot(Merge):
    """The inner product of two inputs along one axis of each.

    Parameters
    ----------
    axes : int or pair of int
        The axis to sum over, the same for both or one for each; not the batch axis.
    normalize : bool
        Bring the vectors along that axis to length 1 first: the result is the cosine of their angle. Default False.

    Notes
    -----
    Inputs (B, ..., K, ...) and (B, ..., K, ...); output (B, the first's other axes, the second's other axes), or
    (B, 1) where none is left. The output has no mask.

    Raises
    ------
    ShapeError
        The two axes have different sizes.

    Source: Keras 3, ``keras.layers.Dot``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Dot(axes=1)
    >>> y, cache = layer.forward(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]]))
    >>> y, layer.backward(np.array([[1.0]]), cache)
    (array([[11.]]), (array([[3., 4.]]), array([[1., 2.]])))
    """

    exactly_two = True

    def __init__(self, axes: Any, normalize: bool = False, **options: Any) -> None:
        super().__init__(**options)
        pair = (axes, axes) if isinstance(axes, int) else tuple(axes)
        if len(pair) != 2 or not all(isinstance(axis, int) for axis in pair):
            raise ValueError(f"{self}: axes is an axis, or a pair of one axis for each input, not {axes!r}")
        self.axes, self.normalize = pair, normalize

    def _axes(self, shapes: list[tuple[int | None, ...]]) -> list[int]:
        if len(shapes) != 2:
            raise ValueError(f"{self} joins exactly 2 inputs; {len(shapes)} came.")
        found = []
        for axis, shape in zip(self.axes, shapes, strict=True):
            if not -len(shape) <= axis < len(shape) or axis % len(shape) == 0:
                raise ShapeError(f"{self}: axis {axis} of an input of shape {shape} is missing, or is the batch axis.")
            found.append(axis % len(shape))
        sizes = [shape[axis] for axis, shape in zip(found, shapes, strict=True)]
        if None not in sizes and sizes[0] != sizes[1]:
            raise ShapeError(
                f"{self}: axis {found[0]} of the first input is {sizes[0]}, axis {found[1]} of the second {sizes[1]}; "
                f"their shapes are {shapes[0]} and {shapes[1]}. They are summed over together, so they must be equal."
            )
        return found

    def output_shape(self, input_shape: Any) -> Any:
        shapes = list_shapes(input_shape)
        axes = self._axes(shapes)
        left = [[size for i, size in enumerate(shape) if i not in (0, axis)] for axis, shape in zip(axes, shapes, strict=True)]
        return shapes[0][0], *(left[0] + left[1] or [1])

    def forward(self, *inputs: Any, training: bool = False) -> Any:
        x1, x2 = list_inputs(inputs)
        shape = self.output_shape([x1.shape, x2.shape])
        axis1, axis2 = self._axes([x1.shape, x2.shape])
        xp = get_xp(x1)
        lengths = None
        if self.normalize:
            x1, length1 = unit_length_forward(x1, axis1)
            x2, length2 = unit_length_forward(x2, axis2)
            lengths = x1, length1, x2, length2
        a, b = xp.moveaxis(x1, axis1, -1), xp.moveaxis(x2, axis2, 1)
        moved = a.shape, b.shape
        a = a.reshape(a.shape[0], math.prod(a.shape[1:-1]), a.shape[-1])  # (B, M, K)
        b = b.reshape(b.shape[0], b.shape[1], math.prod(b.shape[2:]))  # (B, K, N)
        return dot_forward(a, b).reshape(shape), (a, b, moved, lengths, axis1, axis2)

    def backward(self, dy: Array, saved: Any) -> Any:
        a, b, moved, lengths, axis1, axis2 = saved
        xp = get_xp(dy)
        # 3. y = matmul(a, b)
        da, db = dot_backward(dy.reshape(a.shape[0], a.shape[1], b.shape[2]), a, b)
        # 2. a = x1 with K last, b = x2 with K after the batch axis
        dx1 = xp.moveaxis(da.reshape(moved[0]), -1, axis1)
        dx2 = xp.moveaxis(db.reshape(moved[1]), 1, axis2)
        # 1. x = x / |x|
        if lengths is not None:
            y1, length1, y2, length2 = lengths
            dx1, dx2 = unit_length_backward(dx1, y1, length1, axis1), unit_length_backward(dx2, y2, length2, axis2)
        return dx1, dx2

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return None


__all__ = ["Dot", "dot_backward", "dot_forward"]
