"""Merge: what the layers share that join several inputs element by element.

Inputs have the same shape, or shapes that broadcast; one of lower rank gets axes of size 1 after the batch axis.
B batch, ... the axes after it.
"""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.errors import ShapeError
from ls_core.layer import Layer
from ls_core.types import Array


def list_shapes(input_shape: Any) -> list[tuple[int | None, ...]]:
    """One shape, or a list of shapes, as a list of tuples."""
    if input_shape and isinstance(input_shape[0], (list, tuple)):
        return [tuple(shape) for shape in input_shape]
    return [tuple(input_shape)]


def list_inputs(inputs: tuple[Any, ...]) -> tuple[Array, ...]:
    """forward(a, b) and Keras' forward([a, b]) as one tuple."""
    if len(inputs) == 1 and isinstance(inputs[0], (list, tuple)):
        return tuple(inputs[0])
    return inputs


def raise_rank(shape: tuple[Any, ...], rank: int) -> tuple[Any, ...]:
    """``shape`` with axes of size 1 after the batch axis, up to ``rank`` axes.

    >>> raise_rank((2, 5), 4)
    (2, 1, 1, 5)
    """
    return shape[:1] + (1,) * (rank - len(shape)) + shape[1:]


def sum_to(dy: Array, shape: tuple[int, ...]) -> Array:
    """The gradient of an array that was broadcast from ``shape`` to dy's: dy summed over the broadcast axes."""
    if dy.shape == shape:
        return dy
    axes = tuple(i for i, size in enumerate(raise_rank(shape, dy.ndim)) if size != dy.shape[i])
    return dy.sum(axis=axes, keepdims=True).reshape(shape)


def spread_masks(mask: Any, inputs: tuple[Array, ...]) -> list[Array]:
    """One mask (or None) for each input, with axes of size 1 up to the input's rank."""
    masks = list(mask) if isinstance(mask, (list, tuple)) else [mask] * len(inputs)
    return [m if m is None else m.astype(bool).reshape(m.shape + (1,) * (x.ndim - m.ndim)) for m, x in zip(masks, inputs, strict=True)]


class Merge(Layer):
    """Base of Add, Multiply, Maximum ...: checks and aligns the inputs, and joins their masks by "or"."""

    supports_masking = True
    exactly_two = False

    def build(self, input_shape: Any) -> None:
        self.output_shape(input_shape)

    def output_shape(self, input_shape: Any) -> Any:
        shapes = list_shapes(input_shape)
        if self.exactly_two and len(shapes) != 2:
            raise ValueError(f"{self} joins exactly 2 inputs; {len(shapes)} came.")
        rank = max(len(shape) for shape in shapes)
        result = []
        for axis, sizes in enumerate(zip(*(raise_rank(shape, rank) for shape in shapes), strict=True)):
            wanted = {size for size in sizes if size is not None and (size != 1 or axis == 0)}
            if len(wanted) > 1:
                raise ShapeError(
                    f"{self}: axis {axis} of the inputs is {' and '.join(map(str, sorted(wanted)))}; the shapes are "
                    f"{', '.join(map(str, shapes))}. Each axis must be equal in all of them" + (", or 1." if axis else ".")
                )
            result.append(wanted.pop() if wanted else None if None in sizes else 1)
        return tuple(result)

    def align(self, inputs: tuple[Any, ...]) -> tuple[Array, ...]:
        """The inputs, those of lower rank with axes of size 1 after the batch axis."""
        inputs = list_inputs(inputs)
        shape = inputs[0].shape
        if all(x.shape == shape for x in inputs) and not self.exactly_two:
            return inputs
        rank = len(self.output_shape([x.shape for x in inputs]))
        return tuple(x.reshape(raise_rank(x.shape, rank)) for x in inputs)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Kept where any input is kept; none as soon as one input has none."""
        masks = previous_mask if isinstance(previous_mask, (list, tuple)) else [previous_mask]
        if any(mask is None for mask in masks):
            return None
        joined = masks[0]
        for mask in masks[1:]:
            joined = get_xp(joined).logical_or(joined, mask)
        return joined
