"""Up-sampling by whole factors: what UpSampling1D, 2D and 3D share.

B batch, L.. the spatial axes, C channels; s the factor of an axis, S = s L; .. alone: any axes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array

from .windows import Ints, SpatialLayer


@kernel
def repeat_forward(x: Array, factors: Ints, first: int) -> Array:
    """Every element of axis ``first + i`` is repeated ``factors[i]`` times."""
    split, repeated, joined = list(x.shape[:first]), list(x.shape[:first]), list(x.shape[:first])
    for size, s in zip(x.shape[first:], factors, strict=False):
        split += [size, 1]
        repeated += [size, s]
        joined.append(size * s)
    rest = x.shape[first + len(factors) :]
    xp = get_xp(x)
    y = xp.broadcast_to(x.reshape((*split, *rest)), (*repeated, *rest))  # (B, L, s, .., C), a view
    return xp.ascontiguousarray(y.reshape((*joined, *rest)))  # (B, S.., C)


@kernel
def repeat_backward(dy: Array, factors: Ints, first: int) -> Array:
    split = list(dy.shape[:first])
    for size, s in zip(dy.shape[first:], factors, strict=False):
        split += [size // s, s]
    # y = x repeated s times: dx is the sum over the repetitions
    copies = tuple(first + 1 + 2 * i for i in range(len(factors)))
    return dy.reshape((*split, *dy.shape[first + len(factors) :])).sum(axis=copies)  # (B, L.., C)


def phases(s: int) -> Iterator[tuple[int, int, float]]:
    """For outputs r, r + s, r + 2 s ...: r, the shift of the left neighbour, and the right one's weight.

    Output r + s q lies at q + (r + 0.5) / s - 0.5 in units of the input.

    >>> list(phases(2))
    [(0, -1, 0.75), (1, 0, 0.25)]
    """
    for r in range(s):
        place = (r + 0.5) / s - 0.5
        yield r, math.floor(place), place - math.floor(place)


@kernel
def linear_forward(x: Array, s: int, axis: int) -> Array:
    """Linear interpolation along ``axis`` between the centres of the elements; beyond the last centres constant."""
    xp = get_xp(x)
    L = x.shape[axis]
    before = (slice(None),) * axis
    edge = xp.concatenate((x[(*before, slice(0, 1))], x, x[(*before, slice(L - 1, L))]), axis=axis)  # (.., L + 2, ..)
    y = xp.empty((*x.shape[:axis], L * s, *x.shape[axis + 1 :]), dtype=x.dtype)  # (.., S, ..)
    for r, shift, weight in phases(s):
        left = edge[(*before, slice(1 + shift, 1 + shift + L))]  # (.., L, ..)
        right = edge[(*before, slice(2 + shift, 2 + shift + L))]
        y[(*before, slice(r, None, s))] = left * (1.0 - weight) + right * weight
    return y


@kernel
def linear_backward(dy: Array, s: int, axis: int) -> Array:
    L = dy.shape[axis] // s
    before = (slice(None),) * axis
    dedge = get_xp(dy).zeros((*dy.shape[:axis], L + 2, *dy.shape[axis + 1 :]), dtype=dy.dtype)  # (.., L + 2, ..)
    for r, shift, weight in phases(s):
        # 2. y[r::s] = left * (1 - weight) + right * weight
        part = dy[(*before, slice(r, None, s))]  # (.., L, ..)
        dedge[(*before, slice(1 + shift, 1 + shift + L))] += part * (1.0 - weight)
        dedge[(*before, slice(2 + shift, 2 + shift + L))] += part * weight
    # 1. edge = x with its first and last element once more
    dx = dedge[(*before, slice(1, L + 1))]  # (.., L, ..)
    dx[(*before, slice(0, 1))] += dedge[(*before, slice(0, 1))]
    dx[(*before, slice(L - 1, L))] += dedge[(*before, slice(L + 1, L + 2))]
    return dx


class UpSampling(SpatialLayer):
    """Base of UpSampling1D, 2D and 3D; every output is the nearest input."""

    size: Ints

    @property
    def first(self) -> int:
        """The first spatial axis."""
        return 2 if self.channels_first else 1

    def output_shape(self, input_shape: Any) -> Any:
        batch, lengths, channels = self.split_shape(input_shape)
        longer = tuple(None if length is None else length * s for length, s in zip(lengths, self.size, strict=True))
        return self.join_shape(batch, longer, channels)

    def forward(self, x: Array, training: bool = False) -> Any:
        self.split_shape(x.shape)
        return repeat_forward(x, self.size, self.first), None

    def backward(self, dy: Array, saved: Any) -> Any:
        return repeat_backward(dy, self.size, self.first)
