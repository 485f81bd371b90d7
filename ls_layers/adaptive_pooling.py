"""Pooling to a given size: the kernels and base classes of AdaptiveAveragePooling and AdaptiveMaxPooling.

Along an axis of length I, window o of O reaches from floor(o I / O) to ceil((o + 1) I / O); neighbours may overlap.

B batch, I.. input positions, O.. windows, K positions of one window, C channels.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

from ls_core.backend import get_xp
from ls_core.errors import ShapeError
from ls_core.kernel import kernel
from ls_core.types import Array

from .windows import Ints, SpatialLayer


def spans(length: int, size: int) -> list[slice]:
    """The windows along one axis.

    >>> spans(5, 3)
    [slice(0, 2, None), slice(1, 4, None), slice(3, 5, None)]
    """
    return [slice(o * length // size, -(-(o + 1) * length // size)) for o in range(size)]


def windows(lengths: Ints, sizes: Ints) -> Iterator[tuple[Any, Any]]:
    """For each window its index in the output, and what it reads of the input."""
    axes = [list(enumerate(spans(length, size))) for length, size in zip(lengths, sizes, strict=True)]
    for window in itertools.product(*axes):
        yield (slice(None), *(o for o, _ in window)), (slice(None), *(read for _, read in window))


@kernel
def adaptive_average_forward(x: Array, sizes: Ints) -> Array:
    """x (B, I.., C) -> y (B, O.., C): the mean over a window is that of the means along each axis."""
    xp = get_xp(x)
    y = x
    for axis, size in enumerate(sizes, 1):
        before = (slice(None),) * axis
        y = xp.stack([y[(*before, read)].mean(axis=axis) for read in spans(y.shape[axis], size)], axis=axis)
    return y


@kernel
def adaptive_average_backward(dy: Array, lengths: Ints) -> Array:
    """dy (B, O.., C) -> dx (B, I.., C)."""
    xp = get_xp(dy)
    dx = dy
    for axis in reversed(range(1, len(lengths) + 1)):
        # y = stack over windows of x[read].mean(axis)
        before, dmean, length = (slice(None),) * axis, dx, lengths[axis - 1]
        dx = xp.zeros((*dmean.shape[:axis], length, *dmean.shape[axis + 1 :]), dtype=dy.dtype)
        for o, read in enumerate(spans(length, dmean.shape[axis])):
            dx[(*before, read)] += dmean[(*before, slice(o, o + 1))] * (1.0 / (read.stop - read.start))
    return dx


@kernel
def adaptive_max_forward(x: Array, sizes: Ints) -> Array:
    """x (B, I.., C) -> y (B, O.., C)."""
    axes = tuple(range(1, len(sizes) + 1))
    y = get_xp(x).empty((x.shape[0], *sizes, x.shape[-1]), dtype=x.dtype)
    for at, read in windows(x.shape[1:-1], sizes):
        y[at] = x[read].max(axis=axes)
    return y


@kernel
def adaptive_max_backward(dy: Array, x: Array) -> Array:
    """dy (B, O.., C) -> dx (B, I.., C); of equal maxima the first in reading order gets the gradient."""
    xp = get_xp(dy)
    B, C = x.shape[0], x.shape[-1]
    dx = xp.zeros(x.shape, dtype=dy.dtype)
    for at, read in windows(x.shape[1:-1], dy.shape[1:-1]):
        # y[at] = max of x[read]
        part = x[read]
        K = math.prod(part.shape[1:-1])
        first = part.reshape(B, K, C).argmax(axis=1)  # (B, C)
        won = xp.arange(K)[:, None] == first[:, None]  # (B, K, C)
        dx[read] += (won * dy[at][:, None]).reshape(part.shape)
    return dx


class AdaptivePooling(SpatialLayer):
    """What the adaptive pooling layers share; each is a short class with a rank."""

    def __init__(self, output_size: Any, data_format: str | None = None, **options: Any) -> None:
        super().__init__(data_format, **options)
        self.output_size = self.as_tuple(output_size, "output_size")
        self.name_output_axes("channels")

    def output_shape(self, input_shape: Any) -> Any:
        batch, _, channels = self.split_shape(input_shape)
        return self.join_shape(batch, self.output_size, channels)

    def read(self, x: Array) -> Array:
        """x with the channels last, after a check that there is something to pool."""
        if 0 in self.split_shape(x.shape)[1]:
            raise ShapeError(
                f"{self}: the input has no positions to pool, its shape is {tuple(x.shape)}. Feed it one or more along each axis."
            )
        return self.channels_last(x)


class AdaptiveAveragePooling(AdaptivePooling):
    """The mean of each window."""

    def forward(self, x: Array, training: bool = False) -> Any:
        x = self.read(x)
        return self.as_input(adaptive_average_forward(x, self.output_size)), x.shape[1:-1]

    def backward(self, dy: Array, lengths: Any, input_gradient: bool = True) -> Any:
        return self.as_input(adaptive_average_backward(self.channels_last(dy), lengths)) if input_gradient else None


class AdaptiveMaxPooling(AdaptivePooling):
    """The largest element of each window."""

    def forward(self, x: Array, training: bool = False) -> Any:
        x = self.read(x)
        return self.as_input(adaptive_max_forward(x, self.output_size)), x

    def backward(self, dy: Array, x: Array, input_gradient: bool = True) -> Any:
        return self.as_input(adaptive_max_backward(self.channels_last(dy), x)) if input_gradient else None


__all__ = [
    "AdaptiveAveragePooling",
    "AdaptiveMaxPooling",
    "adaptive_average_backward",
    "adaptive_average_forward",
    "adaptive_max_backward",
    "adaptive_max_forward",
]
