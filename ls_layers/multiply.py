"""Multiply: y = x1 * x2 * ... B batch, ... the axes after it."""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array

from .merge import Merge, list_inputs, spread_masks, sum_to


@kernel
def multiply_forward(x: Array, *others: Array) -> Array:
    y = x
    for other in others:
        y = y * other  # (B, ...)
    return y


@kernel
def multiply_backward(dy: Array, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
    # y = x1 * x2 * ...: each gradient is dy times the other inputs, those before it and those after it
    before = [dy]  # dy * x1 * ... * x(i-1)
    for x in inputs[:-1]:
        before.append(before[-1] * x)
    gradients, after = [before[-1]], None  # after = x(i+1) * ... * xn
    for x, product in zip(inputs[:0:-1], before[-2::-1], strict=True):
        after = x if after is None else after * x
        gradients.append(product * after)
    return tuple(gradients[::-1])  # each (B, ...)


class Multiply(Merge):
    """The product of its inputs, element by element: ``y = x1 * x2 * ...``.

    Notes
    -----
    The inputs' shapes are equal, or broadcast as in :class:`Add`. Backward: each dx is dy times the other inputs.

    With masks (batch, time) a masked step counts as 1, and where all inputs are masked the output is 0.

    Raises
    ------
    ShapeError
        The shapes do not broadcast.

    Source: Keras 3, ``keras.layers.Multiply``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Multiply()
    >>> y, cache = layer.forward(np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]]))
    >>> y, layer.backward(np.array([[1.0, -1.0]]), cache)
    (array([[10., 40.]]), (array([[ 10., -20.]]), array([[ 1., -2.]])))
    """

    def forward(self, *inputs: Any, mask: Any = None, training: bool = False) -> Any:
        inputs = list_inputs(inputs)
        shapes = tuple(x.shape for x in inputs)
        aligned = self.align(inputs)
        masks = spread_masks(mask, aligned)
        xp = get_xp(aligned[0])
        factors = tuple(x if m is None else xp.where(m, x, 1.0).astype(x.dtype) for x, m in zip(aligned, masks, strict=True))
        y = multiply_forward(*factors)
        kept = None
        if all(m is not None for m in masks):
            kept = masks[0]
            for m in masks[1:]:
                kept = xp.logical_or(kept, m)
            y = y * kept
        return y, (factors, masks, kept, shapes)

    def backward(self, dy: Array, saved: Any) -> Any:
        factors, masks, kept, shapes = saved
        # 3. y = y * kept
        if kept is not None:
            dy = dy * kept
        # 2. y = factor1 * factor2 * ...
        gradients = multiply_backward(dy, factors)
        # 1. factor = where(mask, x, 1)
        gradients = tuple(g if m is None else g * m for g, m in zip(gradients, masks, strict=True))
        return tuple(sum_to(g, shape) for g, shape in zip(gradients, shapes, strict=True))


__all__ = ["Multiply", "multiply_backward", "multiply_forward"]
