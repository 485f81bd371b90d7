"""RandomRotation: images turned at random while training."""

from __future__ import annotations

import math
from typing import Any

from ls_core.backend import get_xp
from ls_core.types import Array

from .affine import AffineLayer, factor_range


class RandomRotation(AffineLayer):
    """While training, turns each image about its middle by a random angle.

    Parameters
    ----------
    factor : float, or (lower, upper)
        As a part of a full turn: the angle is drawn from lower to upper times 360 degrees, positive ones
        counter-clockwise. One number f stands for (-f, f).
    fill_mode : {'reflect', 'constant', 'wrap', 'nearest'}
        What stands outside the image: its mirror image, fill_value, the image again, its border.
    interpolation : {'bilinear', 'nearest'}
    seed : int, optional
        Of this layer's own random numbers; default: they follow ``set_seed``.
    fill_value : float
        With fill_mode 'constant'.
    data_format : {'channels_last', 'channels_first'}

    Notes
    -----
    Input (B, H, W, C) or (H, W, C), output the same. Output pixel (w, h) reads the input at
    ``R (w - cx, h - cy) + (cx, cy)``, R the rotation by the angle. Linear in the image; backward is the transpose. Outside
    training both passes return their argument itself.

    Source: Keras 3, ``keras.layers.RandomRotation``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = RandomRotation((0.25, 0.25))
    >>> layer(np.array([[1., 2.], [3., 4.]]).reshape(1, 2, 2, 1), training=True)[0, :, :, 0].round(6)
    array([[2., 4.],
           [1., 3.]])
    """

    def __init__(
        self,
        factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **options)
        self.factor = factor_range(self, factor, "factor")

    def matrices(self, images: Array) -> Array:
        xp = get_xp(images)
        angle = self.draw("angle", images, *self.factor) * (2 * math.pi)  # (B,)
        cx, cy = (images.shape[2] - 1) * 0.5, (images.shape[1] - 1) * 0.5
        cos, sin = xp.cos(angle), xp.sin(angle)
        return xp.stack([cos, -sin, cx - cx * cos + cy * sin, sin, cos, cy - cx * sin - cy * cos], axis=1)  # (B, 6)


__all__ = ["RandomRotation"]
