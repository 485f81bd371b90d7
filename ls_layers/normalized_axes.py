"""What the normalisations share: the axes they go over, gathered into one last axis and put back afterwards."""

from __future__ import annotations

from typing import Any

from ls_core.errors import ShapeError
from ls_core.layer import Layer
from ls_core.parameter import Parameter
from ls_core.types import Array


def list_axes(name: str, axis: Any) -> list[int]:
    """``axis`` as a list of integers, sorted as Keras sorts it (negative ones first).

    Raises
    ------
    TypeError
        It is neither an integer nor a list or tuple of integers.
    """
    axes = list(axis) if isinstance(axis, (list, tuple)) else [axis]
    if not axes or not all(isinstance(each, int) and not isinstance(each, bool) for each in axes):
        raise TypeError(f"{name}: axis is an integer or a list of integers, not {axis!r}")
    return sorted(axes)


def place_axes(layer: Layer, axes: list[int], rank: int) -> tuple[int, ...]:
    """``axes`` of an array with ``rank`` axes, counted from the front and in the order of their places.

    Raises
    ------
    ShapeError
        An axis is outside the input, or named twice.
    """
    for axis in axes:
        if not -rank <= axis < rank:
            raise ShapeError(f"{layer}: axis {axis} is outside the input, which has {rank} axes; choose from {-rank} to {rank - 1}.")
    places = sorted(axis % rank for axis in axes)
    if len(set(places)) < len(places):
        raise ShapeError(f"{layer}: axis {axes} names an axis of an input with {rank} axes twice; name each once.")
    return tuple(places)


def known_sizes(layer: Layer, axes: list[int], shape: Any) -> tuple[int, ...]:
    """The sizes of ``axes`` in ``shape``, in the order of ``axes``; Parameters get this shape.

    Raises
    ------
    ShapeError
        One of them is not known.
    """
    for axis in axes:
        if shape[axis] is None:
            raise ShapeError(f"{layer}: axis {axis} of the input must be known to make the Parameters; it came as {tuple(shape)}.", axis)
    return tuple(shape[axis] for axis in axes)


def gather(x: Array, places: tuple[int, ...]) -> Array:
    """``x`` with the axes at ``places`` joined into one last axis; a view where they are the last ones."""
    others = [axis for axis in range(x.ndim) if axis not in places]
    size = 1
    for axis in places:
        size *= x.shape[axis]
    shape = (*(x.shape[axis] for axis in others), size)
    return (x if places[0] == len(others) else x.transpose(*others, *places)).reshape(shape)


def scatter(y: Array, places: tuple[int, ...], shape: tuple[int, ...]) -> Array:
    """Undo ``gather`` for an array that was made from one of ``shape``."""
    others = [axis for axis in range(len(shape)) if axis not in places]
    if places[0] == len(others):
        return y.reshape(shape)
    order = [*others, *places]
    return y.reshape([shape[axis] for axis in order]).transpose([order.index(axis) for axis in range(len(shape))])


def widen(x: Array) -> Array:
    """float16 and bfloat16 as float32, in which statistics neither overflow nor drown; other types as they are."""
    return x if x is None or x.dtype.itemsize > 2 else x.astype("float32")


def flat_value(parameter: Parameter | None) -> Array:
    """A Parameter's numbers as one axis, in float32 at least; None for a Parameter that is not there."""
    return None if parameter is None else widen(parameter.value).reshape(-1)


def accumulate(parameter: Parameter | None, gradient: Array) -> None:
    """Add ``gradient``, in one axis or more, to that of a Parameter that may not be there."""
    if parameter is not None:
        parameter.accumulate(gradient.reshape(parameter.shape).astype(parameter.dtype, copy=False))


def check_size(layer: Layer, size: int, wanted: int, axis: Any) -> None:
    """Raise where the normalised axes do not have the size that the Parameters were made for."""
    if size != wanted:
        many = f"axes {axis} of the input hold {size} numbers" if isinstance(axis, list) and len(axis) > 1 else None
        one = axis[0] if isinstance(axis, list) else axis
        raise ShapeError(
            f"{layer}: {many or f'axis {one} of the input is {size}'}, its Parameters want {wanted}. "
            "Feed it what it was built for, or make a new layer.",
            None if many else one,
        )
