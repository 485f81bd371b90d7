"""ZeroPadding2D: adds margins of zeros. B batch, H height, W width, C channels."""

from __future__ import annotations

from typing import Any

from .margins import ZeroPadding


class ZeroPadding2D(ZeroPadding):
    """Adds margins of zeros to the spatial axes.

    Parameters
    ----------
    padding : int, pair of int, or pair of pairs
        The same at all sides, (height, width) the same at both ends, or ((top, bottom), (left, right)); default (1, 1).
    data_format : {'channels_last', 'channels_first'}
        Default 'channels_last'.

    Notes
    -----
    Input (B, H, W, C). Backward: dx is the inner part of dy, a view.

    Source: Keras 3, ``keras.layers.ZeroPadding2D``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = ZeroPadding2D(padding=((0, 1), (1, 0)))
    >>> y, cache = layer.forward(np.array([[[[5.0]]]]))
    >>> y[0, :, :, 0], layer.backward(y, cache).ravel()
    (array([[0., 5.],
            [0., 0.]]), array([5.]))
    """

    rank = 2

    def __init__(self, padding: Any = (1, 1), data_format: str | None = None, **options: Any) -> None:
        super().__init__(data_format, **options)
        self.margins = self.as_pairs(padding, "padding")


__all__ = ["ZeroPadding2D"]
