"""TransformerDecoderBlock: causal self-attention, attention to a memory, a feed-forward network.

B batch, T time, S time of the memory, E features, M features of the memory, F inner features.
"""

from __future__ import annotations

from typing import Any

from ls_core.layer import Layer
from ls_core.types import Array

from .multi_head_attention import MultiHeadAttention
from .transformer_block import TransformerBlock


class TransformerDecoderBlock(TransformerBlock):
    """One block of a transformer decoder; built on one input it has no attention to a memory, as GPT's blocks.

    ::

        normalize_first=False (the paper)       normalize_first=True (GPT-2 and after)
        r = norm(x + attention(x))              r = x + attention(norm(x))
        s = norm(r + cross(r, memory))          s = r + cross(norm(r), memory)
        y = norm(s + feed_forward(s))           y = s + feed_forward(norm(s))

    Parameters
    ----------
    intermediate_dim : int
        Inner size F of the feed-forward network.
    num_heads : int
        Divides the features E; each head has E / num_heads of them.
    dropout : float
        Of the attention's weights, and of what each branch adds.
    activation : str or ActivationFunction
        Between the two products of the feed-forward network, default 'relu'; 'swiglu' makes it a ``SwiGLU``.
    layer_norm_epsilon : float
        Default 1e-5.
    kernel_initializer, bias_initializer : str or Initializer
        Defaults 'glorot_uniform' and 'zeros'.
    normalize_first : bool
        Default False.

    Notes
    -----
    Inputs: x (B, T, E) and, if there is one, memory (B, S, M), the encoder's output; output (B, T, E). Weights: attention,
    attention_norm, with a memory cross and cross_norm, then feed_forward_in, feed_forward_out (or SwiGLU's), feed_forward_norm.
    Call arguments: ``mask``, (B, T) or a list of that and the memory's (B, S), False where there is padding, which is not looked
    at; ``attention_mask`` (B, T, T) and ``memory_attention_mask`` (B, T, S), True where a query may look; ``use_causal_mask``
    (default True) of the self-attention.
    Backward: each step's own, in reverse; a residual connection adds the gradients of its two ways.

    Raises
    ------
    ShapeError
        The features do not divide into the heads, or an input has not three axes.
    ValueError
        A memory comes and none was there when the block was built, or the other way round.

    Source: Vaswani et al. 2017, section 3.1; Xiong et al. 2020, table 1 (normalisation first). Names: keras_hub's TransformerDecoder.

    Examples
    --------
    >>> import numpy as np
    >>> layer = TransformerDecoderBlock(intermediate_dim=8, num_heads=2)
    >>> y, cache = layer.forward(np.ones((2, 3, 4)), np.ones((2, 5, 6)))
    >>> y.shape, [g.shape for g in layer.backward(y, cache)]
    ((2, 3, 4), [(2, 3, 4), (2, 5, 6)])
    """

    def build(self, input_shape: Any) -> None:
        x, memory = input_shape if isinstance(input_shape[0], (list, tuple)) else (input_shape, None)
        self.attention = self._make_attention("attention", x, x)
        self.attention_dropout = self._make_dropout("attention_dropout")
        self.attention_norm = self._make_norm("attention_norm", x)
        self.cross: MultiHeadAttention | None = None
        if memory is not None:
            self.cross = self._make_attention("cross", x, memory)
            self.cross_dropout = self._make_dropout("cross_dropout")
            self.cross_norm = self._make_norm("cross_norm", x)
        self.feed_forward = self._make_feed_forward(x)
        self.feed_forward_dropout = self._make_dropout("feed_forward_dropout")
        self.feed_forward_norm = self._make_norm("feed_forward_norm", x)

    def output_shape(self, input_shape: Any) -> Any:
        return input_shape[0] if isinstance(input_shape[0], (list, tuple)) else input_shape

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return previous_mask[0] if isinstance(previous_mask, (list, tuple)) else previous_mask

    def forward(
        self,
        x: Any,
        memory: Array = None,
        *,
        mask: Any = None,
        attention_mask: Array = None,
        memory_attention_mask: Array = None,
        use_causal_mask: bool = True,
        training: bool = False,
    ) -> Any:
        if isinstance(x, (list, tuple)):
            x, memory = (*x, None)[:2]
        if (memory is None) != (self.cross is None):
            here, built = ("no", "one") if memory is None else ("a", "none")
            raise ValueError(f"{self}: {here} memory came, and there was {built} when the block was built; make another block for that.")
        self.check_rank(x, 3, "batch, time, features")
        own_mask, memory_mask = (*mask, None)[:2] if isinstance(mask, (list, tuple)) else (mask, None)
        # 1. h = norm(x) or x
        h, before = self._normalize(self.attention_norm, x, self.normalize_first)  # (B, T, E)
        # 2. a = dropout(attention(h, h))
        options = {"value_mask": own_mask, "attention_mask": attention_mask, "use_causal_mask": use_causal_mask}
        a, attended = self.attention.forward(h, h, training=training, **options)  # (B, T, E)
        a, dropped = self.attention_dropout.forward(a, training=training)
        # 3. r = x + a or norm(x + a)
        r, after = self._normalize(self.attention_norm, x + a, not self.normalize_first)  # (B, T, E)
        # 4. s = the same around cross(r, memory)
        s, crossed = r, None
        if self.cross is not None:
            options = {"value_mask": memory_mask, "attention_mask": memory_attention_mask}
            s, crossed = self._cross_branch(self.cross, r, memory, options, training)  # (B, T, E)
        # 5. y = the same around feed_forward(s)
        y, fed = self._feed_forward_branch(s, training)  # (B, T, E)
        return y, (before, attended, dropped, after, crossed, fed)

    def _cross_branch(self, cross: Layer, r: Array, memory: Array, options: dict[str, Any], training: bool) -> tuple[Array, Any]:
        # 1. h = norm(r) or r
        h, before = self._normalize(self.cross_norm, r, self.normalize_first)  # (B, T, E)
        # 2. c = dropout(cross(h, memory))
        c, attended = cross.forward(h, memory, training=training, **options)  # (B, T, E)
        c, dropped = self.cross_dropout.forward(c, training=training)
        # 3. s = r + c or norm(r + c)
        s, after = self._normalize(self.cross_norm, r + c, not self.normalize_first)
        return s, (before, attended, dropped, after)

    def _cross_branch_backward(self, cross: Layer, ds: Array, saved: Any) -> tuple[Array, Array]:
        before, attended, dropped, after = saved
        # 3. s = r + c or norm(r + c)
        dsum = self._normalize_backward(self.cross_norm, ds, after)
        # 2. c = dropout(cross(h, memory))
        dh, dmemory = cross.backward(self.cross_dropout.backward(dsum, dropped), attended)
        # 1. h = norm(r) or r
        return dsum + self._normalize_backward(self.cross_norm, dh, before), dmemory

    def backward(self, dy: Array, saved: Any) -> Any:
        before, attended, dropped, after, crossed, fed = saved
        # 5. y = the same around feed_forward(s)
        dr = self._feed_forward_branch_backward(dy, fed)
        # 4. s = the same around cross(r, memory)
        dmemory = None
        if self.cross is not None:
            dr, dmemory = self._cross_branch_backward(self.cross, dr, crossed)
        # 3. r = x + a or norm(x + a)
        dsum = self._normalize_backward(self.attention_norm, dr, after)
        # 2. a = dropout(attention(h, h)), h being both query and value
        dquery, dvalue = self.attention.backward(self.attention_dropout.backward(dsum, dropped), attended)
        # 1. h = norm(x) or x
        dx = dsum + self._normalize_backward(self.attention_norm, dquery + dvalue, before)
        return dx if self.cross is None else (dx, dmemory)


__all__ = ["TransformerDecoderBlock"]
