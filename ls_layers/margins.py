"""Margins: cutting them off and adding them, what Cropping and ZeroPadding share in 1D, 2D and 3D.

B batch, L.. the spatial axes, C channels; with 'channels_first' C stands before them.
"""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.errors import ShapeError
from ls_core.kernel import kernel
from ls_core.types import Array

from .windows import AXES, Pads, SpatialLayer


def inner(shape: tuple[int, ...], margins: Pads, first: int) -> tuple[slice, ...]:
    """The slices of what lies within the margins; ``first`` is the first axis that has one.

    >>> inner((2, 5, 3), ((1, 2),), 1)
    (slice(None, None, None), slice(1, 3, None))
    """
    return (slice(None),) * first + tuple(slice(before, shape[first + i] - after) for i, (before, after) in enumerate(margins))


@kernel
def crop_forward(x: Array, margins: Pads, first: int) -> Array:
    return x[inner(x.shape, margins, first)]  # (B, L - margins.., C), a view


@kernel
def crop_backward(dy: Array, shape: tuple[int, ...], margins: Pads, first: int) -> Array:
    # y = x[inner]: what was cut off had no effect
    dx = get_xp(dy).zeros(shape, dtype=dy.dtype)  # (B, L.., C)
    dx[inner(shape, margins, first)] = dy
    return dx


@kernel
def zero_pad_forward(x: Array, margins: Pads, first: int) -> Array:
    shape = list(x.shape)
    for i, pair in enumerate(margins):
        shape[first + i] += sum(pair)
    y = get_xp(x).zeros(tuple(shape), dtype=x.dtype)  # (B, L + margins.., C)
    y[inner(y.shape, margins, first)] = x
    return y


@kernel
def zero_pad_backward(dy: Array, margins: Pads, first: int) -> Array:
    # y[inner] = x
    return dy[inner(dy.shape, margins, first)]  # (B, L.., C), a view


class MarginLayer(SpatialLayer):
    """Base of Cropping and ZeroPadding: a pair (before, after) for each spatial axis."""

    def as_pairs(self, value: Any, name: str) -> Pads:
        """An integer for all sides, or for each axis an integer or a pair (before, after); in 1D just the pair."""
        given: Any = [value] * self.rank if isinstance(value, int) or self.rank == 1 else value
        given = [(each, each) if isinstance(each, int) else tuple(each) for each in given]
        if len(given) != self.rank or not all(len(p) == 2 and all(isinstance(v, int) and v >= 0 for v in p) for p in given):
            raise ValueError(
                f"{self}: {name} is an integer or, for {' and '.join(AXES[self.rank])}, an integer or a pair "
                f"(before, after), each 0 or more; not {value!r}"
            )
        return tuple(given)

    @property
    def first(self) -> int:
        """The first spatial axis."""
        return 2 if self.channels_first else 1


class Cropping(MarginLayer):
    """Base of Cropping1D, 2D and 3D."""

    margins: Pads

    def output_shape(self, input_shape: Any) -> Any:
        batch, lengths, channels = self.split_shape(input_shape)
        left = tuple(None if size is None else size - sum(pair) for size, pair in zip(lengths, self.margins, strict=True))
        for i, size in enumerate(left):
            if size is not None and size < 1:
                raise ShapeError(
                    f"{self}: {AXES[self.rank][i]} of the input is {lengths[i]}, and cropping takes {sum(self.margins[i])} of it away; "
                    "at least 1 must be left.",
                    self.first + i - self.rank - 2,
                )
        return self.join_shape(batch, left, channels)

    def forward(self, x: Array, training: bool = False) -> Any:
        self.output_shape(x.shape)
        return crop_forward(x, self.margins, self.first), x.shape

    def backward(self, dy: Array, saved: Any) -> Any:
        return crop_backward(dy, saved, self.margins, self.first)


class ZeroPadding(MarginLayer):
    """Base of ZeroPadding1D, 2D and 3D."""

    margins: Pads

    def output_shape(self, input_shape: Any) -> Any:
        batch, lengths, channels = self.split_shape(input_shape)
        padded = tuple(None if size is None else size + sum(pair) for size, pair in zip(lengths, self.margins, strict=True))
        return self.join_shape(batch, padded, channels)

    def forward(self, x: Array, training: bool = False) -> Any:
        self.split_shape(x.shape)
        return zero_pad_forward(x, self.margins, self.first), None

    def backward(self, dy: Array, saved: Any) -> Any:
        return zero_pad_backward(dy, self.margins, self.first)
