"""ZeroPadding1D: adds margins of zeros. B batch, T time, C channels."""

from __future__ import annotations

from typing import Any

from .margins import ZeroPadding


class ZeroPadding1D(ZeroPadding):
    """Adds margins of zeros to the time axis.

    Parameters
    ----------
    padding : int or pair of int
        The same at both ends, or (before, after); default 1.
    data_format : {'channels_last', 'channels_first'}
        Default 'channels_last'.

    Notes
    -----
    Input (B, T, C). Backward: dx is the inner part of dy, a view.

    Source: Keras 3, ``keras.layers.ZeroPadding1D``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = ZeroPadding1D(padding=(0, 2))
    >>> y, cache = layer.forward(np.array([[[1.0], [2.0]]]))
    >>> y[0, :, 0], layer.backward(np.array([[[1.0], [2.0], [3.0], [4.0]]]), cache)[0, :, 0]
    (array([1., 2., 0., 0.]), array([1., 2.]))
    """

    rank = 1

    def __init__(self, padding: Any = 1, data_format: str | None = None, **options: Any) -> None:
        super().__init__(data_format, **options)
        self.margins = self.as_pairs(padding, "padding")


__all__ = ["ZeroPadding1D"]
