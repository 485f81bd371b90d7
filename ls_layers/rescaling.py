"""Rescaling: y = x scale + offset."""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.backend import constant, floatx, is_float
from ls_core.kernel import kernel
from ls_core.layer import Layer
from ls_core.types import Array


@kernel
def rescaling_forward(x: Array, scale: Any, offset: Any) -> Array:
    return x * scale + offset  # (.., C)


@kernel
def rescaling_backward(dy: Array, scale: Any) -> Array:
    # y = x * scale + offset
    return dy * scale  # (.., C)


class Rescaling(Layer):
    """Values into another range, in training and inference: ``y = x * scale + offset``.

    Parameters
    ----------
    scale, offset : float, or list of float
        A list has one number for each channel (the last axis). ``Rescaling(1 / 255)`` turns pixels 0 ... 255 into 0 ... 1.

    Notes
    -----
    Input (..), integers or floats; output (..), floats. Backward: ``dx = dy scale``.

    Source: Keras 3, ``keras.layers.Rescaling``.

    Examples
    --------
    >>> layer = Rescaling(1 / 127.5, offset=-1)
    >>> y, cache = layer.forward(np.array([0., 255.]))
    >>> y, layer.backward(np.array([127.5, 255.]), cache)
    (array([-1.,  1.]), array([1., 2.]))
    """

    supports_masking = True

    def __init__(self, scale: Any, offset: Any = 0.0, **options: Any) -> None:
        super().__init__(**options)
        self.scale, self.offset = _numbers(scale), _numbers(offset)

    def forward(self, x: Array, training: bool = False) -> Any:
        differentiable = is_float(x)
        if not differentiable:
            x = x.astype(self.dtype or floatx())
        scale, offset = (_like(value, x) for value in (self.scale, self.offset))
        return rescaling_forward(x, scale, offset), (scale if differentiable else None)

    def backward(self, dy: Array, saved: Any) -> Array:
        return None if saved is None else rescaling_backward(dy, saved)


def _numbers(value: Any) -> Any:
    """A Python number, or a NumPy array of them; Keras writes an array as a dict."""
    if isinstance(value, dict) and value.get("class_name") == "__numpy__":
        value = value["config"]["value"]
    array = np.asarray(value, dtype=np.float64)
    return float(array) if array.ndim == 0 else array


def _like(value: Any, x: Array) -> Any:
    return value if isinstance(value, float) else constant(value.astype(x.real.dtype), x)


__all__ = ["Rescaling", "rescaling_backward", "rescaling_forward"]
