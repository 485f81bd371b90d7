"""AveragePooling1D: the mean of each window. Its passes stand in pooling.py."""

from __future__ import annotations

from .pooling import AveragePooling


class AveragePooling1D(AveragePooling):
    """The mean over windows of time: ``y[b, o, c] = mean_k x[b, o * stride + k - before, c]``.

    Parameters
    ----------
    pool_size : int
        Size of a window along each axis.
    strides : int, optional
        Steps between windows; default pool_size.
    padding : {'valid', 'same'}
        'valid' (default): windows lie within the input. 'same': ceil(length / stride) windows along each axis; the padding does not count.
    data_format : {'channels_last', 'channels_first'}
        Default 'channels_last'.

    Notes
    -----
    Input (B, T, C), output (B, T', C). Backward: each position of a window gets the window's gradient divided by
    the number of them.

    Raises
    ------
    ShapeError
        A wrong number of axes, or a window larger than a 'valid' input.

    Source: Keras 3, ``keras.layers.AveragePooling1D``.

    Examples
    --------
    >>> import numpy as np
    >>> y, cache = AveragePooling1D(2, padding='same').forward(np.array([[[1.], [3.], [5.]]]))
    >>> y[0, :, 0], cache.layer.backward(np.ones((1, 2, 1)), cache)[0, :, 0]
    (array([2., 5.]), array([0.5, 0.5, 1. ]))
    """

    rank = 1


__all__ = ["AveragePooling1D"]
