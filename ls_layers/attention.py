"""Attention: y = softmax(scores(query, key)) value, one head, no projections.

B batch, T queries, S keys, D features of queries and keys, V features of values.
"""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.errors import ShapeError
from ls_core.layer import Layer
from ls_core.types import Array

from .attention_core import (
    additive_attention_backward,
    additive_attention_forward,
    scaled_dot_product_attention_backward,
    scaled_dot_product_attention_forward,
)


class Attention(Layer):
    """Each query gets an average of the values, weighted by how well their keys fit it (Luong attention).

    ``y = softmax(scale * query @ key^T) @ value``; with ``score_mode='concat'`` the scores are
    ``weight * sum(tanh(scale * (query + key)))`` over the features.

    Parameters
    ----------
    use_scale : bool
        Whether there is a trainable ``scale``, one number. Default False.
    score_mode : {'dot', 'concat'}
    dropout : float
        Fraction of the weights that are dropped while training.
    seed : int, optional
        Of the dropout; default: it follows ``set_seed``.

    Notes
    -----
    Inputs: query (B, T, D), value (B, S, V), key (B, S, D) (default: the value); output (B, T, V).
    Weights: scale () if ``use_scale``, concat_score_weight () in mode 'concat'.
    Call arguments: ``mask=[query_mask (B, T), value_mask (B, S)]``, either may be None: masked queries give zeros, masked
    values are not looked at; ``use_causal_mask``: query i looks at keys 0 ... i; ``return_attention_scores``: y and the
    weights (B, T, S), after dropout. As in Keras 3 a masked score is lowered by 1e9 (in float16 by 65504), so that a query
    whose values are all masked looks at all of them.
    Backward, with p = softmax(s):  dvalue = p^T dy,  dp = dy value^T,  ds = p (dp - sum(p dp)).

    Raises
    ------
    ShapeError
        The features of query and key, or the lengths of value and key, differ.

    Source: Keras 3, ``keras.layers.Attention``; Luong et al. 2015, section 3.1.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Attention()
    >>> query, value = np.array([[[9., 0.]]]), np.array([[[1., 0.], [0., 1.]]])
    >>> y, p = layer(query, value, return_attention_scores=True)
    >>> p.round(3), y.round(3)
    (array([[[1., 0.]]]), array([[[1., 0.]]]))
    """

    gradient_keywords = ("key",)
    supports_masking = True

    def __init__(
        self, use_scale: bool = False, score_mode: str = "dot", dropout: float = 0.0, seed: int | None = None, **options: Any
    ) -> None:
        super().__init__(**options)
        if score_mode not in ("dot", "concat"):
            raise ValueError(f"{type(self).__name__}: score_mode is 'dot' or 'concat', not {score_mode!r}")
        if not 0 <= dropout < 1:
            raise ValueError(f"{type(self).__name__}: dropout is a number from 0 to 1, not {dropout!r}")
        self.use_scale, self.score_mode = use_scale, score_mode
        self.dropout, self.seed = dropout, seed

    def build(self, input_shape: Any) -> None:
        self._check_number(input_shape)
        self.scale = self.add_weight((), "ones", name="scale") if self.use_scale else None
        self.concat_score_weight = self.add_weight((), "ones", name="concat_score_weight") if self.score_mode == "concat" else None

    def _check_number(self, inputs: Any) -> None:
        if not isinstance(inputs, (list, tuple)) or len(inputs) not in (2, 3) or isinstance(inputs[0], (int, type(None))):
            raise ValueError(f"{self} takes two or three inputs: query, value and, if it is another array, key.")

    def output_shape(self, input_shape: Any, return_attention_scores: bool = False) -> Any:
        self._check_number(input_shape)
        query, value = input_shape[0], input_shape[1]
        y = (*query[:-1], value[-1])
        return [y, (*query[:-1], value[-2])] if return_attention_scores else y

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return previous_mask[0] if isinstance(previous_mask, (list, tuple)) else previous_mask

    def _check_shapes(self, query: Array, value: Array, key: Array) -> None:
        for x, name in ((query, "query"), (value, "value"), (key, "key")):
            if x.ndim < 3:
                raise ShapeError(f"{self}: the {name} has {x.ndim} axes, shape {tuple(x.shape)}; it wants 3: batch, time, features.")
        if query.shape[-1] != key.shape[-1]:
            raise ShapeError(f"{self}: the last axis of the query is {query.shape[-1]}, the key's {key.shape[-1]}; make them equal.", -1)
        if value.shape[-2] != key.shape[-2]:
            raise ShapeError(f"{self}: the value has {value.shape[-2]} time steps, the key {key.shape[-2]}; each value has one key.", -2)

    def _bias(self, query: Array, value: Array, mask: Array, use_causal_mask: bool) -> Array:
        """What is added to the scores (B, T, S), for a value_mask (B, S) and perhaps the causal one."""
        if mask is None and not use_causal_mask:
            return None
        xp = get_xp(query)
        allowed = None if mask is None else mask != 0
        if allowed is not None and allowed.ndim == 2:
            allowed = allowed[:, None, :]  # (B, 1, S)
        if use_causal_mask:
            causal = xp.arange(query.shape[-2])[:, None] >= xp.arange(value.shape[-2])  # (T, S)
            allowed = causal if allowed is None else xp.logical_and(allowed, causal)
        dtype = query.real.dtype
        return xp.logical_not(allowed).astype(dtype) * (-65504.0 if dtype.itemsize == 2 else -1e9)

    def forward(
        self,
        query: Any,
        value: Any = None,
        key: Any = None,
        *,
        mask: Any = None,
        training: bool = False,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        if isinstance(query, (list, tuple)):  # Keras' form: one list
            self._check_number(query)
            query, value, key = (*query, None)[:3]
        if mask is not None and (not isinstance(mask, (list, tuple)) or len(mask) not in (2, 3)):
            raise ValueError(f"{self}: mask is a list [query_mask, value_mask], either of which may be None")
        query_mask, value_mask = mask[:2] if mask is not None else (None, None)
        separate = key is not None
        key = key if separate else value
        self._check_shapes(query, value, key)
        bias = self._bias(query, value, value_mask, use_causal_mask)
        keep = None
        if training and self.dropout:
            keep = self.stream("mask").keep_mask((*query.shape[:-1], value.shape[-2]), self.dropout, like=query)
        y, p, saved = self.attend(query, value, key, bias, keep)
        if query_mask is not None:
            query_mask = (query_mask != 0)[..., None].astype(query.dtype)  # (B, T, 1)
            y = y * query_mask
        saved = (saved, query_mask, keep, separate, y.shape)
        if not return_attention_scores:
            return y, saved
        return (y, p if keep is None else p * keep), saved

    def attend(self, query: Array, value: Array, key: Array, bias: Array, keep: Array) -> tuple[Array, Array, Any]:
        """y, the weights before dropout, and what ``attend_backward`` needs. A subclass has other scores."""
        # 1. q = scale * query (and k = scale * key, where the two are added)
        scale = 1.0 if self.scale is None else self.scale.value
        q = query if self.scale is None else query * scale
        # 2. the core
        if self.concat_score_weight is None:
            heads = (q[..., None, :, :], key[..., None, :, :], value[..., None, :, :])  # (B, 1, T, D) ...
            bias, keep = (None if each is None else each[..., None, :, :] for each in (bias, keep))
            y, p, saved = scaled_dot_product_attention_forward(*heads, bias, 1.0, False, keep, True)
            return y[..., 0, :, :], p[..., 0, :, :], (query, key, saved)
        k = key if self.scale is None else key * scale
        weights = self.concat_score_weight.value * get_xp(query).ones(query.shape[-1:], dtype=query.dtype)  # (D,)
        y, p, saved = additive_attention_forward(q, k, value, weights, bias, keep)
        return y, p, (query, key, saved)

    def backward(self, dy: Any, saved: Any) -> Any:
        saved, query_mask, keep, separate, shape = saved
        dy, dscores = dy if isinstance(dy, (tuple, list)) else (dy, None)
        if dy is None:  # the scores alone were used
            dy = get_xp(dscores).zeros(shape, dtype=dscores.dtype)
        # 3. scores = p * keep
        if dscores is not None and keep is not None:
            dscores = dscores * keep
        # 2. y = y * query_mask
        if query_mask is not None:
            dy = dy * query_mask
        # 1. y, p = attend(query, value, key)
        dquery, dvalue, dkey = self.attend_backward(dy, dscores, saved)
        return (dquery, dvalue, dkey) if separate else (dquery, dvalue + dkey)

    def attend_backward(self, dy: Array, dscores: Array, saved: Any) -> tuple[Array, Array, Array]:
        """The gradients of query, value and key."""
        query, key, saved = saved
        # 2. the core
        if self.concat_score_weight is None:
            dscores = None if dscores is None else dscores[..., None, :, :]
            dy = dy[..., None, :, :]  # (B, 1, T, V)
            dq, dk, dvalue = (d[..., 0, :, :] for d in scaled_dot_product_attention_backward(dy, dscores, saved))
        else:
            dq, dk, dvalue, dweights = additive_attention_backward(dy, dscores, saved)
            self.concat_score_weight.accumulate(dweights.sum().reshape(()))
        if self.scale is None:
            return dq, dvalue, dk
        # 1. q = scale * query (and k = scale * key, where the two are added)
        dscale = (dq * query).sum().reshape(())
        if self.concat_score_weight is not None:
            dscale = dscale + (dk * key).sum()
            dk = dk * self.scale.value
        self.scale.accumulate(dscale)
        return dq * self.scale.value, dvalue, dk


__all__ = ["Attention"]
