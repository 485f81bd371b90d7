"""UpSampling2D: rows and columns several times, or interpolated. B batch, H height, W width, C channels."""

from __future__ import annotations

from typing import Any

from ls_core.backend import as_float
from ls_core.types import Array

from .up_sampling import UpSampling, linear_backward, linear_forward, repeat_backward, repeat_forward


class UpSampling2D(UpSampling):
    """Makes images larger by whole factors.

    Parameters
    ----------
    size : int or pair of int
        Factors of height and width, default (2, 2).
    data_format : {'channels_last', 'channels_first'}
        Default 'channels_last'.
    interpolation : {'nearest', 'bilinear'}
        Default 'nearest', which repeats. 'bilinear' interpolates between the centres of the pixels; beyond the last
        centres the image goes on unchanged.

    Notes
    -----
    Input (B, H, W, C), output (B, size[0] H, size[1] W, C).

    Source: Keras 3, ``keras.layers.UpSampling2D``; Keras' bicubic and lanczos interpolations are not here.

    Examples
    --------
    >>> import numpy as np
    >>> layer = UpSampling2D(size=(1, 2), interpolation='bilinear')
    >>> y, cache = layer.forward(np.array([[[[0.0], [4.0]]]]))
    >>> y[0, 0, :, 0], layer.backward(np.ones((1, 1, 4, 1)), cache)[0, 0, :, 0]
    (array([0., 1., 3., 4.]), array([2., 2.]))
    """

    rank = 2

    def __init__(self, size: Any = (2, 2), data_format: str | None = None, interpolation: str = "nearest", **options: Any) -> None:
        super().__init__(data_format, **options)
        self.size = self.as_tuple(size, "size")
        self.interpolation = self.one_of(interpolation, "interpolation", ("nearest", "bilinear"))

    def forward(self, x: Array, training: bool = False) -> Any:
        self.split_shape(x.shape)
        if self.interpolation == "nearest":
            return repeat_forward(x, self.size, self.first), None
        high = linear_forward(as_float(x), self.size[0], self.first)  # (B, size[0] H, W, C)
        return linear_forward(high, self.size[1], self.first + 1), None  # (B, size[0] H, size[1] W, C)

    def backward(self, dy: Array, saved: Any) -> Any:
        if self.interpolation == "nearest":
            return repeat_backward(dy, self.size, self.first)
        # 2. y = linear_forward(high)
        dhigh = linear_backward(dy, self.size[1], self.first + 1)  # (B, size[0] H, W, C)
        # 1. high = linear_forward(x)
        return linear_backward(dhigh, self.size[0], self.first)  # (B, H, W, C)


__all__ = ["UpSampling2D"]
