"""Wrapper: a layer around another one."""

from __future__ import annotations

from typing import Any

from ls_core.layer import Layer
from ls_core.registry import deserialize
from ls_core.types import Array


class Wrapper(Layer):
    """A layer that holds another one; as it stands it does what that one does. A base class to derive from.

    Parameters
    ----------
    layer : Layer
        Or its configuration, as Keras writes it.

    Raises
    ------
    TypeError
        ``layer`` is no layer.

    Source: Keras 3, ``keras.layers.Wrapper``.

    Examples
    --------
    >>> import numpy as np
    >>> from ls_layers import Dense
    >>> layer = Wrapper(Dense(2))
    >>> y, cache = layer.forward(np.ones((3, 4)))
    >>> y.shape, layer.backward(y, cache).shape, [p.path for p in layer.parameters()]
    ((3, 2), (3, 4), ['wrapper/dense/kernel', 'wrapper/dense/bias'])
    """

    def __init__(self, layer: Any, **options: Any) -> None:
        super().__init__(**options)
        layer = deserialize("layer", layer)
        if not isinstance(layer, Layer):
            raise TypeError(f"{self}: it wraps a layer, not {layer!r}")
        self.layer = layer

    @property
    def supports_masking(self) -> bool:  # type: ignore[override]
        return self.layer.supports_masking

    @property
    def makes_mask(self) -> bool:  # type: ignore[override]
        return self.layer.makes_mask

    def build(self, input_shape: Any) -> None:
        self.layer.ensure_built(input_shape)

    def _build_on(self, inputs: tuple[Any, ...]) -> None:
        self.built = True  # the layer inside builds itself on the data that reaches it

    def output_shape(self, input_shape: Any) -> Any:
        return self.layer.output_shape(input_shape)

    def forward(self, *inputs: Any, mask: Any = None, training: bool = False, **options: Any) -> Any:
        return run_inside(self.layer, inputs, mask, training, **options)

    def backward(self, dy: Array, saved: Any, input_gradient: bool = True) -> Any:
        return self.layer.backward(dy, saved, input_gradient)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return self.layer.compute_mask(inputs, previous_mask)


def run_inside(layer: Layer, inputs: tuple[Any, ...], mask: Any, training: bool, **options: Any) -> Any:
    """forward of a layer within another: it gets the mask if it takes one."""
    if mask is not None and layer.takes_mask:
        options["mask"] = mask
    return layer.forward(*inputs, training=training, **options)


__all__ = ["Wrapper", "run_inside"]
