"""RandomZoom: images made larger or smaller at random while training."""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.types import Array

from .affine import AffineLayer, factor_range


class RandomZoom(AffineLayer):
    """While training, zooms each image out or in around its centre.

    Parameters
    ----------
    height_factor : float, or (lower, upper)
        What is seen is 1 + f times as high, f drawn from lower to upper for each image: positive zooms out, negative
        in. Above -1, at most 1. One number f stands for (-f, f).
    width_factor : float, or (lower, upper), optional
        The same for the width; default: the height's number, which keeps the aspect.
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
    Input (B, H, W, C) or (H, W, C), output the same. Output pixel (w, h) reads the input at ``c + z (w - c)`` with
    ``c = (W - 1) / 2`` and ``z = 1 + f``, and so for h. Linear in the image; backward is the transpose. Outside training both
    passes return their argument itself.

    Source: Keras 3, ``keras.layers.RandomZoom``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = RandomZoom((1.0, 1.0), fill_mode='constant')
    >>> layer(np.arange(1., 6.).reshape(1, 1, 5, 1), training=True).ravel()
    array([0., 1., 3., 5., 0.])
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **options)
        self.height_factor = self._range(height_factor, "height_factor")
        self.width_factor = None if width_factor is None else self._range(width_factor, "width_factor")

    def _range(self, factor: Any, name: str) -> tuple[float, float]:
        lower, upper = factor_range(self, factor, name)
        if lower == -1:
            raise ValueError(f"{self}: {name} is above -1, where nothing would be left to see, not {factor!r}")
        return lower, upper

    def matrices(self, images: Array) -> Array:
        xp = get_xp(images)
        H, W = images.shape[1:3]
        tall = self.draw("tall", images, *self.height_factor) + 1.0  # (B,)
        wide = tall if self.width_factor is None else self.draw("wide", images, *self.width_factor) + 1.0  # (B,)
        zero = xp.zeros_like(tall)
        return xp.stack([wide, zero, (1 - wide) * ((W - 1) / 2), zero, tall, (1 - tall) * ((H - 1) / 2)], axis=1)  # (B, 6)


__all__ = ["RandomZoom"]
