"""Softmax: softmax as a layer, along any axis or axes, with a mask."""

from __future__ import annotations

from typing import Any

from ls_core.backend import as_float, get_xp
from ls_core.errors import ShapeError
from ls_core.kernel import kernel
from ls_core.layer import Layer
from ls_core.types import Array

from .activations.softmax import softmax_backward, softmax_forward


@kernel
def masked_softmax_forward(x: Array, mask: Array, axis: Any) -> Array:
    xp = get_xp(x)
    if mask.dtype.kind != "b":
        mask = mask > 0.5
    logits = xp.where(mask, x, -3e4 if x.dtype.itemsize == 2 else -1e9)  # (...)
    y = softmax_forward(logits, axis)[0]
    return y * mask  # 0 also where everything along the axis is masked


class Softmax(Layer):
    """``y_i = exp(x_i) / sum_j exp(x_j)`` along ``axis``; masked elements get 0 and the rest sums to 1.

    Parameters
    ----------
    axis : int or list of int
        Default -1.

    Notes
    -----
    Output: the input's shape. No weights. ``mask``: True or above 0.5 where an element counts; every axis, counted from
    the last, is 1 or the input's. Backward: ``dx = y (dy - sum dy y)``, which is 0 where y is.

    Raises
    ------
    ShapeError
        The mask does not broadcast to the input.

    Source: Keras 3, ``keras.layers.Softmax``.

    Examples
    --------
    >>> import numpy as np
    >>> Softmax()(np.array([[1., 2., 1.]])).round(3)
    array([[0.212, 0.576, 0.212]])
    >>> Softmax()(np.array([[1., 2., 1.]]), mask=np.array([True, False, True]))
    array([[0.5, 0. , 0.5]])
    """

    supports_masking = True

    def __init__(self, axis: Any = -1, **options: Any) -> None:
        super().__init__(**options)
        self.axis = tuple(axis) if isinstance(axis, (list, tuple)) else axis

    def forward(self, x: Array, mask: Array = None, training: bool = False) -> Any:
        x = as_float(x)
        if mask is None:
            return softmax_forward(x, self.axis)
        sizes = zip(reversed(mask.shape), reversed(x.shape), strict=False)
        if mask.ndim > x.ndim or any(size not in (1, wanted) for size, wanted in sizes):
            raise ShapeError(
                f"{self}: the mask has shape {tuple(mask.shape)}, the input {tuple(x.shape)}; each of its axes must be 1 or equal."
            )
        y = masked_softmax_forward(x, mask, self.axis)
        return y, y

    def backward(self, dy: Array, y: Array) -> Array:
        return softmax_backward(dy, y, self.axis)
