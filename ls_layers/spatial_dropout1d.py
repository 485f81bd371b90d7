"""SpatialDropout1D: dropout of whole features. B batch, T time, C features."""

from __future__ import annotations

from typing import Any

from .spatial_dropout import SpatialDropout


class SpatialDropout1D(SpatialDropout):
    """While training, drops a feature at all time steps or at none, with probability ``rate``.

    Parameters
    ----------
    rate : float
        From 0 to 1.
    seed : int, optional
        Of this layer's own random numbers; default: they follow ``set_seed``.

    Notes
    -----
    Input and output (B, T, C); the mask is (B, 1, C). Else as ``Dropout``.

    Raises
    ------
    ValueError
        ``rate`` is outside 0 ... 1.
    ShapeError
        The input has not 3 axes.

    Source: Keras 3, ``keras.layers.SpatialDropout1D``; Tompson et al. 2014, section 3.2.

    Examples
    --------
    >>> import numpy as np
    >>> SpatialDropout1D(0.5, seed=1).forward(np.ones((1, 2, 4)), training=True)[0].tolist()
    [[[0.0, 2.0, 2.0, 0.0], [0.0, 2.0, 2.0, 0.0]]]
    """

    space = 1

    def __init__(self, rate: float, seed: int | None = None, **options: Any) -> None:
        super().__init__(rate, seed=seed, **options)
