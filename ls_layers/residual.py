"""Residual: y = x + f(x), a way around a layer. B batch, ... the axes after it."""

from __future__ import annotations

from typing import Any

from ls_core.errors import ShapeError
from ls_core.types import Array

from .wrapper import Wrapper, run_inside


class Residual(Wrapper):
    """A layer with a way around it: ``y = x + layer(x)``.

    Parameters
    ----------
    layer : Layer
        Its output has its input's shape; ``Sequential([...])`` makes one layer of several.

    Notes
    -----
    Input and output (B, ...). Backward: dx = dy + (the layer's dx): the gradient reaches x whole, whatever the layer does.
    A mask passes through.

    Raises
    ------
    ShapeError
        The layer changes the shape.

    Source: He et al. 2016, "Deep Residual Learning for Image Recognition", section 3.2.

    Examples
    --------
    >>> import numpy as np
    >>> from ls_layers import Dense
    >>> layer = Residual(Dense(2, kernel_initializer='ones'))
    >>> y, cache = layer.forward(np.array([[1.0, 2.0]]))
    >>> y, layer.backward(np.array([[1.0, 0.0]]), cache)
    (array([[4., 5.]]), array([[2., 1.]]))
    """

    supports_masking = True
    makes_mask = False

    def output_shape(self, input_shape: Any) -> Any:
        inside = tuple(self.layer.output_shape(input_shape))
        self._check(tuple(input_shape), inside)
        return input_shape

    def _check(self, outside: tuple[int | None, ...], inside: tuple[int | None, ...]) -> None:
        fits = len(outside) == len(inside) and all(a == b or None in (a, b) for a, b in zip(outside, inside, strict=True))
        if not fits:
            raise ShapeError(
                f"{self}: {self.layer} makes {inside} of {outside}; what is added to its input must have its shape. "
                "Let it end with a layer that restores the shape."
            )

    def forward(self, x: Array, mask: Any = None, training: bool = False) -> Any:  # type: ignore[override]
        fx, cache = run_inside(self.layer, (x,), mask, training)  # (B, ...)
        self._check(x.shape, fx.shape)
        return x + fx, cache

    def backward(self, dy: Array, saved: Any, input_gradient: bool = True) -> Any:
        # y = x + f(x)
        dx = self.layer.backward(dy, saved, input_gradient)  # (B, ...)
        return dy + dx if input_gradient else None

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return previous_mask


__all__ = ["Residual"]
