"""GaussianNoise: y = x + noise."""

from __future__ import annotations

from typing import Any

from ls_core.backend import as_float
from ls_core.layer import Layer
from ls_core.types import Array


class GaussianNoise(Layer):
    """While training, adds normal numbers of mean 0.

    Parameters
    ----------
    stddev : float
        Their standard deviation, from 0 to 1.
    seed : int, optional
        Of this layer's own random numbers; default: they follow ``set_seed``.

    Notes
    -----
    Output: the input's shape. No weights. Backward: dy itself.

    Raises
    ------
    ValueError
        ``stddev`` is outside 0 ... 1.

    Source: Keras 3, ``keras.layers.GaussianNoise``.

    Examples
    --------
    >>> import numpy as np
    >>> y, cache = GaussianNoise(0.5, seed=1).forward(np.zeros(100000), training=True)
    >>> round(float(y.std()), 2)
    0.5
    """

    supports_masking = True

    def __init__(self, stddev: float, seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        if not 0 <= stddev <= 1:
            raise ValueError(f"GaussianNoise: stddev is a number from 0 to 1, not {stddev!r}")
        self.stddev = stddev
        self.seed = seed

    def forward(self, x: Array, training: bool = False) -> Any:
        if not training or self.stddev == 0:
            return x, None
        x = as_float(x)
        return x + self.stream("noise").normal(x.shape, dtype=x.dtype, like=x) * self.stddev, None

    def backward(self, dy: Array, saved: None) -> Array:
        return dy
