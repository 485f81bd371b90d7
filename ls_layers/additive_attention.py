"""AdditiveAttention: y = softmax(sum_d scale_d tanh(query_d + key_d)) value.

B batch, T queries, S keys, D features of queries and keys, V features of values.
"""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.types import Array

from .attention import Attention
from .attention_core import additive_attention_backward, additive_attention_forward


class AdditiveAttention(Attention):
    """Each query gets an average of the values, weighted by a sum of tanh over query and key (Bahdanau attention).

    ``y = softmax(sum(scale * tanh(query + key))) @ value``

    Parameters
    ----------
    use_scale : bool
        Whether there is a trainable ``scale``, one number for each feature. Default True.
    dropout : float
        Fraction of the weights that are dropped while training.
    seed : int, optional
        Of the dropout; default: it follows ``set_seed``.

    Notes
    -----
    Inputs, output and call arguments are Attention's. Weights: scale (D,) if ``use_scale``. The layer needs room for
    (B, T, S, D) numbers. Backward, with t = tanh(query + key), p = softmax(s) and ds = p (dp - sum(p dp))::

        dscale_d = sum(ds t_d),  dquery_id = sum_j ds_ij scale_d (1 - t_ijd^2),  dkey_jd = sum_i of the same

    Raises
    ------
    ShapeError
        The features of query and key, or the lengths of value and key, differ.

    Source: Keras 3, ``keras.layers.AdditiveAttention``; Bahdanau et al. 2015, appendix A.1.2.

    Examples
    --------
    >>> import numpy as np
    >>> layer = AdditiveAttention(use_scale=False)
    >>> query, value = np.array([[[0.]]]), np.array([[[-1.], [1.]]])
    >>> layer(query, value).round(4), round(np.tanh(np.tanh(1.)), 4).item()
    (array([[[0.642]]]), 0.642)
    """

    def __init__(self, use_scale: bool = True, dropout: float = 0.0, seed: int | None = None, **options: Any) -> None:
        super().__init__(use_scale=use_scale, dropout=dropout, seed=seed, **options)

    def build(self, input_shape: Any) -> None:
        self._check_number(input_shape)
        self.scale = self.add_weight((input_shape[0][-1],), "glorot_uniform", name="scale") if self.use_scale else None

    def attend(self, query: Array, value: Array, key: Array, bias: Array, keep: Array) -> tuple[Array, Array, Any]:
        weights = get_xp(query).ones(query.shape[-1:], dtype=query.dtype) if self.scale is None else self.scale.value  # (D,)
        return additive_attention_forward(query, key, value, weights, bias, keep)

    def attend_backward(self, dy: Array, dscores: Array, saved: Any) -> tuple[Array, Array, Array]:
        dquery, dkey, dvalue, dscale = additive_attention_backward(dy, dscores, saved)
        if self.scale is not None:
            self.scale.accumulate(dscale)
        return dquery, dvalue, dkey


__all__ = ["AdditiveAttention"]
