"""AveragePooling3D: the mean of each window. Its passes stand in pooling.py."""

from __future__ import annotations

from .pooling import AveragePooling


class AveragePooling3D(AveragePooling):
    """The mean over windows of a volume: ``y[b, o, c] = mean_k x[b, o * stride + k - before, c]``.

    Parameters
    ----------
    pool_size : int or three ints
        Size of a window along each axis.
    strides : int or three ints, optional
        Steps between windows; default pool_size.
    padding : {'valid', 'same'}
        'valid' (default): windows lie within the input. 'same': ceil(length / stride) windows along each axis; the padding does not count.
    data_format : {'channels_last', 'channels_first'}
        Default 'channels_last'.

    Notes
    -----
    Input (B, D, H, W, C), output (B, D', H', W', C). Backward: each position of a window gets the window's gradient divided by
    the number of them.

    Raises
    ------
    ShapeError
        A wrong number of axes, or a window larger than a 'valid' input.

    Source: Keras 3, ``keras.layers.AveragePooling3D``.

    Examples
    --------
    >>> import numpy as np
    >>> y, cache = AveragePooling3D((1, 1, 2)).forward(np.array([[1., 3.], [5., 1.]]).reshape(1, 2, 1, 2, 1))
    >>> y[0, :, 0, 0, 0], cache.layer.backward(np.ones((1, 2, 1, 1, 1)), cache)[0, :, 0, :, 0]
    (array([2., 3.]), array([[0.5, 0.5], [0.5, 0.5]]))
    """

    rank = 3


__all__ = ["AveragePooling3D"]
