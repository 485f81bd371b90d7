"""AdaptiveMaxPooling1D: the largest element of as many windows as asked for. Its passes stand in adaptive_pooling.py."""

from __future__ import annotations

from .adaptive_pooling import AdaptiveMaxPooling


class AdaptiveMaxPooling1D(AdaptiveMaxPooling):
    """The largest element of each of O windows over a sequence, whatever its size: ``y[b, o, c] = max_k x[b, k, c]``.

    Parameters
    ----------
    output_size : int
        Number O of windows. Along an axis of length L, window o reaches from ``floor(o L / O)`` to ``ceil((o + 1) L / O)``.
    data_format : {'channels_last', 'channels_first'}
        Default 'channels_last'.

    Notes
    -----
    Input (B, T, C), output (B, output_size, C). Backward: the position of each window's maximum, the first in
    reading order, gets the window's gradient.

    Raises
    ------
    ShapeError
        A wrong number of axes, or an axis without positions.

    Source: Keras 3, ``keras.layers.AdaptiveMaxPooling1D``; PyTorch, ``torch.nn.AdaptiveMaxPool1d``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = AdaptiveMaxPooling1D(2)
    >>> y, cache = layer.forward(np.array([1., 3., 5.]).reshape(1, 3, 1))
    >>> y.ravel(), layer.backward(np.ones((1, 2, 1)), cache).ravel()
    (array([3., 5.]), array([0., 1., 1.]))
    """

    rank = 1


__all__ = ["AdaptiveMaxPooling1D"]
