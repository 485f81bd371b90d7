"""MaxPooling1D: the largest element of each window of time. Its passes stand in pooling.py."""

from __future__ import annotations

from typing import Any

from .pooling import MaxPooling


class MaxPooling1D(MaxPooling):
    """The maximum over windows of time: ``y[b, t, c] = max_k x[b, t * stride + k - before, c]``.

    Parameters
    ----------
    pool_size : int
        Length of a window; default 2.
    strides : int, optional
        Steps between windows; default pool_size.
    padding : {'valid', 'same'}
        'valid' (default): windows lie within the input. 'same': ceil(T / stride) windows; the padding never wins.
    data_format : {'channels_last', 'channels_first'}
        Default 'channels_last'.

    Notes
    -----
    Input (B, T, C), output (B, T', C). Backward: the gradient goes to the window's largest element; of equal ones, to
    the first.

    Raises
    ------
    ShapeError
        A wrong number of axes, or a window longer than a 'valid' input.

    Source: Keras 3, ``keras.layers.MaxPooling1D``.

    Examples
    --------
    >>> import numpy as np
    >>> y, cache = MaxPooling1D(2).forward(np.array([[[1.], [3.], [2.], [2.]]]))
    >>> y[0, :, 0], cache.layer.backward(np.ones((1, 2, 1)), cache)[0, :, 0]
    (array([3., 2.]), array([0., 1., 1., 0.]))
    """

    rank = 1

    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, name, **options)


__all__ = ["MaxPooling1D"]
