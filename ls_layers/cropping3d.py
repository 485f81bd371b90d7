"""Cropping3D: cuts margins off. B batch, D depth, H height, W width, C channels."""

from __future__ import annotations

from typing import Any

from .margins import Cropping


class Cropping3D(Cropping):
    """Cuts the margins off the spatial axes.

    Parameters
    ----------
    cropping : int, three ints, or three pairs
        The same at all sides, one for each axis, or (before, after) for each axis; default ((1, 1), (1, 1), (1, 1)).
    data_format : {'channels_last', 'channels_first'}
        Default 'channels_last'.

    Notes
    -----
    Input (B, D, H, W, C); the output is a view of it. Backward: dx is 0 where something was cut off.

    Raises
    ------
    ShapeError
        Nothing would be left.

    Source: Keras 3, ``keras.layers.Cropping3D``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Cropping3D(cropping=1)
    >>> y, cache = layer.forward(np.ones((1, 3, 4, 5, 1)))
    >>> y.shape, layer.backward(np.ones_like(y), cache).sum()
    ((1, 1, 2, 3, 1), np.float64(6.0))
    """

    rank = 3

    def __init__(self, cropping: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None, **options: Any) -> None:
        super().__init__(data_format, **options)
        self.margins = self.as_pairs(cropping, "cropping")


__all__ = ["Cropping3D"]
