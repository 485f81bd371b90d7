"""Rows for the attention layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.gradcheck.case import Case

from ..additive_attention import AdditiveAttention
from ..attention import Attention
from ..group_query_attention import GroupQueryAttention
from ..multi_head_attention import MultiHeadAttention


def _normal(*shapes: tuple[int, ...]) -> Any:
    return lambda g: tuple(g.normal(size=shape) for shape in shapes)


def _softmax(scores: Any) -> np.ndarray:
    exponentials = [np.exp(score) for score in scores]
    return np.array([each / sum(exponentials) for each in exponentials])


def _attend(query: np.ndarray, value: np.ndarray, score: Any) -> np.ndarray:
    y = [[_softmax([score(q, k) for k in v]) @ v for q in rows] for rows, v in zip(query, value, strict=True)]
    return np.array(y)


def _dot_by_loops(layer: Any, query: np.ndarray, value: np.ndarray) -> np.ndarray:
    return _attend(query, value, lambda q, k: sum(q * k))


def _additive_by_loops(layer: Any, query: np.ndarray, value: np.ndarray) -> np.ndarray:
    return _attend(query, value, lambda q, k: sum(layer.scale.value * np.tanh(q + k)))


def _heads_by_loops(layer: Any, query: np.ndarray, value: np.ndarray, **options: Any) -> np.ndarray:
    weights = [(each.kernel.value, each.bias.value) for each in (layer.query_dense, layer.key_dense, layer.value_dense, layer.output_dense)]
    (Wq, bq), (Wk, bk), (Wv, bv), (Wo, bo) = weights
    y = np.zeros((*query.shape[:-1], Wo.shape[-1])) + bo
    for h in range(Wq.shape[1]):
        g = h * Wk.shape[1] // Wq.shape[1]
        q, k, v = query @ Wq[:, h] + bq[h], value @ Wk[:, g] + bk[g], value @ Wv[:, g] + bv[g]
        for b, i in np.ndindex(*query.shape[:2]):
            seen = range(i + 1 if options else value.shape[1])
            p = _softmax([q[b, i] @ k[b, j] / Wq.shape[2] ** 0.5 for j in seen])
            y[b, i] += sum(p[j] * v[b, j] for j in seen) @ Wo[h]
    return y


def _heads(*args: Any, **options: Any) -> Any:
    return lambda: MultiHeadAttention(*args, **{"bias_initializer": "normal", **options})


def _groups(*args: Any, **options: Any) -> Any:
    return lambda: GroupQueryAttention(*args, **{"bias_initializer": "normal", **options})


_Q, _V, _K = (2, 3, 4), (2, 5, 4), (2, 5, 4)
_QUERY_MASK = np.array([[True, True, False], [True, True, True]])
_VALUE_MASK = np.array([[True, False, True, True, False], [True, True, True, True, False]])
_PAIR_MASK = np.array([[[True, False, True], [True, True, True]], [[False, False, True], [True, True, False]]])[:, None, :, None, :]

CASES = [
    Case("Attention", Attention, _normal(_Q, _V), expected=_dot_by_loops),
    Case("Attention, own keys, scale, causal", lambda: Attention(use_scale=True), _normal(_Q, _V, _K), options={"use_causal_mask": True}),
    Case("Attention, masks", Attention, _normal(_Q, _V), options={"mask": [_QUERY_MASK, _VALUE_MASK]}),
    Case(
        "Attention, masks, causal, scores",
        Attention,
        _normal(_Q, _V),
        options={"mask": [None, _VALUE_MASK], "use_causal_mask": True, "return_attention_scores": True},
    ),
    Case("Attention concat", lambda: Attention(score_mode="concat"), _normal(_Q, _V)),
    Case(
        "Attention concat, scale, scores", lambda: Attention(True, "concat"), _normal(_Q, _V, _K), options={"return_attention_scores": True}
    ),
    Case(
        "Attention, dropout, scores",
        lambda: Attention(dropout=0.4),
        _normal(_Q, _V),
        options={"return_attention_scores": True},
        training=True,
        same_alone=False,
    ),
    Case("AdditiveAttention", AdditiveAttention, _normal(_Q, _V), expected=_additive_by_loops),
    Case(
        "AdditiveAttention, own keys, no scale, masks",
        lambda: AdditiveAttention(use_scale=False),
        _normal(_Q, _V, _K),
        options={"mask": [_QUERY_MASK, _VALUE_MASK, None], "use_causal_mask": True},
    ),
    Case("AdditiveAttention, dropout", lambda: AdditiveAttention(dropout=0.3), _normal(_Q, _V), training=True, same_alone=False),
    Case("MultiHeadAttention", _heads(2, 3), _normal(_Q, _V), dead=("key/bias",), expected=_heads_by_loops),
    Case(
        "MultiHeadAttention, causal",
        _heads(2, 3),
        _normal(_Q, _V),
        options={"use_causal_mask": True},
        dead=("key/bias",),
        expected=_heads_by_loops,
    ),
    Case(
        "MultiHeadAttention, own keys, sizes, masks, scores",
        _heads(2, 3, value_dim=2, output_shape=3, use_bias=False),
        _normal(_Q, (2, 5, 3), (2, 5, 2)),
        options={"mask": [None, _VALUE_MASK, None], "use_causal_mask": True, "return_attention_scores": True},
    ),
    Case(
        "MultiHeadAttention, attention_mask, window, gate",
        _heads(1, 2, sliding_window=3, use_gate=True, output_shape=(2, 2)),
        _normal(_Q, _V),
        options={"attention_mask": _VALUE_MASK[:, None]},
        dead=("key/bias",),
    ),
    Case(
        "MultiHeadAttention, a query that may look nowhere",
        _heads(2, 2),
        _normal(_Q, _V),
        options={"mask": [_QUERY_MASK, _VALUE_MASK]},
        dead=("key/bias",),
    ),
    Case(
        "MultiHeadAttention, dropout",
        _heads(2, 2, dropout=0.3, use_bias=False),
        _normal(_Q, _V),
        options={"return_attention_scores": True, "mask": [_QUERY_MASK, _VALUE_MASK]},
        training=True,
        same_alone=False,
    ),
    Case(
        "MultiHeadAttention over two axes, one free",
        _heads(2, 2, attention_axes=(3, 1), use_bias=False),
        _normal((2, 2, 3, 2, 3), (2, 3, 3, 1, 3)),
        options={"attention_mask": _PAIR_MASK, "return_attention_scores": True},
    ),
    Case("GroupQueryAttention", _groups(3, 4, 2), _normal(_Q, _V), dead=("key/bias",), expected=_heads_by_loops),
    Case(
        "GroupQueryAttention, one group, causal, masks",
        _groups(2, 3, 1, use_bias=False, use_gate=True),
        _normal(_Q, _V, _K),
        options={"use_causal_mask": True, "value_mask": _VALUE_MASK},
    ),
    Case(
        "GroupQueryAttention, dropout, scores",
        _groups(2, 4, 2, dropout=0.3, use_bias=False),
        _normal(_Q, _V),
        options={"return_attention_scores": True},
        training=True,
        same_alone=False,
    ),
]
