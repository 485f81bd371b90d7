"""MaxPooling2D: the largest element of each window. Its passes stand in pooling.py."""

from __future__ import annotations

from .pooling import MaxPooling


class MaxPooling2D(MaxPooling):
    """The maximum over windows of an image: ``y[b, o, c] = max_k x[b, o * stride + k - before, c]``.

    Parameters
    ----------
    pool_size : int or two ints
        Size of a window along each axis; default 2.
    strides : int or two ints, optional
        Steps between windows; default pool_size.
    padding : {'valid', 'same'}
        'valid' (default): windows lie within the input. 'same': ceil(length / stride) windows along each axis; the padding never wins.
    data_format : {'channels_last', 'channels_first'}
        Default 'channels_last'.

    Notes
    -----
    Input (B, H, W, C), output (B, H', W', C). Backward: the gradient goes to the window's largest element; of equal ones, to
    the first in reading order, on every backend.

    Raises
    ------
    ShapeError
        A wrong number of axes, or a window larger than a 'valid' input.

    Source: Keras 3, ``keras.layers.MaxPooling2D``.

    Examples
    --------
    >>> import numpy as np
    >>> y, cache = MaxPooling2D(2).forward(np.array([[1., 3.], [3., 2.]]).reshape(1, 2, 2, 1))
    >>> y[0, :, :, 0], cache.layer.backward(np.ones((1, 1, 1, 1)), cache)[0, :, :, 0]
    (array([[3.]]), array([[0., 1.], [0., 0.]]))
    """

    rank = 2


__all__ = ["MaxPooling2D"]
