"""Activation: an activation function as a layer."""

from __future__ import annotations

from typing import Any

from ls_core.backend import is_float
from ls_core.layer import Layer
from ls_core.registry import deserialize
from ls_core.types import Array

_INTEGERS = object()  # saved in place of what backward needs: integers have no gradient


class Activation(Layer):
    """An activation function as a layer: ``y = activation(x)``.

    Parameters
    ----------
    activation : str or ActivationFunction
        A name such as 'relu', 'gelu' or 'softmax'; None is linear.

    Notes
    -----
    Output: the input's shape (glu: half as long along its axis). No weights. Backward is the function's own.

    Raises
    ------
    ValueError
        There is no activation of that name.

    Source: Keras 3, ``keras.layers.Activation``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Activation('relu')
    >>> y, cache = layer.forward(np.array([-3., 0., 2.]))
    >>> y, layer.backward(np.array([5., 6., 7.]), cache)
    (array([0., 0., 2.]), array([0., 0., 7.]))
    """

    supports_masking = True

    def __init__(self, activation: Any, **options: Any) -> None:
        super().__init__(**options)
        self.activation = deserialize("activation", activation or "linear")

    def output_shape(self, input_shape: Any) -> Any:
        return self.activation.output_shape(input_shape)

    def forward(self, x: Array, training: bool = False) -> Any:
        if not is_float(x):
            return self.activation(x), _INTEGERS
        return self.activation.forward(x)

    def backward(self, dy: Array, saved: Any) -> Array:
        return None if saved is _INTEGERS else self.activation.backward(dy, saved)
