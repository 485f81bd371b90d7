"""PositionEmbedding: y = x + E[position], E a trainable table.

B batch, T positions, D features, L rows of the table.
"""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.errors import ShapeError
from ls_core.kernel import kernel
from ls_core.layer import Layer
from ls_core.types import Array


@kernel
def position_embedding_forward(x: Array, embeddings: Array, start_index: int) -> Array:
    return x + embeddings[start_index : start_index + x.shape[1]]  # (B, T, D)


@kernel
def position_embedding_backward(dy: Array, length: int, start_index: int) -> tuple[Array, Array]:
    # y = x + embeddings[start_index : start_index + T]
    dE = get_xp(dy).zeros((length, dy.shape[2]), dtype=dy.dtype)  # (L, D)
    dE[start_index : start_index + dy.shape[1]] = dy.sum(axis=0)
    return dy, dE


class PositionEmbedding(Layer):
    """Adds to each time step a vector that is learned for its position: ``y[:, t] = x[:, t] + embeddings[start_index + t]``.

    Parameters
    ----------
    sequence_length : int
        How many positions there are; an input may be shorter.
    initializer : str or Initializer
        Default 'glorot_uniform'.

    Notes
    -----
    Input (B, T, D); output: the input's shape. Weights: embeddings (sequence_length, D). Call argument: ``start_index``,
    the first position (default 0). Backward: dx = dy; a row's gradient is the sum of dy over the batch.
    keras_hub's layer of this name returns the second term alone, for its user to add.

    Raises
    ------
    ShapeError
        The input has not three axes, is longer than the table, or has other features than before.

    Source: Radford et al. 2018, section 3.1; Devlin et al. 2019, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> layer = PositionEmbedding(3, initializer='ones')
    >>> y, cache = layer.forward(np.zeros((4, 2, 1)))
    >>> _ = layer.backward(y, cache)
    >>> y[0].tolist(), layer.embeddings.grad.tolist()
    ([[1.0], [1.0]], [[4.0], [4.0], [0.0]])
    """

    supports_masking = True

    def __init__(self, sequence_length: int, initializer: Any = "glorot_uniform", **options: Any) -> None:
        super().__init__(**options)
        if not isinstance(sequence_length, int) or isinstance(sequence_length, bool) or sequence_length < 1:
            raise ValueError(f"PositionEmbedding: sequence_length is a positive integer, not {sequence_length!r}")
        self.sequence_length, self.initializer = sequence_length, initializer

    def build(self, input_shape: Any) -> None:
        if input_shape[-1] is None:
            raise ShapeError(f"{self}: the last axis of the input must be known to make the table; it came as {tuple(input_shape)}.", -1)
        self.embeddings = self.add_weight((self.sequence_length, input_shape[-1]), self.initializer, name="embeddings")

    def forward(self, x: Array, start_index: int = 0, training: bool = False) -> Any:
        self.check_rank(x, 3, "batch, time, features")
        L, D = self.embeddings.shape
        if x.shape[2] != D:
            raise ShapeError(
                f"{self}: the last axis of the input is {x.shape[2]}, its table has {D} features. Feed it what it was built for.", -1
            )
        if not 0 <= start_index <= L - x.shape[1]:
            raise ShapeError(
                f"{self}: the input has positions {start_index} to {start_index + x.shape[1] - 1}, the table 0 to {L - 1}. "
                "Shorten the input, or make the layer with a larger sequence_length.",
                1,
            )
        return position_embedding_forward(x, self.embeddings.value, start_index), start_index

    def backward(self, dy: Array, start_index: int) -> Array:
        dx, dE = position_embedding_backward(dy, self.embeddings.shape[0], start_index)
        self.embeddings.accumulate(dE)
        return dx


__all__ = ["PositionEmbedding", "position_embedding_backward", "position_embedding_forward"]
