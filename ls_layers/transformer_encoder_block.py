"""TransformerEncoderBlock: self-attention and a feed-forward network, each with a residual connection and a normalisation.

B batch, T time, E features, F inner features.
"""

from __future__ import annotations

from typing import Any

from ls_core.types import Array

from .transformer_block import TransformerBlock


class TransformerEncoderBlock(TransformerBlock):
    """One block of a transformer encoder (BERT's), or, with causal attention and no memory, of GPT's decoder.

    ::

        normalize_first=False (the paper)       normalize_first=True (GPT-2 and after)
        r = norm(x + attention(x))              r = x + attention(norm(x))
        y = norm(r + feed_forward(r))           y = r + feed_forward(norm(r))

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
    Input (B, T, E); output: the input's shape. Weights: attention (as MultiHeadAttention's), attention_norm,
    feed_forward_in, feed_forward_out (or SwiGLU's), feed_forward_norm.
    Call arguments: ``mask`` (B, T), False where there is padding, which is not looked at; ``attention_mask`` (B, T, T), True where a
    query may look; ``use_causal_mask`` (default False).
    Backward: each step's own, in reverse; a residual connection adds the gradients of its two ways.

    Raises
    ------
    ShapeError
        The features do not divide into the heads, or the input has not three axes.

    Source: Vaswani et al. 2017, section 3.1; Xiong et al. 2020, table 1 (normalisation first). Names: keras_hub's TransformerEncoder.

    Examples
    --------
    >>> import numpy as np
    >>> layer = TransformerEncoderBlock(intermediate_dim=8, num_heads=2, normalize_first=True)
    >>> y, cache = layer.forward(np.ones((2, 3, 4)))
    >>> y.shape, layer.backward(y, cache).shape, layer.count_params()
    ((2, 3, 4), (2, 3, 4), 172)
    """

    def build(self, input_shape: Any) -> None:
        self.attention = self._make_attention("attention", input_shape, input_shape)
        self.attention_dropout = self._make_dropout("attention_dropout")
        self.attention_norm = self._make_norm("attention_norm", input_shape)
        self.feed_forward = self._make_feed_forward(input_shape)
        self.feed_forward_dropout = self._make_dropout("feed_forward_dropout")
        self.feed_forward_norm = self._make_norm("feed_forward_norm", input_shape)

    def forward(
        self, x: Array, mask: Array = None, attention_mask: Array = None, use_causal_mask: bool = False, training: bool = False
    ) -> Any:
        self.check_rank(x, 3, "batch, time, features")
        options = {"value_mask": mask, "attention_mask": attention_mask, "use_causal_mask": use_causal_mask}
        # 1. h = norm(x) or x
        h, before = self._normalize(self.attention_norm, x, self.normalize_first)  # (B, T, E)
        # 2. a = dropout(attention(h, h))
        a, attended = self.attention.forward(h, h, training=training, **options)  # (B, T, E)
        a, dropped = self.attention_dropout.forward(a, training=training)
        # 3. r = x + a or norm(x + a)
        r, after = self._normalize(self.attention_norm, x + a, not self.normalize_first)  # (B, T, E)
        # 4. y = the same around feed_forward(r)
        y, fed = self._feed_forward_branch(r, training)  # (B, T, E)
        return y, (before, attended, dropped, after, fed)

    def backward(self, dy: Array, saved: Any) -> Array:
        before, attended, dropped, after, fed = saved
        # 4. y = the same around feed_forward(r)
        dr = self._feed_forward_branch_backward(dy, fed)
        # 3. r = x + a or norm(x + a)
        dsum = self._normalize_backward(self.attention_norm, dr, after)
        # 2. a = dropout(attention(h, h)), h being both query and value
        dquery, dvalue = self.attention.backward(self.attention_dropout.backward(dsum, dropped), attended)
        # 1. h = norm(x) or x
        return dsum + self._normalize_backward(self.attention_norm, dquery + dvalue, before)


__all__ = ["TransformerEncoderBlock"]
