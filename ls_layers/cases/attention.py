"""Rows for the attention layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.gradcheck.case import Case

from ..additive_attention import AdditiveAttention
from ..attention import Attention


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


_Q, _V, _K = (2, 3, 4), (2, 5, 4), (2, 5, 4)
_QUERY_MASK = np.array([[True, True, False], [True, True, True]])
_VALUE_MASK = np.array([[True, False, True, True, False], [True, True, True, True, False]])

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
]
