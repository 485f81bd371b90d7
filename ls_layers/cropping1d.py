"""Cropping1D: cuts margins off. B batch, T time, C channels."""

from __future__ import annotations

from typing import Any

from .margins import Cropping


class Cropping1D(Cropping):
    """Cuts the margins off the time axis.

    Parameters
    ----------
    cropping : int or pair of int
        The same at both ends, or (before, after); default (1, 1).

    Notes
    -----
    Input (B, T, C); the output is a view of it. Backward: dx is 0 where something was cut off.

    Raises
    ------
    ShapeError
        Nothing would be left.

    Source: Keras 3, ``keras.layers.Cropping1D``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Cropping1D(cropping=(0, 2))
    >>> y, cache = layer.forward(np.arange(4.0).reshape(1, 4, 1))
    >>> y[0, :, 0], layer.backward(np.ones_like(y), cache)[0, :, 0]
    (array([0., 1.]), array([1., 1., 0., 0.]))
    """

    rank = 1

    def __init__(self, cropping: Any = (1, 1), **options: Any) -> None:
        super().__init__(**options)
        self.margins = self.as_pairs(cropping, "cropping")


__all__ = ["Cropping1D"]
