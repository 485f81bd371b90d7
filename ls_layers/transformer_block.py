"""TransformerBlock: what TransformerEncoderBlock and TransformerDecoderBlock share.

B batch, T time, E features.
"""

from __future__ import annotations

from typing import Any

from ls_core.errors import ShapeError
from ls_core.layer import Layer
from ls_core.types import Array

from .dense import Dense
from .dropout import Dropout
from .layer_normalization import LayerNormalization
from .multi_head_attention import MultiHeadAttention
from .swiglu import SwiGLU


class TransformerBlock(Layer):
    """Base: makes the parts, and runs a branch with its residual connection and its normalisation.

    A branch f (attention or feed-forward) turns x into ``x + f(norm(x))`` where the normalisation comes first, else into
    ``norm(x + f(x))``.
    """

    supports_masking = True

    def __init__(
        self,
        intermediate_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        activation: Any = "relu",
        layer_norm_epsilon: float = 1e-5,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        normalize_first: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        for name, value in (("intermediate_dim", intermediate_dim), ("num_heads", num_heads)):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{type(self).__name__}: {name} is a positive integer, not {value!r}")
        self.intermediate_dim, self.num_heads = intermediate_dim, num_heads
        self.dropout, self.activation = dropout, activation
        self.layer_norm_epsilon, self.normalize_first = layer_norm_epsilon, normalize_first
        self.initializers = {"kernel_initializer": kernel_initializer, "bias_initializer": bias_initializer}

    # --- the parts -----------------------------------------------------------------------------------

    def _make(self, layer: Layer, *shapes: Any) -> Any:
        layer.trainable = self.trainable
        self._adopt(layer)
        layer.ensure_built(list(shapes) if len(shapes) > 1 else shapes[0])
        return layer

    def _make_attention(self, name: str, query: Any, value: Any) -> MultiHeadAttention:
        size = query[-1]
        if size is None or size % self.num_heads:
            raise ShapeError(f"{self}: the last axis of the input is {size}; it must divide into {self.num_heads} heads.", -1)
        options: dict[str, Any] = {"dropout": self.dropout, "dtype": self._kind, **self.initializers}
        return self._make(MultiHeadAttention(self.num_heads, size // self.num_heads, name=name, **options), query, value)

    def _make_norm(self, name: str, shape: Any) -> LayerNormalization:
        return self._make(LayerNormalization(epsilon=self.layer_norm_epsilon, name=name, dtype=self._kind), shape)

    def _make_dropout(self, name: str) -> Dropout:
        return self._make(Dropout(self.dropout, name=name), ())

    def _make_feed_forward(self, shape: Any) -> list[Layer]:
        F, E = self.intermediate_dim, shape[-1]
        options: dict[str, Any] = {"dtype": self._kind, **self.initializers}
        if self.activation == "swiglu":
            return [self._make(SwiGLU(F, name="feed_forward", **options), shape)]
        first = self._make(Dense(F, activation=self.activation, name="feed_forward_in", **options), shape)
        return [first, self._make(Dense(E, name="feed_forward_out", **options), first.output_shape(shape))]

    @property
    def _kind(self) -> str | None:
        """The float type of the Parameters, where it is settled."""
        return self.dtype or self._first_dtype

    # --- pieces of both passes -------------------------------------------------------------------------

    @staticmethod
    def _normalize(norm: Layer, x: Array, here: bool) -> tuple[Array, Any]:
        """norm(x) where the normalisation stands here, x where it does not."""
        return norm.forward(x) if here else (x, None)

    @staticmethod
    def _normalize_backward(norm: Layer, dy: Array, cache: Any) -> Array:
        return dy if cache is None else norm.backward(dy, cache)

    def _feed_forward_branch(self, x: Array, training: bool) -> tuple[Array, Any]:
        # 1. h = norm(x) or x
        h, before = self._normalize(self.feed_forward_norm, x, self.normalize_first)  # (B, T, E)
        # 2. f = dropout(feed_forward(h))
        caches = []
        for layer in (*self.feed_forward, self.feed_forward_dropout):
            h, cache = layer.forward(h, training=training)  # (B, T, F), then (B, T, E)
            caches.append(cache)
        # 3. y = x + f or norm(x + f)
        y, after = self._normalize(self.feed_forward_norm, x + h, not self.normalize_first)
        return y, (before, caches, after)

    def _feed_forward_branch_backward(self, dy: Array, saved: Any) -> Array:
        before, caches, after = saved
        # 3. y = x + f or norm(x + f)
        dsum = self._normalize_backward(self.feed_forward_norm, dy, after)
        # 2. f = dropout(feed_forward(h))
        dh = dsum
        for layer, cache in zip((self.feed_forward_dropout, *reversed(self.feed_forward)), reversed(caches), strict=True):
            dh = layer.backward(dh, cache)
        # 1. h = norm(x) or x
        return dsum + self._normalize_backward(self.feed_forward_norm, dh, before)

    feed_forward: list[Layer]
    feed_forward_norm: LayerNormalization
    feed_forward_dropout: Dropout
