"""Pooling over n spatial axes: the kernels and base classes of MaxPooling and AveragePooling.

B batch, I.. input positions, O.. windows, C channels. Padding never wins a maximum and never counts in an average.
"""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array

from .windows import Ints, Pads, SpatialLayer, count_windows, overlaps


def read_by_taps(x_shape: Ints, sizes: Ints, strides: Ints, pads: Pads) -> tuple[Ints, Any]:
    """The shape of the output, and for each tap the index of its windows in it and what they read of the input."""
    B, *lengths, C = x_shape
    ones = (1,) * len(sizes)
    outputs = count_windows(tuple(lengths), sizes, strides, ones, pads)
    taps = overlaps(tuple(lengths), outputs, sizes, strides, ones, tuple(pad[0] for pad in pads))
    return (B, *outputs, C), [((slice(None), *windows), (slice(None), *read)) for _, windows, read in taps]


@kernel
def max_pool_forward(x: Array, sizes: Ints, strides: Ints, pads: Pads) -> Array:
    """x (B, I.., C) -> y (B, O.., C)."""
    xp = get_xp(x)
    shape, taps = read_by_taps(x.shape, sizes, strides, pads)
    lowest = xp.iinfo(x.dtype).min if x.dtype.kind in "iu" else -xp.inf
    y = xp.full(shape, lowest, dtype=x.dtype)
    for windows, read in taps:
        xp.maximum(y[windows], x[read], out=y[windows])
    return y


@kernel
def max_pool_backward(dy: Array, x: Array, y: Array, sizes: Ints, strides: Ints, pads: Pads) -> Array:
    """dy (B, O.., C) -> dx (B, I.., C); of equal maxima the first in reading order gets the gradient."""
    xp = get_xp(dy)
    _, taps = read_by_taps(x.shape, sizes, strides, pads)
    dx = xp.zeros(x.shape, dtype=dy.dtype)
    waiting = xp.ones(y.shape, dtype=bool)  # windows whose maximum has not been met
    for windows, read in taps:
        # y = max over taps of x[read]
        won = (x[read] == y[windows]) & waiting[windows]
        waiting[windows] ^= won
        dx[read] += dy[windows] * won
    return dx


@kernel
def average_pool_forward(x: Array, sizes: Ints, strides: Ints, pads: Pads) -> tuple[Array, Array]:
    """x (B, I.., C) -> y (B, O.., C), count (1, O.., 1) of the input positions in each window."""
    xp = get_xp(x)
    shape, taps = read_by_taps(x.shape, sizes, strides, pads)
    total = xp.zeros(shape, dtype=x.dtype)
    count = xp.zeros((1, *shape[1:-1], 1), dtype=x.real.dtype)
    for windows, read in taps:
        total[windows] += x[read]
        count[windows] += 1
    return total / count, count


@kernel
def average_pool_backward(dy: Array, count: Array, x_shape: Ints, sizes: Ints, strides: Ints, pads: Pads) -> Array:
    """dy (B, O.., C) -> dx (B, I.., C)."""
    _, taps = read_by_taps(x_shape, sizes, strides, pads)
    # 2. y = total / count
    dtotal = dy / count  # (B, O.., C)
    # 1. total[windows] += x[read]
    dx = get_xp(dy).zeros(x_shape, dtype=dy.dtype)  # (B, I.., C)
    for windows, read in taps:
        dx[read] += dtotal[windows]
    return dx


class Pooling(SpatialLayer):
    """What the pooling layers over windows share; each is a short class with a rank and a default pool_size."""

    def __init__(
        self,
        pool_size: Any,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(data_format, name=name, **options)
        self.pool_size = self.as_tuple(pool_size, "pool_size")
        self.strides = self.as_tuple(pool_size if strides is None else strides, "strides")
        self.padding = self.one_of(padding, "padding", ("valid", "same"))
        self.name_output_axes("channels")

    def output_shape(self, input_shape: Any) -> Any:
        batch, lengths, channels = self.split_shape(input_shape)
        return self.join_shape(batch, self._place(lengths)[0], channels)

    def _place(self, lengths: Any) -> tuple[Any, Pads]:
        return self.place_windows(lengths, self.pool_size, self.strides, (1,) * self.rank, self.padding)


class MaxPooling(Pooling):
    """The largest element of each window."""

    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, name, **options)

    def forward(self, x: Array, training: bool = False) -> Any:
        _, pads = self._place(self.split_shape(x.shape)[1])
        x = self.channels_last(x)
        y = max_pool_forward(x, self.pool_size, self.strides, pads)
        return self.as_input(y), (x, y, pads)

    def backward(self, dy: Array, saved: Any, input_gradient: bool = True) -> Any:
        if not input_gradient:
            return None
        x, y, pads = saved
        return self.as_input(max_pool_backward(self.channels_last(dy), x, y, self.pool_size, self.strides, pads))


class AveragePooling(Pooling):
    """The mean of each window."""

    def forward(self, x: Array, training: bool = False) -> Any:
        _, pads = self._place(self.split_shape(x.shape)[1])
        x = self.channels_last(x)
        y, count = average_pool_forward(x, self.pool_size, self.strides, pads)
        return self.as_input(y), (count, x.shape, pads)

    def backward(self, dy: Array, saved: Any, input_gradient: bool = True) -> Any:
        if not input_gradient:
            return None
        count, x_shape, pads = saved
        return self.as_input(average_pool_backward(self.channels_last(dy), count, x_shape, self.pool_size, self.strides, pads))


__all__ = ["AveragePooling", "MaxPooling", "average_pool_backward", "average_pool_forward", "max_pool_backward", "max_pool_forward"]
