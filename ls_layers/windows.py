"""Sliding windows over n spatial axes: what convolution and pooling share.

An axis of length L (large side) is read by S windows (small side). Tap k of window s reads position
``s * stride + k * dilation - before``; what falls outside [0, L) is padding and is skipped.

B batch, L.. and S.. the spatial axes of either side, K taps of a window over all axes, C channels; .. alone: any axes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ls_core.backend import get_xp
from ls_core.errors import ShapeError
from ls_core.kernel import kernel
from ls_core.layer import Layer
from ls_core.types import Array

Ints = tuple[int, ...]
Pads = tuple[tuple[int, int], ...]
AXES = {1: ("time",), 2: ("height", "width"), 3: ("depth", "height", "width")}


def overlaps(large: Ints, small: Ints, sizes: Ints, strides: Ints, dilation: Ints, before: Ints) -> Iterator[tuple[int, Any, Any]]:
    """For each tap k, in reading order: k, the small side's slices that have it, and the large side's that they read.

    >>> for k, windows, read in overlaps((5,), (5,), (2,), (1,), (1,), (1,)): print(k, windows, read)
    0 (slice(1, 5, None),) (slice(0, 4, 1),)
    1 (slice(0, 5, None),) (slice(0, 5, 1),)
    """
    for k, taps in enumerate(itertools.product(*map(range, sizes))):
        windows, read = [], []
        for L, S, stride, d, b, tap in zip(large, small, strides, dilation, before, taps, strict=True):
            offset = tap * d - b
            first = max(0, -(offset // stride))  # the first window whose tap is at 0 or later
            last = min(S - 1, (L - 1 - offset) // stride)
            windows.append(slice(first, max(first, last + 1)))
            start = first * stride + offset
            read.append(slice(start, max(start, last * stride + offset + 1), stride))
        yield k, tuple(windows), tuple(read)


def count_windows(lengths: Ints, sizes: Ints, strides: Ints, dilation: Ints, pads: Pads) -> Ints:
    """How many windows fit along each axis, padding included."""
    axes = zip(lengths, sizes, strides, dilation, pads, strict=True)
    return tuple((L + sum(pad) - (size - 1) * d - 1) // stride + 1 for L, size, stride, d, pad in axes)


@kernel
def gather(large: Array, small: Ints, sizes: Ints, strides: Ints, dilation: Ints, before: Ints) -> Array:
    """What every window reads: (.., L.., C) -> (.., S.., K, C), zeros where it reads padding."""
    xp = get_xp(large)
    *lead, C = large.shape
    lead, lengths = lead[: -len(sizes)], tuple(lead[-len(sizes) :])
    if math.prod(sizes) == 1 and lengths == small:
        return large[..., None, :]  # every position read once: the columns are the array itself
    columns = xp.zeros((*lead, *small, math.prod(sizes), C), dtype=large.dtype)
    for k, windows, read in overlaps(lengths, small, sizes, strides, dilation, before):
        columns[(..., *windows, k, slice(None))] = large[(..., *read, slice(None))]
    return columns


@kernel
def scatter(columns: Array, large: Ints, sizes: Ints, strides: Ints, dilation: Ints, before: Ints) -> Array:
    """The adjoint of ``gather``: each column is added where it was read, (.., S.., K, C) -> (.., L.., C)."""
    xp = get_xp(columns)
    *lead, K, C = columns.shape
    lead, small = lead[: -len(sizes)], tuple(lead[-len(sizes) :])
    if K == 1 and small == large:
        return columns[..., 0, :]
    total = xp.zeros((*lead, *large, C), dtype=columns.dtype)
    for k, windows, read in overlaps(large, small, sizes, strides, dilation, before):
        total[(..., *read, slice(None))] += columns[(..., *windows, k, slice(None))]
    return total


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and int(value) >= least


class SpatialLayer(Layer):
    """A layer over (batch, spatial axes.., channels), or channels first, which it moves to last at its border."""

    rank: int  # number of spatial axes

    def __init__(self, data_format: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        if data_format not in (None, "channels_last", "channels_first"):
            raise ValueError(f"{self}: data_format is 'channels_last' or 'channels_first', not {data_format!r}")
        self.channels_first = data_format == "channels_first"
        self.channel_axis = -self.rank - 1 if self.channels_first else -1

    def channels_last(self, x: Array) -> Array:
        """``x`` with its channels last; a view."""
        return get_xp(x).moveaxis(x, 1, -1) if self.channels_first else x

    def as_input(self, y: Array) -> Array:
        """``y``, channels last, with its channels where the layer's input has them; a view."""
        return get_xp(y).moveaxis(y, -1, 1) if self.channels_first else y

    def split_shape(self, input_shape: Any) -> tuple[Any, Any, Any]:
        """(batch, spatial lengths, channels) of a shape of either format."""
        if len(input_shape) != self.rank + 2:
            axes = ["batch", *AXES[self.rank]]
            axes.insert(1 if self.channels_first else len(axes), "channels")
            raise ShapeError(
                f"{self}: the input has {len(input_shape)} axes, shape {tuple(input_shape)}; "
                f"it wants {self.rank + 2}: ({', '.join(axes)}). Add or reshape an axis."
            )
        if self.channels_first:
            return input_shape[0], tuple(input_shape[2:]), input_shape[1]
        return input_shape[0], tuple(input_shape[1:-1]), input_shape[-1]

    def join_shape(self, batch: Any, lengths: Any, channels: Any) -> Any:
        """The shape with these axes in the layer's format."""
        return (batch, channels, *lengths) if self.channels_first else (batch, *lengths, channels)

    def positive(self, value: Any, name: str) -> int:
        """``value``, if it is a positive integer."""
        if not _whole(value, 1):
            raise ValueError(f"{self}: {name} is a positive integer, not {value!r}")
        return int(value)

    def as_tuple(self, value: Any, name: str, least: int = 1) -> Ints:
        """One integer per spatial axis, from an integer or a sequence of them."""
        values = tuple(value) if isinstance(value, (tuple, list)) else (value,) * self.rank
        if len(values) != self.rank or not all(_whole(v, least) for v in values):
            raise ValueError(f"{self}: {name} is an integer or {self.rank} of them, each {least} or more, not {value!r}")
        return tuple(int(v) for v in values)

    def one_of(self, value: Any, name: str, choices: tuple[str, ...]) -> str:
        """``value`` in lower case, if it is one of ``choices``."""
        if not isinstance(value, str) or value.lower() not in choices:
            raise ValueError(f"{self}: {name} is one of {', '.join(map(repr, choices))}, not {value!r}")
        return value.lower()

    def name_output_axes(self, channels: str) -> None:
        """Name the output's axes for the error messages of the layer that reads it."""
        self.output_axes = (channels, *AXES[self.rank]) if self.channels_first else (*AXES[self.rank], channels)

    def known_channels(self, input_shape: Any) -> int:
        """The number of channels, which makes the kernel's shape."""
        channels = self.split_shape(input_shape)[2]
        if channels is None:
            raise ShapeError(
                f"{self}: the channels of the input (axis {self.channel_axis}) must be known to make the kernel; "
                f"the shape came as {tuple(input_shape)}.",
                self.channel_axis,
            )
        return int(channels)

    def check_channels(self, channels: int, wanted: int) -> None:
        """Raise unless the input has the channels that the kernel was built for."""
        if channels != wanted:
            raise ShapeError(
                f"{self}: the input has {channels} channels (axis {self.channel_axis}), its kernel wants {wanted}. "
                "Feed it what it was built for, or make a new layer.",
                self.channel_axis,
            )

    def place_windows(self, lengths: Any, sizes: Ints, strides: Ints, dilation: Ints, padding: str) -> tuple[Any, Pads]:
        """(number of windows, (before, after) padding) along each axis; None along an axis of unknown length.

        'valid': none.  'same': ceil(length / stride) windows, the padding split evenly, an odd one after.
        'causal': all before, so that no window reads what comes later.
        """
        small: list[int | None] = []
        pads: list[tuple[int, int]] = []
        for axis, (length, size, stride, d) in enumerate(zip(lengths, sizes, strides, dilation, strict=True)):
            reach = (size - 1) * d + 1  # positions from a window's first tap to its last
            if length is None:
                small.append(None)
                pads.append((0, 0))
            elif padding == "valid":
                if length < reach:
                    tall = f"{size} (dilated by {d}: {reach})" if d > 1 else f"{size}"
                    raise ShapeError(
                        f"{self}: the {AXES[self.rank][axis]} axis of the input is {length}, a window of {tall} does not fit into it. "
                        "Use padding='same', a smaller window, or a longer input.",
                        axis - self.rank - (0 if self.channels_first else 1),
                    )
                small.append((length - reach) // stride + 1)
                pads.append((0, 0))
            else:
                count = -(-length // stride)
                total = reach - 1 if padding == "causal" else max(0, (count - 1) * stride + reach - length)
                before = total if padding == "causal" else total // 2
                small.append(count)
                pads.append((before, total - before))
        return tuple(small), tuple(pads)
