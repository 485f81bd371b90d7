"""RandomFlip: images mirrored at random while training."""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array

from .images import ImageLayer

AXES = {"horizontal": (2,), "vertical": (1,), "horizontal_and_vertical": (1, 2)}


@kernel
def flip_forward(x: Array, flipped: Array, axes: tuple[int, ...]) -> Array:
    xp = get_xp(x)
    return xp.where(flipped, xp.flip(x, axes), x)  # (B, H, W, C), flipped (B, 1, 1, 1)


@kernel
def flip_backward(dy: Array, flipped: Array, axes: tuple[int, ...]) -> Array:
    xp = get_xp(dy)
    # y = where(flipped, flip(x), x): flipping moves each pixel to one place, and back again
    return xp.where(flipped, xp.flip(dy, axes), dy)


class RandomFlip(ImageLayer):
    """While training, mirrors each image with probability 1/2.

    Parameters
    ----------
    mode : {'horizontal_and_vertical', 'horizontal', 'vertical'}
        'horizontal' exchanges left and right. 'horizontal_and_vertical' turns an image upside down and left to right
        at once, or not at all, as Keras does.
    seed : int, optional
        Of this layer's own random numbers; default: they follow ``set_seed``.
    data_format : {'channels_last', 'channels_first'}

    Notes
    -----
    Input (B, H, W, C) or (H, W, C), output the same. Backward: dy flipped alike. Outside training both passes return
    their argument itself.

    Source: Keras 3, ``keras.layers.RandomFlip``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = RandomFlip('horizontal', seed=0)
    >>> layer(np.tile(np.arange(3.), (4, 1)).reshape(4, 1, 3, 1), training=True)[:, 0, :, 0].tolist()
    [[0.0, 1.0, 2.0], [2.0, 1.0, 0.0], [0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]
    """

    def __init__(
        self, mode: str = "horizontal_and_vertical", seed: int | None = None, data_format: str | None = None, **options: Any
    ) -> None:
        super().__init__(data_format, **options)
        if mode not in AXES:
            raise ValueError(f"{self}: mode is one of {', '.join(AXES)}, not {mode!r}")
        self.mode, self.seed = mode, seed

    def transform(self, images: Array, training: bool) -> tuple[Array, Any]:
        if not training:
            return images, None
        flipped = self.stream("flips").uniform((len(images), 1, 1, 1), like=images) <= 0.5
        return flip_forward(images, flipped, AXES[self.mode]), flipped

    def transpose(self, dy: Array, flipped: Any) -> Array:
        return flip_backward(dy, flipped, AXES[self.mode])


__all__ = ["RandomFlip", "flip_backward", "flip_forward"]
