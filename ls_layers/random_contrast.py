"""RandomContrast: images with more or less contrast, at random while training."""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array

from .images import ImageLayer


@kernel
def contrast_forward(x: Array, factor: Array, low: float, high: float) -> tuple[Array, Array]:
    mean = x.mean(axis=(1, 2), keepdims=True)  # (B, 1, 1, C)
    z = (x - mean) * factor + mean  # (B, H, W, C), factor (B, 1, 1, 1)
    inside = (z.real >= low) & (z.real <= high)
    y = get_xp(x).minimum(get_xp(x).maximum(z, low), high)
    return y, inside


@kernel
def contrast_backward(dy: Array, factor: Array, inside: Array) -> Array:
    # 2. y = z clipped to low ... high
    dz = dy * inside  # (B, H, W, C)
    # 1. z = x factor + mean (1 - factor)
    return dz * factor + dz.mean(axis=(1, 2), keepdims=True) * (1 - factor)


class RandomContrast(ImageLayer):
    """While training, moves each channel's pixels away from its mean, or towards it: ``y = (x - mean) f + mean``.

    Parameters
    ----------
    factor : float from 0 to 1, or (lower, upper)
        f is drawn for each image from 1 - lower to 1 + upper; one number stands for both, as Keras documents (its
        version 3.15 takes 0 for lower then).
    value_range : (float, float)
        The result is clipped to it; (0, 1) for images that are scaled already.
    seed : int, optional
        Of this layer's own random numbers; default: they follow ``set_seed``.
    data_format : {'channels_last', 'channels_first'}

    Notes
    -----
    Input (B, H, W, C) or (H, W, C), output the same. Backward: ``dz = dy`` where nothing was clipped, else 0;
    ``dx = f dz + (1 - f) mean(dz)``. Outside training both passes return their argument itself.

    Source: Keras 3, ``keras.layers.RandomContrast``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = RandomContrast(0.5, seed=1)
    >>> layer(np.array([100., 200.]).reshape(1, 1, 2, 1), training=True).ravel().round(2)
    array([ 81.92, 218.08])
    """

    def __init__(self, factor: Any, value_range: Any = (0, 255), seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        lower, upper = (factor, factor) if isinstance(factor, (int, float)) else factor
        if not (0 <= lower <= 1 and 0 <= upper <= 1):
            raise ValueError(f"{self}: factor is a number from 0 to 1, or two of them, not {factor!r}")
        self.factor, self.value_range, self.seed = (lower, upper), tuple(value_range), seed

    def transform(self, images: Array, training: bool) -> tuple[Array, Any]:
        if not training:
            return images, None
        lower, upper = self.factor
        drawn = self.stream("factor").uniform((len(images), 1, 1, 1), "float64", like=images)
        factor = (drawn * (upper + lower) + (1 - lower)).astype(images.real.dtype)
        y, inside = contrast_forward(images, factor, *self.value_range)
        return y, (factor, inside)

    def transpose(self, dy: Array, saved: Any) -> Array:
        return contrast_backward(dy, *saved)


__all__ = ["RandomContrast", "contrast_backward", "contrast_forward"]
