"""CenterCrop: the middle of each image."""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.types import Array

from .images import ImageLayer
from .resampling import resize_backward
from .resizing import aspect_window, resize


class CenterCrop(ImageLayer):
    """The middle ``height`` x ``width`` pixels of each image, in training and inference.

    Parameters
    ----------
    height, width : int
        Of the output, in pixels.
    data_format : {'channels_last', 'channels_first'}

    Notes
    -----
    Input (B, H, W, C) or (H, W, C), output the same with height and width. Where the rest is odd, the bigger part is cut
    off below and on the right. An image that is too small is resized (bilinear) from the largest part in its middle that
    has the output's shape. Backward: dy at its place, 0 around it; through the resizing its transpose.

    Source: Keras 3, ``keras.layers.CenterCrop``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = CenterCrop(1, 2)
    >>> y, cache = layer.forward(np.arange(12.).reshape(1, 3, 4, 1))
    >>> y.ravel(), layer.backward(np.ones_like(y), cache)[0, :, :, 0].tolist()
    (array([5., 6.]), [[0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    """

    def __init__(self, height: int, width: int, data_format: str | None = None, **options: Any) -> None:
        super().__init__(data_format, **options)
        if height < 1 or width < 1:
            raise ValueError(f"{self}: height and width are positive integers, not {height!r} and {width!r}")
        self.height, self.width = height, width

    def transform(self, images: Array, training: bool) -> tuple[Array, Any]:
        top, left = (images.shape[1] - self.height) // 2, (images.shape[2] - self.width) // 2
        if top >= 0 and left >= 0:
            return self.cut(images, top, left)
        return self.cut_and_resize(images, *aspect_window(images.shape[1], images.shape[2], self.height, self.width))

    def cut(self, images: Array, top: int, left: int) -> tuple[Array, Any]:
        """The pixels from (top, left) on."""
        rows, columns = slice(top, top + self.height), slice(left, left + self.width)
        return images[:, rows, columns], (images.shape, rows, columns, None)

    def cut_and_resize(self, images: Array, rows: slice, columns: slice) -> tuple[Array, Any]:
        """A part of each image, resized to the output's size."""
        y, matrices = resize(images[:, rows, columns], self.height, self.width)
        return y, (images.shape, rows, columns, matrices)

    def transpose(self, dy: Array, saved: Any) -> Array:
        shape, rows, columns, matrices = saved
        # 2. y = resize(part)
        dpart = dy if matrices is None else resize_backward(dy, *matrices)
        # 1. part = images[:, rows, columns]
        dx = get_xp(dy).zeros(shape, dtype=dy.dtype)  # (B, H, W, C)
        dx[:, rows, columns] = dpart
        return dx

    def output_shape(self, input_shape: Any) -> Any:
        return self.resized(input_shape, self.height, self.width)


__all__ = ["CenterCrop"]
