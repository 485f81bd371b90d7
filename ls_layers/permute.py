"""Permute: the axes after the batch in another order. B batch, the other axes as they come."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ls_core.layer import Layer
from ls_core.types import Array


class Permute(Layer):
    """Orders the axes after the batch anew.

    Parameters
    ----------
    dims : tuple of int
        The input's axis for each of the output's, counted from 1: (2, 1) swaps the two axes after the batch.

    Notes
    -----
    Output and dx are views.

    Raises
    ------
    ShapeError
        The input has not one axis for each of ``dims``, and the batch axis.

    Source: Keras 3, ``keras.layers.Permute``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Permute((2, 1))
    >>> y, cache = layer.forward(np.zeros((5, 3, 4)))
    >>> y.shape, layer.backward(y, cache).shape
    ((5, 4, 3), (5, 3, 4))
    """

    def __init__(self, dims: Iterable[int], **options: Any) -> None:
        super().__init__(**options)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(f"{self}: dims holds each of 1 to {len(self.dims)} once, not {self.dims}")

    def output_shape(self, input_shape: Any) -> Any:
        return input_shape[0], *(input_shape[axis] for axis in self.dims)

    def forward(self, x: Array, training: bool = False) -> Any:
        self.check_rank(x, len(self.dims) + 1, f"batch, and one for each of dims {self.dims}")
        return x.transpose((0, *self.dims)), None

    def backward(self, dy: Array, saved: Any) -> Any:
        # y = x.transpose(0, *dims): where axis i came from dims[i - 1], it goes back to it
        back = sorted(range(dy.ndim), key=lambda axis: (0, *self.dims)[axis])
        return dy.transpose(back)


__all__ = ["Permute"]
