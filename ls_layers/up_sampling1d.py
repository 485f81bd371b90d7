"""UpSampling1D: every time step several times. B batch, T time, C channels."""

from __future__ import annotations

from typing import Any

from .up_sampling import UpSampling


class UpSampling1D(UpSampling):
    """Repeats every time step ``size`` times.

    Parameters
    ----------
    size : int
        Default 2.

    Notes
    -----
    Input (B, T, C), output (B, size T, C). Backward: dx is the sum of dy over the repetitions.

    Source: Keras 3, ``keras.layers.UpSampling1D``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = UpSampling1D(size=2)
    >>> y, cache = layer.forward(np.array([[[1.0], [2.0]]]))
    >>> y[0, :, 0], layer.backward(np.array([[[1.0], [2.0], [3.0], [4.0]]]), cache)[0, :, 0]
    (array([1., 1., 2., 2.]), array([3., 7.]))
    """

    rank = 1

    def __init__(self, size: int = 2, **options: Any) -> None:
        super().__init__(**options)
        self.size = (self.positive(size, "size"),)


__all__ = ["UpSampling1D"]
