"""GlobalAveragePooling2D: the mean over height and width. Its passes stand in global_pooling.py."""

from __future__ import annotations

from typing import Any

from ls_core.types import Array

from .global_pooling import GlobalAveragePooling


class GlobalAveragePooling2D(GlobalAveragePooling):
    """The mean over height and width: ``y[b, c] = mean_{i, j} x[b, i, j, c]``.

    Parameters
    ----------
    data_format : {'channels_last', 'channels_first'}
        Default 'channels_last'.
    keepdims : bool
        Keep the pooled axes, with length 1; default False.

    Notes
    -----
    Input (B, H, W, C), output (B, C). Backward: every position gets the gradient divided by their number.

    Raises
    ------
    ShapeError
        A wrong number of axes, or an axis of length 0.

    Source: Keras 3, ``keras.layers.GlobalAveragePooling2D``.

    Examples
    --------
    >>> import numpy as np
    >>> y, cache = GlobalAveragePooling2D().forward(np.array([[[[1.], [3.], [5.]]]]))
    >>> y, cache.layer.backward(np.array([[3.]]), cache)[0, 0, :, 0]
    (array([[3.]]), array([1., 1., 1.]))
    """

    rank = 2

    def forward(self, x: Array, training: bool = False) -> Any:
        return self.average(x, None)


__all__ = ["GlobalAveragePooling2D"]
