"""UpSampling3D: every voxel several times. B batch, D depth, H height, W width, C channels."""

from __future__ import annotations

from typing import Any

from .up_sampling import UpSampling


class UpSampling3D(UpSampling):
    """Makes volumes larger by whole factors: every voxel is repeated.

    Parameters
    ----------
    size : int or three ints
        Factors of depth, height and width, default (2, 2, 2).
    data_format : {'channels_last', 'channels_first'}
        Default 'channels_last'.

    Notes
    -----
    Input (B, D, H, W, C), output (B, size[0] D, size[1] H, size[2] W, C). Backward: dx is the sum of dy over the repetitions.

    Source: Keras 3, ``keras.layers.UpSampling3D``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = UpSampling3D(size=(1, 2, 3))
    >>> y, cache = layer.forward(np.array([5.0]).reshape(1, 1, 1, 1, 1))
    >>> y.shape, layer.backward(y, cache).ravel()
    ((1, 1, 2, 3, 1), array([30.]))
    """

    rank = 3

    def __init__(self, size: Any = (2, 2, 2), data_format: str | None = None, **options: Any) -> None:
        super().__init__(data_format, **options)
        self.size = self.as_tuple(size, "size")


__all__ = ["UpSampling3D"]
