"""ActivityRegularization: y = x, and a penalty on x in the loss."""

from __future__ import annotations

from typing import Any

from ls_core.layer import Layer
from ls_core.regularizers import L1L2
from ls_core.types import Array


class ActivityRegularization(Layer):
    """Adds ``(l1 sum |x| + l2 sum x^2) / batch size`` to the loss, and passes x on.

    The same penalty on another layer's output: its argument ``activity_regularizer``.

    Parameters
    ----------
    l1, l2 : float
        Factors, 0 or more. Default 0.

    Notes
    -----
    Output: the input. No weights. ``ls_core.layer.collect_losses(cache)`` finds the penalty, as the training loop does;
    backward adds its gradient: ``dx = dy + (l1 sign(x) + 2 l2 x) / batch size``.

    Source: Keras 3, ``keras.layers.ActivityRegularization``.

    Examples
    --------
    >>> import numpy as np
    >>> from ls_core.layer import collect_losses
    >>> layer = ActivityRegularization(l2=0.5)
    >>> y, cache = layer.forward(np.array([[1., 2.], [3., 4.]]))
    >>> collect_losses(cache)
    np.float64(7.5)
    >>> layer.backward(np.zeros((2, 2)), cache)
    array([[0.5, 1. ], [1.5, 2. ]])
    """

    supports_masking = True

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **options: Any) -> None:
        super().__init__(activity_regularizer=L1L2(l1=l1, l2=l2), **options)

    def forward(self, x: Array, training: bool = False) -> Any:
        return x, None

    def backward(self, dy: Array, saved: None) -> Array:
        return dy
