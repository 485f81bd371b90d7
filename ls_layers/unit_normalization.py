"""UnitNormalization: y = x / |x|, the Euclidean norm of the normalised axes.

... every axis that is not normalised, N the normalised numbers (of several axes, joined into one).
"""

from __future__ import annotations

from typing import Any

from ls_core.backend import as_float, get_xp
from ls_core.kernel import kernel
from ls_core.layer import Layer
from ls_core.types import Array

from .normalized_axes import gather, list_axes, place_axes, scatter, widen


@kernel
def unit_normalization_forward(x: Array, smallest: float) -> tuple[Array, tuple[Array, Array, Array]]:
    xp = get_xp(x)
    norm = xp.sqrt((x * x).sum(axis=-1, keepdims=True))  # (..., 1)
    inverse = 1 / xp.maximum(norm, smallest)  # (..., 1)
    y = x * inverse  # (..., N)
    return y, (y, inverse, norm > smallest)


@kernel
def unit_normalization_backward(dy: Array, saved: tuple[Array, Array, Array]) -> Array:
    y, inverse, normalised = saved
    # 2. y = x * inverse
    # 1. inverse = 1 / |x|: what dy has along y is lost, unless the norm was too small to divide by
    along = (dy * y).sum(axis=-1, keepdims=True) * normalised  # (..., 1)
    dx = dy - y * along  # (..., N)
    dx *= inverse
    return dx


class UnitNormalization(Layer):
    """Gives every example the Euclidean norm 1: ``y = x / max(|x|, 1e-12)``.

    Parameters
    ----------
    axis : int or list of int
        The axes that the norm covers. Default: the last.

    Notes
    -----
    Output: the input's shape. No weights. Backward:  dx = (dy - y sum(dy y)) / |x|. Half precision is normalised
    in float32.

    Raises
    ------
    ShapeError
        An axis is outside the input.

    Source: Keras 3, ``keras.layers.UnitNormalization``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = UnitNormalization()
    >>> y, cache = layer.forward(np.array([[3., 4.]]))
    >>> y, layer.backward(np.array([[1., 0.]]), cache)
    (array([[0.6, 0.8]]), array([[ 0.128, -0.096]]))
    """

    supports_masking = True

    def __init__(self, axis: Any = -1, **options: Any) -> None:
        super().__init__(**options)
        self.axes = list_axes("UnitNormalization", axis)

    def forward(self, x: Array, training: bool = False) -> Any:
        x = as_float(x)
        places = place_axes(self, self.axes, x.ndim)
        y, saved = unit_normalization_forward(widen(gather(x, places)), 1e-12)
        return scatter(y, places, x.shape).astype(x.dtype, copy=False), (places, saved)

    def backward(self, dy: Array, saved: Any) -> Array:
        places, saved = saved
        dx = unit_normalization_backward(widen(gather(dy, places)), saved)
        return scatter(dx, places, dy.shape).astype(dy.dtype, copy=False)


__all__ = ["UnitNormalization", "unit_normalization_backward", "unit_normalization_forward"]
