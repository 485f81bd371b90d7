"""ReversibleEmbedding: y = table[ids], and in reverse z = x table^T, with one table for both.

B every axis before the last, V rows of the table (input_dim), D columns (output_dim).
"""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp, is_float
from ls_core.errors import ShapeError
from ls_core.kernel import kernel
from ls_core.products import matmul
from ls_core.types import Array

from .embedding import Embedding


@kernel
def project_forward(x: Array, W: Array, soft_cap: float | None) -> tuple[Array, Array | None]:
    """x (B, D), W (V, D) -> logits (B, V), and tanh(z / soft_cap) where there is a cap."""
    z = matmul(x.reshape(-1, W.shape[1]), W.T)  # (B, V)
    t = None
    if soft_cap is not None:
        z *= 1.0 / soft_cap
        t = get_xp(z).tanh(z)  # (B, V)
        z = t * soft_cap
    return z.reshape(*x.shape[:-1], W.shape[0]), t


@kernel
def project_backward(dz: Array, x: Array, W: Array, t: Array | None) -> tuple[Array, Array]:
    """-> dx (B, D), dW (V, D)."""
    dz2 = dz.reshape(-1, W.shape[0])  # (B, V)
    if t is not None:
        # 2. z = soft_cap tanh(z / soft_cap)
        dz2 = dz2 * (1 - t * t)
    # 1. z = matmul(x, W.T)
    dW = matmul(dz2.T, x.reshape(-1, W.shape[1]))  # (V, D)
    return matmul(dz2, W).reshape(x.shape), dW


class ReversibleEmbedding(Embedding):
    """An Embedding that a language model also uses, transposed, as its last layer: ``layer(x, reverse=True)``.

    Parameters
    ----------
    input_dim, output_dim : int
        Rows V and columns D of the table.
    tie_weights : bool
        True (default): both directions share one Parameter, whose gradients add up. False: the reverse direction has
        its own, reverse_embeddings (D, V).
    embeddings_initializer, embeddings_regularizer, embeddings_constraint, mask_zero : as in Embedding
    logit_soft_cap : float, optional
        Reverse only: ``soft_cap * tanh(z / soft_cap)`` keeps the logits within the cap.

    Notes
    -----
    ids (...) -> (..., D); in reverse (..., D) -> (..., V). Backward in reverse: dx = dz W, dW = dz^T x, dense.

    Raises
    ------
    ShapeError
        In reverse, the input's last axis is not output_dim.

    Source: Keras 3, ``keras.layers.ReversibleEmbedding``; Press and Wolf 2016.

    Examples
    --------
    >>> import numpy as np
    >>> layer = ReversibleEmbedding(5, 2)
    >>> h = layer(np.array([[1, 3]]))
    >>> h.shape, layer(h, reverse=True).shape, len(layer.parameters())
    ((1, 2, 2), (1, 2, 5), 1)
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        tie_weights: bool = True,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        reverse_dtype: Any = None,
        logit_soft_cap: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(
            input_dim,
            output_dim,
            embeddings_initializer=embeddings_initializer,
            embeddings_regularizer=embeddings_regularizer,
            embeddings_constraint=embeddings_constraint,
            mask_zero=mask_zero,
            **options,
        )
        if reverse_dtype is not None:
            raise ValueError(f"{self}: reverse_dtype is not supported; the projection computes in the type of its input")
        self.tie_weights = tie_weights
        self.logit_soft_cap = logit_soft_cap

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        if not self.tie_weights:
            self.reverse_embeddings = self.add_weight(
                (self.output_dim, self.input_dim), self.embeddings_options[0], dtype=self.embeddings.dtype, name="reverse_embeddings"
            )

    def output_shape(self, input_shape: Any, reverse: bool = False) -> Any:
        return (*input_shape[:-1], self.input_dim) if reverse else (*input_shape, self.output_dim)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        if is_float(inputs) and inputs.ndim and inputs.shape[-1] == self.output_dim:
            return previous_mask  # the reverse direction; ids have no such axis of floats
        return super().compute_mask(inputs, previous_mask)

    def forward(self, ids: Array, training: bool = False, reverse: bool = False) -> Any:
        if not reverse:
            y, cache = super().forward(ids)
            return y, (False, cache)
        x = ids  # in reverse the input is vectors (..., D)
        if x.shape[-1] != self.output_dim:
            raise ShapeError(f"{self} in reverse: the last axis of the input is {x.shape[-1]}, it wants output_dim={self.output_dim}.", -1)
        W = self.embeddings.value if self.tie_weights else self.reverse_embeddings.value.T  # (V, D)
        z, t = project_forward(x, W, self.logit_soft_cap)
        return z, (True, (x, t))

    def backward(self, dy: Array, saved: Any) -> Any:
        reverse, inner = saved
        if not reverse:
            return super().backward(dy, inner)
        x, t = inner
        W = self.embeddings.value if self.tie_weights else self.reverse_embeddings.value.T  # (V, D)
        dx, dW = project_backward(dy, x, W, t)
        if self.tie_weights:
            self.embeddings.accumulate(dW)
        else:
            self.reverse_embeddings.accumulate(get_xp(dW).ascontiguousarray(dW.T))
        return dx
