"""GlobalMaxPooling2D: the largest element over height and width. Its passes stand in global_pooling.py."""

from __future__ import annotations

from .global_pooling import GlobalMaxPooling


class GlobalMaxPooling2D(GlobalMaxPooling):
    """The maximum over height and width: ``y[b, c] = max_{i, j} x[b, i, j, c]``.

    Parameters
    ----------
    data_format : {'channels_last', 'channels_first'}
        Default 'channels_last'.
    keepdims : bool
        Keep the pooled axes, with length 1; default False.

    Notes
    -----
    Input (B, H, W, C), output (B, C). Backward: the gradient goes to the largest element; of equal ones, to
    the first in reading order, on every backend.

    Raises
    ------
    ShapeError
        A wrong number of axes, or an axis of length 0.

    Source: Keras 3, ``keras.layers.GlobalMaxPooling2D``.

    Examples
    --------
    >>> import numpy as np
    >>> y, cache = GlobalMaxPooling2D().forward(np.array([[[[1.], [3.], [3.]]]]))
    >>> y, cache.layer.backward(np.ones((1, 1)), cache)[0, 0, :, 0]
    (array([[3.]]), array([0., 1., 0.]))
    """

    rank = 2


__all__ = ["GlobalMaxPooling2D"]
