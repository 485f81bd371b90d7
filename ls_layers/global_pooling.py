"""Global pooling over n spatial axes: the kernels and base classes of GlobalMaxPooling and GlobalAveragePooling.

B batch, I.. input positions, N of them in all, C channels.
"""

from __future__ import annotations

import math
from typing import Any

from ls_core.backend import get_xp
from ls_core.errors import ShapeError
from ls_core.kernel import kernel
from ls_core.types import Array

from .windows import AXES, SpatialLayer


@kernel
def global_max_forward(x: Array) -> Array:
    """x (B, I.., C) -> y (B, C)."""
    return x.max(axis=tuple(range(1, x.ndim - 1)))


@kernel
def global_max_backward(dy: Array, x: Array, y: Array) -> Array:
    """dy (B, C) -> dx (B, I.., C); of equal maxima the first in reading order gets the gradient."""
    xp = get_xp(dy)
    B, C = dy.shape
    # y = max over I.. of x
    is_max = x.reshape(B, math.prod(x.shape[1:-1]), C) == y[:, None]  # (B, N, C)
    first = is_max.argmax(axis=1)  # (B, C)
    dx = xp.zeros(is_max.shape, dtype=dy.dtype)  # (B, N, C)
    dx[xp.arange(B)[:, None], first, xp.arange(C)] = dy
    return dx.reshape(x.shape)


@kernel
def global_average_forward(x: Array, mask: Array | None) -> tuple[Array, Array]:
    """x (B, I.., C), mask (B, I..) or None -> y (B, C), weight (B, I.., 1) or the number 1 / N."""
    xp = get_xp(x)
    axes = tuple(range(1, x.ndim - 1))
    if mask is None:
        return x.mean(axis=axes), 1.0 / math.prod(x.shape[1:-1])
    kept = mask.astype(bool)[..., None]  # (B, I.., 1)
    count = xp.maximum(kept.sum(axis=axes, keepdims=True), 1)  # (B, 1.., 1); at least 1, so that an empty row gives 0 and not 0 / 0
    weight = (kept / count).astype(x.real.dtype)  # (B, I.., 1)
    total = xp.where(kept, x, 0).sum(axis=axes)  # (B, C)
    return total / count.reshape(-1, 1).astype(x.real.dtype), weight


@kernel
def global_average_backward(dy: Array, weight: Array, x_shape: tuple[int, ...]) -> Array:
    """dy (B, C) -> dx (B, I.., C)."""
    # y = sum over I.. of x * weight
    spread = dy.reshape(dy.shape[0], *(1,) * (len(x_shape) - 2), dy.shape[1])  # (B, 1.., C)
    return get_xp(dy).broadcast_to(spread * weight, x_shape)  # (B, I.., C)


class GlobalPooling(SpatialLayer):
    """What the pooling layers over whole inputs share."""

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **options: Any) -> None:
        super().__init__(data_format, **options)
        self.keepdims = keepdims
        if keepdims:
            self.name_output_axes("channels")
        else:
            self.output_axes = ("channels",)

    def output_shape(self, input_shape: Any) -> Any:
        batch, _, channels = self.split_shape(input_shape)
        return self.join_shape(batch, (1,) * self.rank, channels) if self.keepdims else (batch, channels)

    def as_seen(self, x: Array) -> Array:
        """``x`` with its channels last, after a look at its shape."""
        _, lengths, _ = self.split_shape(x.shape)
        for i, length in enumerate(lengths):
            if length == 0:
                axis = i - self.rank - (0 if self.channels_first else 1)
                raise ShapeError(
                    f"{self}: the {AXES[self.rank][i]} axis of the input is 0, there is nothing to pool. Drop empty inputs.", axis
                )
        return self.channels_last(x)

    def with_axes(self, y: Array) -> Array:
        """(B, C) as the layer returns it."""
        return y.reshape(self.join_shape(y.shape[0], (1,) * self.rank, y.shape[1])) if self.keepdims else y


class GlobalMaxPooling(GlobalPooling):
    """The largest element over all positions."""

    def forward(self, x: Array, training: bool = False) -> Any:
        x = self.as_seen(x)
        y = global_max_forward(x)  # (B, C)
        return self.with_axes(y), (x, y)

    def backward(self, dy: Array, saved: Any, input_gradient: bool = True) -> Any:
        if not input_gradient:
            return None
        x, y = saved
        return self.as_input(global_max_backward(dy.reshape(y.shape), x, y))


class GlobalAveragePooling(GlobalPooling):
    """The mean over all positions; a class of its own rank says in its forward whether it takes a mask."""

    def average(self, x: Array, mask: Array | None) -> Any:
        """y and what backward needs."""
        x = self.as_seen(x)
        y, weight = global_average_forward(x, mask)
        return self.with_axes(y), (weight, x.shape)

    def backward(self, dy: Array, saved: Any, input_gradient: bool = True) -> Any:
        if not input_gradient:
            return None
        weight, x_shape = saved
        return self.as_input(global_average_backward(dy.reshape(x_shape[0], x_shape[-1]), weight, x_shape))


__all__ = [
    "GlobalAveragePooling",
    "GlobalMaxPooling",
    "global_average_backward",
    "global_average_forward",
    "global_max_backward",
    "global_max_forward",
]
