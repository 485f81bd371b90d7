"""What Maximum and Minimum share: one input against the next, masks, and ties. B batch, ... the axes after it."""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.kernel import Kernel
from ls_core.types import Array

from .merge import Merge, list_inputs, spread_masks, sum_to


def shares(wins: Array, ties: Array, dtype: Any) -> Array:
    """How much of dy the first of two goes: 1 where it wins, 0 where it loses, 1/2 where both are equal."""
    return wins.astype(dtype) + ties.astype(dtype) * 0.5


class Extremum(Merge):
    """Base of Maximum and Minimum: ``pair(a, b) -> (the better of the two, a's share of dy)``."""

    pair: Kernel

    def forward(self, *inputs: Any, mask: Any = None, training: bool = False) -> Any:
        inputs = list_inputs(inputs)
        aligned = self.align(inputs)
        masks = spread_masks(mask, aligned)
        xp = get_xp(aligned[0])
        y, y_mask, steps = aligned[0], masks[0], []
        for x, m in zip(aligned[1:], masks[1:], strict=True):
            before = y_mask
            if m is not None:
                x = xp.where(m, x, y)  # a masked step leaves the field to the others
            if before is not None:
                y = xp.where(before, y, x)
            y_mask = xp.logical_or(before, m) if before is not None and m is not None else None
            y, share = self.pair(y, x)
            steps.append((share, before, m))
        return y, (steps, tuple(x.shape for x in inputs))

    def backward(self, dy: Array, saved: Any) -> Any:
        steps, shapes = saved
        gradients = []
        for share, before, m in reversed(steps):
            # 3. y, share = pair(y, x)
            dx = dy * (1.0 - share)  # (B, ...)
            dy = dy * share
            # 2. y = where(before, y, x)
            if before is not None:
                dx, dy = dx + dy * ~before, dy * before
            # 1. x = where(m, x, y)
            if m is not None:
                dx, dy = dx * m, dy + dx * ~m
            gradients.append(dx)
        gradients.append(dy)
        return tuple(sum_to(g, shape) for g, shape in zip(reversed(gradients), shapes, strict=True))
