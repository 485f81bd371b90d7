"""MaxPooling3D: the largest element of each window. Its passes stand in pooling.py."""

from __future__ import annotations

from .pooling import MaxPooling


class MaxPooling3D(MaxPooling):
    """The maximum over windows of a volume: ``y[b, o, c] = max_k x[b, o * stride + k - before, c]``.

    Parameters
    ----------
    pool_size : int or three ints
        Size of a window along each axis; default 2.
    strides : int or three ints, optional
        Steps between windows; default pool_size.
    padding : {'valid', 'same'}
        'valid' (default): windows lie within the input. 'same': ceil(length / stride) windows along each axis; the padding never wins.
    data_format : {'channels_last', 'channels_first'}
        Default 'channels_last'.

    Notes
    -----
    Input (B, D, H, W, C), output (B, D', H', W', C). Backward: the gradient goes to the window's largest element; of equal ones, to
    the first in reading order, on every backend.

    Raises
    ------
    ShapeError
        A wrong number of axes, or a window larger than a 'valid' input.

    Source: Keras 3, ``keras.layers.MaxPooling3D``.

    Examples
    --------
    >>> import numpy as np
    >>> y, cache = MaxPooling3D((1, 1, 2)).forward(np.array([[1., 3.], [5., 2.]]).reshape(1, 2, 1, 2, 1))
    >>> y[0, :, 0, 0, 0], cache.layer.backward(np.ones((1, 2, 1, 1, 1)), cache)[0, :, 0, :, 0]
    (array([3., 5.]), array([[0., 1.], [1., 0.]]))
    """

    rank = 3


__all__ = ["MaxPooling3D"]
