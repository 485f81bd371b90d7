"""Rows for Embedding."""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.gradcheck.case import Case

from ..embedding import Embedding


def _one_by_one(layer: Any, ids: np.ndarray) -> np.ndarray:
    table = layer.embeddings.value
    return np.array([table[int(i)] for i in ids.ravel()]).reshape(*ids.shape, -1)


CASES = [
    Case("Embedding", lambda: Embedding(7, 3), lambda g: (g.integers(0, 7, size=(4, 5)),), expected=_one_by_one),
    Case("Embedding mask_zero", lambda: Embedding(4, 2, mask_zero=True), lambda g: (g.integers(0, 4, size=(3, 4)),)),
    Case("Embedding ids of rank 1", lambda: Embedding(4, 2, "ones"), lambda g: (g.integers(0, 4, size=(5,)).astype("int32"),)),
    Case("Embedding ids of rank 3", lambda: Embedding(9, 2), lambda g: (g.integers(0, 9, size=(2, 2, 3)).astype("uint8"),)),
]
