"""AdaptiveAveragePooling2D: the mean of as many windows as asked for. Its passes stand in adaptive_pooling.py."""

from __future__ import annotations

from .adaptive_pooling import AdaptiveAveragePooling


class AdaptiveAveragePooling2D(AdaptiveAveragePooling):
    """The mean of each of O windows over an image, whatever its size: ``y[b, o, c] = mean_k x[b, k, c]``.

    Parameters
    ----------
    output_size : int or two ints
        Number O of windows along each axis. Along an axis of length L, window o reaches from ``floor(o L / O)`` to ``ceil((o + 1) L / O)``.
    data_format : {'channels_last', 'channels_first'}
        Default 'channels_last'.

    Notes
    -----
    Input (B, H, W, C), output (B, *output_size, C). Backward: each position of a window gets the window's gradient divided by
    the number of them.

    Raises
    ------
    ShapeError
        A wrong number of axes, or an axis without positions.

    Source: Keras 3, ``keras.layers.AdaptiveAveragePooling2D``; PyTorch, ``torch.nn.AdaptiveAvgPool2d``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = AdaptiveAveragePooling2D((1, 2))
    >>> y, cache = layer.forward(np.array([1., 3., 5.]).reshape(1, 1, 3, 1))
    >>> y.ravel(), layer.backward(np.ones((1, 1, 2, 1)), cache).ravel()
    (array([2., 4.]), array([0.5, 1. , 0.5]))
    """

    rank = 2


__all__ = ["AdaptiveAveragePooling2D"]
