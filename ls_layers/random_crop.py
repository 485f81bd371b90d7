"""RandomCrop: a part of each image, at a random place while training."""

from __future__ import annotations

from typing import Any

from ls_core.types import Array

from .center_crop import CenterCrop
from .resizing import aspect_window


class RandomCrop(CenterCrop):
    """While training, ``height`` x ``width`` pixels from a random place, the same one for the whole batch.

    Parameters
    ----------
    height, width : int
        Of the output, in pixels.
    seed : int, optional
        Of this layer's own random numbers; default: they follow ``set_seed``.
    data_format : {'channels_last', 'channels_first'}

    Notes
    -----
    Input (B, H, W, C) or (H, W, C), output the same with height and width. At inference the largest part in the
    middle that has the output's shape is taken and resized, as Keras documents (version 3.15 returns the images uncut
    there). In training an image no larger than the output is cut as far as it reaches and resized. Backward: as
    CenterCrop.

    Source: Keras 3, ``keras.layers.RandomCrop``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = RandomCrop(2, 2, seed=1)
    >>> layer(np.arange(16.).reshape(1, 4, 4, 1), training=True)[0, :, :, 0]
    array([[ 9., 10.],
           [13., 14.]])
    """

    def __init__(self, height: int, width: int, seed: int | None = None, data_format: str | None = None, **options: Any) -> None:
        super().__init__(height, width, data_format, **options)
        self.seed = seed

    def transform(self, images: Array, training: bool) -> tuple[Array, Any]:
        H, W = images.shape[1:3]
        rows, columns = aspect_window(H, W, self.height, self.width)
        if not training:
            return self.cut_and_resize(images, rows, columns)
        if self.height < H and self.width < W:
            draw = self.stream("place").generator  # two numbers of the host: they say where to slice
            return self.cut(images, int(draw.integers(H - self.height + 1)), int(draw.integers(W - self.width + 1)))
        rows, columns = slice(rows.start, rows.start + self.height), slice(columns.start, columns.start + self.width)
        return self.cut_and_resize(images, rows, columns)


__all__ = ["RandomCrop"]
