"""Flatten: all axes but the batch as one. B batch, the other axes as they come."""

from __future__ import annotations

import math
from typing import Any

from ls_core.backend import get_xp
from ls_core.layer import Layer
from ls_core.types import Array


class Flatten(Layer):
    """Make one axis of all axes but the batch; an input (B,) becomes (B, 1).

    Parameters
    ----------
    data_format : {'channels_last', 'channels_first'}
        With 'channels_first' axis 1 is moved to the end before, so that both formats give the same features in the
        same order. Default 'channels_last'.

    Notes
    -----
    Input (B, ...), output (B, product of the others). Output and dx may be views.

    Source: Keras 3, ``keras.layers.Flatten``.

    Examples
    --------
    >>> import numpy as np
    >>> y, cache = Flatten().forward(np.zeros((2, 3, 4)))
    >>> y.shape, cache.layer.backward(y, cache).shape
    ((2, 12), (2, 3, 4))
    """

    def __init__(self, data_format: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        if data_format not in (None, "channels_last", "channels_first"):
            raise ValueError(f"{self}: data_format is 'channels_last' or 'channels_first', not {data_format!r}")
        self.channels_first = data_format == "channels_first"

    def output_shape(self, input_shape: Any) -> Any:
        batch, *others = input_shape
        return batch, None if None in others else math.prod(others)

    def forward(self, x: Array, training: bool = False) -> Any:
        if self.channels_first and x.ndim > 1:
            x = get_xp(x).moveaxis(x, 1, -1)
        return x.reshape(x.shape[0], math.prod(x.shape[1:])), x.shape

    def backward(self, dy: Array, saved: Any) -> Any:
        # y = x.reshape(B, -1)
        dx = dy.reshape(saved)
        return get_xp(dy).moveaxis(dx, -1, 1) if self.channels_first and dx.ndim > 1 else dx


__all__ = ["Flatten"]
