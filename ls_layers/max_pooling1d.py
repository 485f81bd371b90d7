"""MaxPooling1D: the largest element of each window. Its passes stand in pooling.py."""

from __future__ import annotations

from .pooling import MaxPooling


class MaxPooling1D(MaxPooling):
    """The maximum over windows of time: ``y[b, o, c] = max_k x[b, o * stride + k - before, c]``.

    Parameters
    ----------
    pool_size : int
        Size of a window along each axis; default 2.
    strides : int, optional
        Steps between windows; default pool_size.
    padding : {'valid', 'same'}
        'valid' (default): windows lie within the input. 'same': ceil(length / stride) windows along each axis; the padding never wins.
    data_format : {'channels_last', 'channels_first'}
        Default 'channels_last'.

    Notes
    -----
    Input (B, T, C), output (B, T', C). Backward: the gradient goes to the window's largest element; of equal ones, to
    the first in reading order, on every backend.

    Raises
    ------
    ShapeError
        A wrong number of axes, or a window larger than a 'valid' input.

    Source: Keras 3, ``keras.layers.MaxPooling1D``.

    Examples
    --------
    >>> import numpy as np
    >>> y, cache = MaxPooling1D(2).forward(np.array([[[1.], [3.], [2.], [2.]]]))
    >>> y[0, :, 0], cache.layer.backward(np.ones((1, 2, 1)), cache)[0, :, 0]
    (array([3., 2.]), array([0., 1., 1., 0.]))
    """

    rank = 1


__all__ = ["MaxPooling1D"]
