"""RepeatVector: a vector at every time step. B batch, N repetitions, C channels."""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.layer import Layer
from ls_core.types import Array


@kernel
def repeat_vector_forward(x: Array, n: int) -> Array:
    return get_xp(x).broadcast_to(x[:, None, :], (x.shape[0], n, x.shape[1])).copy()  # (B, N, C)


@kernel
def repeat_vector_backward(dy: Array) -> Array:
    # y[:, i] = x for each i
    return dy.sum(axis=1)  # (B, C)


class RepeatVector(Layer):
    """Repeats a vector ``n`` times, as a sequence.

    Parameters
    ----------
    n : int
        Length of the sequence.

    Notes
    -----
    Input (B, C), output (B, n, C). Backward: dx is dy summed over the sequence.

    Raises
    ------
    ShapeError
        The input has not two axes.

    Source: Keras 3, ``keras.layers.RepeatVector``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = RepeatVector(3)
    >>> y, cache = layer.forward(np.array([[1.0, 2.0]]))
    >>> y, layer.backward(np.ones_like(y), cache)
    (array([[[1., 2.],
            [1., 2.],
            [1., 2.]]]), array([[3., 3.]]))
    """

    output_axes = ("time", "channels")

    def __init__(self, n: int, **options: Any) -> None:
        super().__init__(**options)
        if not isinstance(n, int) or isinstance(n, bool):
            raise TypeError(f"{self}: n is a positive integer, not {n!r}")
        if n < 1:
            raise ValueError(f"{self}: n is a positive integer, not {n!r}")
        self.n = n

    def output_shape(self, input_shape: Any) -> Any:
        return input_shape[0], self.n, input_shape[1]

    def forward(self, x: Array, training: bool = False) -> Any:
        self.check_rank(x, 2, "batch, channels")
        return repeat_vector_forward(x, self.n), None

    def backward(self, dy: Array, saved: Any) -> Any:
        return repeat_vector_backward(dy)


__all__ = ["RepeatVector", "repeat_vector_backward", "repeat_vector_forward"]
