"""ZeroPadding3D: adds margins of zeros. B batch, D depth, H height, W width, C channels."""

from __future__ import annotations

from typing import Any

from .margins import ZeroPadding


class ZeroPadding3D(ZeroPadding):
    """Adds margins of zeros to the spatial axes.

    Parameters
    ----------
    padding : int, three ints, or three pairs
        The same at all sides, one for each axis, or (before, after) for each axis; default ((1, 1), (1, 1), (1, 1)).
    data_format : {'channels_last', 'channels_first'}
        Default 'channels_last'.

    Notes
    -----
    Input (B, D, H, W, C). Backward: dx is the inner part of dy, a view.

    Source: Keras 3, ``keras.layers.ZeroPadding3D``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = ZeroPadding3D(padding=(1, 0, 2))
    >>> y, cache = layer.forward(np.ones((1, 1, 1, 1, 1)))
    >>> y.shape, layer.backward(y, cache).shape
    ((1, 3, 1, 5, 1), (1, 1, 1, 1, 1))
    """

    rank = 3

    def __init__(self, padding: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None, **options: Any) -> None:
        super().__init__(data_format, **options)
        self.margins = self.as_pairs(padding, "padding")


__all__ = ["ZeroPadding3D"]
