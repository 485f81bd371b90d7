"""RMSNormalization: y = scale x / sqrt(mean(x^2) + epsilon).

... every axis that is not normalised, N the normalised numbers (of several axes, joined into one).
"""

from __future__ import annotations

from typing import Any

from ls_core.backend import as_float, get_xp
from ls_core.kernel import kernel
from ls_core.layer import Layer
from ls_core.types import Array

from .normalized_axes import accumulate, check_size, flat_value, gather, known_sizes, list_axes, place_axes, scatter, widen


@kernel
def rms_normalization_forward(x: Array, scale: Array, epsilon: float) -> tuple[Array, tuple[Array, Array]]:
    inverse = 1 / get_xp(x).sqrt((x * x).mean(axis=-1, keepdims=True) + epsilon)  # (..., 1)
    xhat = x * inverse  # (..., N)
    return xhat * scale, (xhat, inverse)


@kernel
def rms_normalization_backward(dy: Array, scale: Array, saved: tuple[Array, Array]) -> tuple[Array, Array]:
    xhat, inverse = saved
    # 3. y = xhat * scale
    dscale = (dy * xhat).reshape(-1, dy.shape[-1]).sum(axis=0)  # (N,)
    dxhat = dy * scale  # (..., N)
    # 2. xhat = x * inverse
    # 1. inverse = 1 / sqrt(mean(x^2) + epsilon): what dxhat has along xhat is lost, the scale being divided out
    along = (dxhat * xhat).mean(axis=-1, keepdims=True)  # (..., 1)
    dx = dxhat - xhat * along  # (..., N)
    dx *= inverse
    return dx, dscale


class RMSNormalization(Layer):
    """Divides every example by the root of its features' mean square: ``y = scale * x / sqrt(mean(x**2) + epsilon)``.

    Parameters
    ----------
    axis : int or list of int
        The axes over which the mean goes. Default: the last.
    epsilon : float
        Added to the mean square. Default 1e-6.

    Notes
    -----
    Output: the input's shape. Weights: scale, one axis for each normalised one. Backward, with
    r = sqrt(mean(x**2) + epsilon), xhat = x / r and dxhat = scale dy:  dx = (dxhat - xhat mean(dxhat xhat)) / r.
    Half precision is normalised in float32. As in Keras 3, no mask passes through.

    Raises
    ------
    ShapeError
        An axis is outside the input, or has another size than the scale was made for.

    Source: Keras 3, ``keras.layers.RMSNormalization``; Zhang and Sennrich 2019, eq. 4.

    Examples
    --------
    >>> import numpy as np
    >>> layer = RMSNormalization(epsilon=0.)
    >>> y, cache = layer.forward(np.array([[1., 7., 1., 7.]]))
    >>> y, layer.backward(np.array([[1., 0., 0., 0.]]), cache).round(3)
    (array([[0.2, 1.4, 0.2, 1.4]]), array([[ 0.198, -0.014, -0.002, -0.014]]))
    """

    def __init__(self, axis: Any = -1, epsilon: float = 1e-6, **options: Any) -> None:
        super().__init__(**options)
        self.axes = list_axes("RMSNormalization", axis)
        self.epsilon = float(epsilon)

    def build(self, input_shape: Any) -> None:
        place_axes(self, self.axes, len(input_shape))
        self.scale = self.add_weight(known_sizes(self, self.axes, input_shape), "ones", name="scale")

    def forward(self, x: Array, training: bool = False) -> Any:
        x = as_float(x)
        places = place_axes(self, self.axes, x.ndim)
        rows = widen(gather(x, places))
        check_size(self, rows.shape[-1], self.scale.size, self.axes)
        y, saved = rms_normalization_forward(rows, flat_value(self.scale), self.epsilon)
        return scatter(y, places, x.shape).astype(x.dtype, copy=False), (places, saved)

    def backward(self, dy: Array, saved: Any) -> Array:
        places, saved = saved
        dx, dscale = rms_normalization_backward(widen(gather(dy, places)), flat_value(self.scale), saved)
        accumulate(self.scale, dscale)
        return scatter(dx, places, dy.shape).astype(dy.dtype, copy=False)


__all__ = ["RMSNormalization", "rms_normalization_backward", "rms_normalization_forward"]
