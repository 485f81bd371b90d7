"""Cropping2D: cuts margins off. B batch, H height, W width, C channels."""

from __future__ import annotations

from typing import Any

from .margins import Cropping


class Cropping2D(Cropping):
    """Cuts the margins off the spatial axes.

    Parameters
    ----------
    cropping : int, pair of int, or pair of pairs
        The same at all sides, (height, width) the same at both ends, or ((top, bottom), (left, right)); default ((0, 0), (0, 0)).
    data_format : {'channels_last', 'channels_first'}
        Default 'channels_last'.

    Notes
    -----
    Input (B, H, W, C); the output is a view of it. Backward: dx is 0 where something was cut off.

    Raises
    ------
    ShapeError
        Nothing would be left.

    Source: Keras 3, ``keras.layers.Cropping2D``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Cropping2D(cropping=((1, 1), (0, 2)))
    >>> y, cache = layer.forward(np.arange(9.0).reshape(1, 3, 3, 1))
    >>> y[0, :, :, 0], layer.backward(np.ones_like(y), cache)[0, :, :, 0].sum()
    (array([[3.]]), np.float64(1.0))
    """

    rank = 2

    def __init__(self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **options: Any) -> None:
        super().__init__(data_format, **options)
        self.margins = self.as_pairs(cropping, "cropping")


__all__ = ["Cropping2D"]
