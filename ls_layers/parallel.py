"""Parallel: several layers side by side on one input. B batch, ... the axes after it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ls_core.layer import Layer
from ls_core.registry import deserialize
from ls_core.types import Array

from .wrapper import run_inside


class Parallel(Layer):
    """Several layers side by side on one input, their outputs joined.

    Parameters
    ----------
    layers : list of Layer
        Each gets the same input. ``Activation('linear')`` passes it on as it is.
    join : Layer or str, optional
        What joins the outputs: 'concatenate' (default), 'add', 'multiply', 'average', 'maximum' or any merge layer;
        None: the outputs come as a tuple.

    Notes
    -----
    Input (B, ...). Backward: dx is the sum of the layers' dx, None if all of them take integers.
    The output has a mask where every layer's output has one.

    Examples
    --------
    Filters of several widths over a text (Kim 2014):

    >>> import numpy as np
    >>> from ls_layers import Conv1D
    >>> layer = Parallel([Conv1D(4, 3, padding='same'), Conv1D(4, 5, padding='same')])
    >>> y, cache = layer.forward(np.ones((2, 7, 3)))
    >>> y.shape, layer.backward(y, cache).shape, len(layer.parameters())
    ((2, 7, 8), (2, 7, 3), 4)
    """

    supports_masking = True

    def __init__(self, layers: Iterable[Any], join: Any = "concatenate", **options: Any) -> None:
        super().__init__(**options)
        made = [deserialize("layer", layer) for layer in layers]
        if not made:
            raise ValueError(f"{self}: it wants at least one layer")
        self.layers = made
        self.join = deserialize("layer", join)

    @property
    def makes_mask(self) -> bool:  # type: ignore[override]
        return any(layer.makes_mask for layer in self.layers)

    def build(self, input_shape: Any) -> None:
        for layer in self.layers:
            layer.ensure_built(input_shape)
        if self.join is not None:
            self.join.ensure_built([layer.output_shape(input_shape) for layer in self.layers])

    def _build_on(self, inputs: tuple[Any, ...]) -> None:
        self.built = True  # each layer inside builds itself on the data that reaches it

    def output_shape(self, input_shape: Any) -> Any:
        shapes = [layer.output_shape(input_shape) for layer in self.layers]
        return shapes if self.join is None else self.join.output_shape(shapes)

    def forward(self, x: Array, mask: Any = None, training: bool = False) -> Any:
        outputs, caches = zip(*(run_inside(layer, (x,), mask, training) for layer in self.layers), strict=True)
        if self.join is None:
            return outputs, (caches, None)
        y, joined = self.join.forward(*outputs, training=training)  # (B, ...)
        return y, (caches, joined)

    def backward(self, dy: Any, saved: Any, input_gradient: bool = True) -> Any:
        caches, joined = saved
        # 2. y = join(y1, y2, ...)
        parts = dy if joined is None else self.join.backward(dy, joined)
        # 1. y1 = layer1(x), y2 = layer2(x), ...
        dx = None
        for layer, part, cache in zip(self.layers, parts, caches, strict=True):
            if part is not None:
                term = layer.backward(part, cache, input_gradient)  # (B, ...)
                dx = term if dx is None else dx if term is None else dx + term
        return dx if input_gradient else None

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        masks = [layer.compute_mask(inputs, previous_mask) for layer in self.layers]
        if self.join is None:
            return masks
        if any(mask is None for mask in masks):
            return None
        return self.join.compute_mask([mask[..., None] for mask in masks], masks)


__all__ = ["Parallel"]
