"""RandomBrightness: images made lighter or darker at random while training."""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array

from .affine import factor_range
from .images import ImageLayer


@kernel
def brightness_forward(x: Array, shift: Array, low: float, high: float) -> tuple[Array, Array]:
    z = x + shift  # (B, H, W, C), shift (B, 1, 1, 1)
    inside = (z.real >= low) & (z.real <= high)
    return get_xp(x).minimum(get_xp(x).maximum(z, low), high), inside


@kernel
def brightness_backward(dy: Array, inside: Array) -> Array:
    # 2. y = z clipped to low ... high
    # 1. z = x + shift
    return dy * inside  # (B, H, W, C)


class RandomBrightness(ImageLayer):
    """While training, adds one number to all pixels of an image: ``y = x + f (high - low)``, clipped to low ... high.

    Parameters
    ----------
    factor : float from -1 to 1, or (lower, upper)
        f is drawn for each image from lower to upper; one number f stands for (-f, f).
    value_range : (float, float)
        low and high; (0, 1) for images that are scaled already.
    seed : int, optional
        Of this layer's own random numbers; default: they follow ``set_seed``.
    data_format : {'channels_last', 'channels_first'}

    Notes
    -----
    Input (B, H, W, C) or (H, W, C), output the same. Backward: ``dx = dy`` where nothing was clipped, else 0. Outside
    training both passes return their argument itself.

    Source: Keras 3, ``keras.layers.RandomBrightness``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = RandomBrightness((0.2, 0.2))
    >>> layer(np.array([0., 100., 250.]).reshape(1, 1, 3, 1), training=True).ravel()
    array([ 51., 151., 255.])
    """

    def __init__(self, factor: Any, value_range: Any = (0, 255), seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.factor = factor_range(self, factor, "factor")
        self.value_range, self.seed = tuple(sorted(value_range)), seed

    def transform(self, images: Array, training: bool) -> tuple[Array, Any]:
        if not training:
            return images, None
        (lower, upper), (low, high) = self.factor, self.value_range
        drawn = self.stream("factor").uniform((len(images), 1, 1, 1), "float64", like=images)
        shift = ((drawn * (upper - lower) + lower) * (high - low)).astype(images.real.dtype)
        return brightness_forward(images, shift, low, high)

    def transpose(self, dy: Array, saved: Any) -> Array:
        return brightness_backward(dy, saved)


__all__ = ["RandomBrightness", "brightness_backward", "brightness_forward"]
