"""LeakyReLU: leaky_relu as a layer, with its slope."""

from __future__ import annotations

from typing import Any

from ls_core.backend import as_float
from ls_core.layer import Layer
from ls_core.types import Array

from .activations.leaky_relu import leaky_relu_backward, leaky_relu_forward


class LeakyReLU(Layer):
    """``y = x`` for x > 0, else ``negative_slope x``.

    Parameters
    ----------
    negative_slope : float
        0 or more. Default 0.3 (the function 'leaky_relu' has 0.2). Its older name ``alpha`` is taken as well.

    Notes
    -----
    Output: the input's shape. No weights. Backward: dy times 1 or ``negative_slope``.

    Raises
    ------
    ValueError
        ``negative_slope`` is negative.

    Source: Keras 3, ``keras.layers.LeakyReLU``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = LeakyReLU(negative_slope=0.5)
    >>> y, cache = layer.forward(np.array([-4., 2.]))
    >>> y, layer.backward(np.ones(2), cache)
    (array([-2.,  2.]), array([0.5, 1. ]))
    """

    supports_masking = True

    def __init__(self, negative_slope: float = 0.3, **options: Any) -> None:
        negative_slope = options.pop("alpha", negative_slope)
        super().__init__(**options)
        if negative_slope is None or negative_slope < 0:
            raise ValueError(f"LeakyReLU: negative_slope is a number, 0 or more, not {negative_slope!r}")
        self.negative_slope = negative_slope

    def forward(self, x: Array, training: bool = False) -> Any:
        return leaky_relu_forward(as_float(x), self.negative_slope)

    def backward(self, dy: Array, y: Array) -> Array:
        return leaky_relu_backward(dy, y, self.negative_slope)
