"""Concatenate: the inputs one after the other along an axis. B batch, ... any axes."""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.errors import ShapeError
from ls_core.kernel import kernel
from ls_core.types import Array

from .merge import Merge, list_inputs, list_shapes


@kernel
def concatenate_forward(x: Array, *others: Array, axis: int = -1) -> Array:
    return get_xp(x).concatenate((x, *others), axis=axis)  # (B, ...)


@kernel
def concatenate_backward(dy: Array, sizes: tuple[int, ...], axis: int) -> tuple[Array, ...]:
    # y = concatenate(inputs, axis): each input's gradient is its own part of dy, a view
    before = (slice(None),) * (axis % dy.ndim)
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return tuple(dy[(*before, slice(start, start + size))] for start, size in zip(starts, sizes, strict=True))


class Concatenate(Merge):
    """Joins its inputs along one axis.

    Parameters
    ----------
    axis : int
        Default -1; the other axes of the inputs are equal.

    Notes
    -----
    A mask of the output is made where one input has a mask; inputs without one count as kept.

    Raises
    ------
    ShapeError
        An axis other than ``axis`` differs.

    Source: Keras 3, ``keras.layers.Concatenate``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Concatenate()
    >>> y, cache = layer.forward(np.array([[1.0, 2.0]]), np.array([[3.0]]))
    >>> y, layer.backward(np.array([[10.0, 20.0, 30.0]]), cache)
    (array([[1., 2., 3.]]), (array([[10., 20.]]), array([[30.]])))
    """

    def __init__(self, axis: int = -1, **options: Any) -> None:
        super().__init__(**options)
        self.axis = axis

    def output_shape(self, input_shape: Any) -> Any:
        shapes = list_shapes(input_shape)
        rank = len(shapes[0])
        if not -rank <= self.axis < rank:
            raise ShapeError(f"{self}: axis {self.axis} is not among the {rank} axes of the first input, shape {shapes[0]}.")
        result = list(shapes[0])
        for axis in range(rank):
            sizes = [shape[axis] if len(shape) == rank else -1 for shape in shapes]
            if axis == self.axis % rank:
                result[axis] = None if None in sizes else sum(size for size in sizes if size)
            elif len({size for size in sizes if size is not None}) > 1:
                raise ShapeError(
                    f"{self}: axis {axis} of the inputs differs; their shapes are {', '.join(map(str, shapes))}. "
                    f"Only axis {self.axis}, along which they are joined, may differ."
                )
        return tuple(result)

    def forward(self, *inputs: Any, training: bool = False) -> Any:
        inputs = list_inputs(inputs)
        self.output_shape([x.shape for x in inputs])
        return concatenate_forward(*inputs, axis=self.axis), tuple(x.shape[self.axis] for x in inputs)

    def backward(self, dy: Array, saved: Any) -> Any:
        return concatenate_backward(dy, saved, self.axis)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        if not isinstance(previous_mask, (list, tuple)) or all(m is None for m in previous_mask):
            return None
        masks = []
        for x, mask in zip(inputs, previous_mask, strict=True):
            xp = get_xp(x)
            if mask is None:
                mask = xp.ones(x.shape, dtype=bool)
            elif mask.ndim < x.ndim:
                mask = xp.logical_or(mask[..., None], xp.zeros(x.shape, dtype=bool))
            masks.append(mask)
        return get_xp(masks[0]).concatenate(masks, axis=self.axis).any(axis=-1)


__all__ = ["Concatenate", "concatenate_backward", "concatenate_forward"]
