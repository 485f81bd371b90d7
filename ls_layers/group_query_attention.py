"""GroupQueryAttention: multi-head attention in which several query heads share one head of keys and values."""

from __future__ import annotations

from typing import Any

from .projected_attention import ProjectedAttention


class GroupQueryAttention(ProjectedAttention):
    """Multi-head attention with fewer heads of keys and values than of queries.

    Query head h attends to key and value head ``h // (num_query_heads // num_key_value_heads)``; with one such head this
    is multi-query attention, with as many as there are query heads, multi-head attention.

    Parameters
    ----------
    head_dim : int
        Size of a head.
    num_query_heads, num_key_value_heads : int
        The second divides the first.
    dropout : float
        Fraction of the weights that are dropped while training.
    use_bias : bool
        Whether the projections have a bias.
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
    Inputs: query (B, T, I), value (B, S, J), key (B, S, K) (default: the value); output (B, T, I). Weights, each kernel
    followed by its bias: query (I, H, D), key (K, G, D), gate (I, H, D), value (J, G, D), attention_output (H, D, I).
    Call arguments and backward: ``MultiHeadAttention``'s; the keyword ``query_mask`` (B, T) is heeded here, and a query that
    may look nowhere gets what is told there. The gradients of a shared head are the sums over its query heads.

    Raises
    ------
    ShapeError
        The inputs' ranks differ, value and key differ before the last axis, or a last axis is not what it was.

    Source: Keras 3, ``keras.layers.GroupQueryAttention``; Ainslie et al. 2023, section 2.2.

    Examples
    --------
    >>> import numpy as np
    >>> layer = GroupQueryAttention(head_dim=3, num_query_heads=4, num_key_value_heads=2)
    >>> x = np.ones((2, 5, 6))
    >>> y, cache = layer.forward(x, x)
    >>> y.shape, [p.shape for p in layer.parameters()][:4]
    ((2, 5, 6), [(6, 4, 3), (4, 3), (6, 2, 3), (2, 3)])
    """

    def __init__(
        self,
        head_dim: int,
        num_query_heads: int,
        num_key_value_heads: int,
        dropout: float = 0.0,
        use_bias: bool = True,
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
        heads = (num_query_heads, num_key_value_heads)
        super().__init__(*heads, head_dim, head_dim, dropout, use_gate, sliding_window, seed, projection, **options)


__all__ = ["GroupQueryAttention"]
