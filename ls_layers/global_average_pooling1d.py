"""GlobalAveragePooling1D: the mean over time, with a mask. Its passes stand in global_pooling.py."""

from __future__ import annotations

from typing import Any

from ls_core.errors import ShapeError
from ls_core.types import Array

from .global_pooling import GlobalAveragePooling


class GlobalAveragePooling1D(GlobalAveragePooling):
    """The mean over time: ``y[b, c] = sum_t m[b, t] x[b, t, c] / sum_t m[b, t]``, m the mask (1 without one).

    Parameters
    ----------
    data_format : {'channels_last', 'channels_first'}
        Default 'channels_last'.
    keepdims : bool
        Keep the time axis, with length 1; default False.

    Notes
    -----
    Input (B, T, C), mask (B, T) or None, output (B, C). The mask ends here. A row whose mask keeps no step gives 0, where
    Keras divides 0 by 0.

    Raises
    ------
    ShapeError
        A wrong number of axes, no time step at all, or a mask of another shape than (B, T).

    Source: Keras 3, ``keras.layers.GlobalAveragePooling1D``.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[[1.], [3.], [8.]]])
    >>> y, cache = GlobalAveragePooling1D().forward(x, mask=np.array([[True, True, False]]))
    >>> y, cache.layer.backward(np.ones((1, 1)), cache)[0, :, 0]
    (array([[2.]]), array([0.5, 0.5, 0. ]))
    """

    rank = 1

    def forward(self, x: Array, mask: Array | None = None, training: bool = False) -> Any:
        batch, lengths, _ = self.split_shape(x.shape)
        if mask is not None and tuple(mask.shape) != (batch, *lengths):
            raise ShapeError(f"{self}: the mask has shape {tuple(mask.shape)}, the input wants one of {(batch, *lengths)}.", None)
        return self.average(x, mask)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return None


__all__ = ["GlobalAveragePooling1D"]
