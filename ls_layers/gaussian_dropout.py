"""GaussianDropout: y = x noise, noise normal around 1."""

from __future__ import annotations

import math
from typing import Any

from ls_core.backend import as_float
from ls_core.layer import Layer
from ls_core.types import Array

from .dropout import dropout_backward, dropout_forward


class GaussianDropout(Layer):
    """While training, multiplies by normal numbers of mean 1 and standard deviation sqrt(rate / (1 - rate)).

    Parameters
    ----------
    rate : float
        0 or more and below 1: the rate of the ``Dropout`` with the same variance.
    seed : int, optional
        Of this layer's own random numbers; default: they follow ``set_seed``.

    Notes
    -----
    Output: the input's shape. No weights. Backward: ``dx = dy noise``. Outside training both passes return their
    argument itself.

    Raises
    ------
    ValueError
        ``rate`` is outside 0 ... 1, or 1, whose deviation is infinite.

    Source: Keras 3, ``keras.layers.GaussianDropout``; Srivastava et al. 2014, section 10.

    Examples
    --------
    >>> import numpy as np
    >>> y, cache = GaussianDropout(0.5, seed=1).forward(np.ones(100000), training=True)
    >>> round(float(y.mean()), 2), round(float(y.std()), 2)
    (1.0, 1.0)
    """

    supports_masking = True

    def __init__(self, rate: float, seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        if not 0 <= rate < 1:
            raise ValueError(f"GaussianDropout: rate is a number from 0 to below 1, not {rate!r}")
        self.rate = rate
        self.seed = seed

    def forward(self, x: Array, training: bool = False) -> Any:
        if not training or self.rate == 0:
            return x, None
        x = as_float(x)
        noise = self.stream("noise").normal(x.shape, dtype=x.dtype, like=x)
        noise = noise * math.sqrt(self.rate / (1 - self.rate)) + 1
        return dropout_forward(x, noise), noise

    def backward(self, dy: Array, noise: Array) -> Array:
        return dy if noise is None else dropout_backward(dy, noise)
