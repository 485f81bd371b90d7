"""Rows for ReversibleEmbedding."""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.gradcheck.case import Case

from ..reversible_embedding import ReversibleEmbedding


def _by_loops(layer: Any, x: np.ndarray, reverse: bool = False) -> np.ndarray:
    table = layer.embeddings.value
    if not reverse:
        return np.array([table[i] for i in x.ravel()]).reshape(*x.shape, -1)
    z = np.array([[sum(row[d] * table[v, d] for d in range(len(row))) for v in range(len(table))] for row in x.reshape(-1, x.shape[-1])])
    return z.reshape(*x.shape[:-1], -1)


def _layer(**options: Any) -> ReversibleEmbedding:
    return ReversibleEmbedding(6, 3, embeddings_initializer="normal", **options)


CASES = [
    Case("ReversibleEmbedding", _layer, lambda g: (g.integers(0, 6, (2, 4)),), expected=_by_loops),
    Case(
        "ReversibleEmbedding in reverse",
        _layer,
        lambda g: (g.normal(size=(2, 4, 3)),),
        options={"reverse": True},
        expected=_by_loops,
    ),
    Case(
        "ReversibleEmbedding in reverse, its own table, soft cap",
        lambda: _layer(tie_weights=False, logit_soft_cap=1.5),
        lambda g: (g.normal(size=(5, 3)),),
        options={"reverse": True},
        dead=("embeddings",),
        notes="without tied weights the reverse direction does not read the table",
    ),
]
