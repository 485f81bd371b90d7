"""MultiHeadAttention: several heads, each with its own projections of query, key and value."""

from __future__ import annotations

from typing import Any

from .projected_attention import ProjectedAttention


class MultiHeadAttention(ProjectedAttention):
    """Each query gets, from each of several heads, an average of the values that fit it; the heads are then mixed.

    ``head_h = softmax(q_h k_h^T / sqrt(key_dim)) v_h``, with q_h, k_h, v_h projections of query, key and value;
    the output is a projection of all heads together.

    Parameters
    ----------
    num_heads : int
    key_dim : int
        Size of a head's queries and keys.
    value_dim : int, optional
        Size of a head's values. Default: ``key_dim``.
    dropout : float
        Fraction of the weights that are dropped while training.
    use_bias : bool
        Whether the projections have a bias.
    output_shape : int or tuple of int, optional
        The output's last axes. Default: the query's last axis.
    attention_axes : int or tuple of int, optional
        The axes over which queries look at keys; the others are free, as the batch is. Default: all but batch and features.
    sliding_window : int, optional
        A query looks at keys less than this far away, on either side.
    flash_attention : bool, optional
        Accepted and without effect: it would pick another kernel for the same numbers.
    kernel_initializer, bias_initializer : str or Initializer
        Defaults 'glorot_uniform' and 'zeros'.
    kernel_regularizer, bias_regularizer, activity_regularizer, kernel_constraint, bias_constraint : optional
        For each projection.
    use_gate : bool
        Whether the heads' output is multiplied by sigmoid(a projection of the query).
    seed : int, optional
        Of the dropout; default: it follows ``set_seed``.

    Notes
    -----
    Inputs: query (B, T, I), value (B, S, J), key (B, S, K) (default: the value); output (B, T, O). Weights, each kernel
    followed by its bias: query (I, H, D), key (K, H, D), gate (I, H, V), value (J, H, V), attention_output (H, V, O).

    Call arguments: ``value_mask``, ``key_mask`` (B, S) and ``attention_mask`` (B, T, S), or with a heads axis (B, H, T, S):
    True where a query may look; ``use_causal_mask``: query i looks at keys 0 ... i; ``return_attention_scores``: y and
    the weights (B, H, T, S), before dropout. A ``Model`` passes ``mask``, one for each input. The keyword ``query_mask`` changes
    nothing, as in Keras 3.15, which reads that mask off the query's tensor alone; the one in ``mask`` does.
    A query that may look nowhere gets zeros where dropout is set, the scores are returned, or there is more than one axis of
    time; else, as the softmax of equal scores, the mean of the values. That is what Keras 3 on PyTorch does.

    Backward, for each head, with p = softmax(s):  dv = p^T dy,  dp = dy v^T,  ds = p (dp - sum(p dp)),
    dq = ds k / sqrt(key_dim),  dk = ds^T q / sqrt(key_dim). A bias of the key moves all scores of a query alike, so its gradient is 0.

    Raises
    ------
    ShapeError
        The inputs' ranks differ, value and key differ before the last axis, or a last axis is not what it was.

    Source: Keras 3, ``keras.layers.MultiHeadAttention``; Vaswani et al. 2017, section 3.2.

    Examples
    --------
    >>> import numpy as np
    >>> layer = MultiHeadAttention(num_heads=2, key_dim=3)
    >>> x = np.ones((4, 5, 6))
    >>> (y, p), cache = layer.forward(x, x, use_causal_mask=True, return_attention_scores=True)
    >>> y.shape, p[0, 0, 1]
    ((4, 5, 6), array([0.5, 0.5, 0. , 0. , 0. ]))
    >>> [g.shape for g in layer.backward((y, None), cache)]
    [(4, 5, 6), (4, 5, 6)]
    """

    heeds_query_mask = False

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: Any = None,
        attention_axes: Any = None,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        projection = {
            "use_bias": use_bias,
            "kernel_initializer": kernel_initializer,
            "bias_initializer": bias_initializer,
            "kernel_regularizer": kernel_regularizer,
            "bias_regularizer": bias_regularizer,
            "activity_regularizer": activity_regularizer,
            "kernel_constraint": kernel_constraint,
            "bias_constraint": bias_constraint,
        }
        value_dim = key_dim if value_dim is None else value_dim
        super().__init__(num_heads, num_heads, key_dim, value_dim, dropout, use_gate, sliding_window, seed, projection, **options)
        self.sizes = (output_shape,) if isinstance(output_shape, int) else tuple(output_shape or ())
        if attention_axes is not None:
            self.attention_axes = (attention_axes,) if isinstance(attention_axes, int) else tuple(attention_axes)

    def output_sizes(self, query_shape: Any) -> tuple[int, ...]:
        return self.sizes or (query_shape[-1],)


__all__ = ["MultiHeadAttention"]
