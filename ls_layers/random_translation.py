"""RandomTranslation: images shifted at random while training."""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.types import Array

from .affine import AffineLayer, factor_range


class RandomTranslation(AffineLayer):
    """While training, shifts each image by a random part of its height and width.

    Parameters
    ----------
    height_factor, width_factor : float, or (lower, upper)
        As a part of the height and the width, positive downwards and to the right. One number f stands for (-f, f).
    fill_mode : {'reflect', 'constant', 'wrap', 'nearest'}
        What comes in: the mirror image, fill_value, the image from the other side, its border.
    interpolation : {'bilinear', 'nearest'}
    seed : int, optional
        Of this layer's own random numbers; default: they follow ``set_seed``.
    fill_value : float
        With fill_mode 'constant'.
    data_format : {'channels_last', 'channels_first'}

    Notes
    -----
    Input (B, H, W, C) or (H, W, C), output the same. Output pixel (w, h) reads the input at ``(w - dx, h - dy)``. Linear
    in the image; backward is the transpose. Outside training both passes return their argument itself.

    Source: Keras 3, ``keras.layers.RandomTranslation``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = RandomTranslation(0.0, (0.25, 0.25), fill_mode='constant')
    >>> layer(np.arange(1., 5.).reshape(1, 1, 4, 1), training=True).ravel()
    array([0., 1., 2., 3.])
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **options)
        self.height_factor = factor_range(self, height_factor, "height_factor")
        self.width_factor = factor_range(self, width_factor, "width_factor")

    def matrices(self, images: Array) -> Array:
        xp = get_xp(images)
        down = self.draw("down", images, *self.height_factor) * images.shape[1]  # (B,)
        across = self.draw("across", images, *self.width_factor) * images.shape[2]  # (B,)
        one, zero = xp.ones_like(down), xp.zeros_like(down)
        return xp.stack([one, zero, -across, zero, one, -down], axis=1)  # (B, 6)


__all__ = ["RandomTranslation"]
