"""AveragePooling2D: the mean of each window. Its passes stand in pooling.py."""

from __future__ import annotations

from .pooling import AveragePooling


class AveragePooling2D(AveragePooling):
    """The mean over windows of an image: ``y[b, o, c] = mean_k x[b, o * stride + k - before, c]``.

    Parameters
    ----------
    pool_size : int or two ints
        Size of a window along each axis.
    strides : int or two ints, optional
        Steps between windows; default pool_size.
    padding : {'valid', 'same'}
        'valid' (default): windows lie within the input. 'same': ceil(length / stride) windows along each axis; the padding does not count.
    data_format : {'channels_last', 'channels_first'}
        Default 'channels_last'.

    Notes
    -----
    Input (B, H, W, C), output (B, H', W', C). Backward: each position of a window gets the window's gradient divided by
    the number of them.

    Raises
    ------
    ShapeError
        A wrong number of axes, or a window larger than a 'valid' input.

    Source: Keras 3, ``keras.layers.AveragePooling2D``.

    Examples
    --------
    >>> import numpy as np
    >>> y, cache = AveragePooling2D(2).forward(np.array([[1., 3.], [3., 1.]]).reshape(1, 2, 2, 1))
    >>> y[0, :, :, 0], cache.layer.backward(np.ones((1, 1, 1, 1)), cache)[0, :, :, 0]
    (array([[2.]]), array([[0.25, 0.25], [0.25, 0.25]]))
    """

    rank = 2


__all__ = ["AveragePooling2D"]
