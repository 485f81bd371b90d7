"""Reshape: the axes after the batch arranged anew. B batch, the other axes as they come."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ls_core.errors import ShapeError
from ls_core.layer import Layer
from ls_core.types import Array


class Reshape(Layer):
    """Gives the axes after the batch another shape of the same size.

    Parameters
    ----------
    target_shape : tuple of int
        Without the batch axis; one -1 stands for what is left over.

    Notes
    -----
    Input (B, ...), output (B, *target_shape). Output and dx may be views.

    Raises
    ------
    ShapeError
        The input's size does not fit the target shape.

    Source: Keras 3, ``keras.layers.Reshape``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Reshape((-1, 2))
    >>> y, cache = layer.forward(np.zeros((5, 3, 4)))
    >>> y.shape, layer.backward(y, cache).shape
    ((5, 6, 2), (5, 3, 4))
    """

    def __init__(self, target_shape: Iterable[int], **options: Any) -> None:
        super().__init__(**options)
        self.target_shape = tuple(int(size) for size in target_shape)
        if min(self.target_shape, default=0) < -1 or self.target_shape.count(-1) > 1:
            raise ValueError(f"{self}: target_shape holds sizes of 0 or more and one -1 at most, not {self.target_shape}")

    def output_shape(self, input_shape: Any) -> Any:
        batch, *others = input_shape
        if None in others:
            return batch, *(None if size == -1 else size for size in self.target_shape)
        size, known = math.prod(others), math.prod(s for s in self.target_shape if s != -1)
        if size % known if -1 in self.target_shape and known else size != known:
            raise ShapeError(
                f"{self}: the input has {size} numbers after the batch axis, shape {tuple(input_shape)}; "
                f"they can't be arranged as {self.target_shape}, whose sizes give {known}."
            )
        return batch, *(size // known if s == -1 else s for s in self.target_shape)

    def forward(self, x: Array, training: bool = False) -> Any:
        return x.reshape(self.output_shape(x.shape)), x.shape

    def backward(self, dy: Array, saved: Any) -> Any:
        # y = x.reshape(B, *target_shape)
        return dy.reshape(saved)


__all__ = ["Reshape"]
