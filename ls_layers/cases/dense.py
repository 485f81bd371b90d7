"""Rows for Dense."""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.gradcheck.case import Case

from ..dense import Dense


def _dense_by_loops(layer: Any, x: np.ndarray) -> np.ndarray:
    W, b = layer.kernel.value, layer.bias.value
    rows = x.reshape(-1, x.shape[-1])
    y = np.array([[sum(r[i] * W[i, o] for i in range(W.shape[0])) + b[o] for o in range(W.shape[1])] for r in rows])
    return y.reshape(*x.shape[:-1], -1)


CASES = [
    Case("Dense", lambda: Dense(4, bias_initializer="normal"), lambda g: (g.normal(size=(3, 5)),), expected=_dense_by_loops),
    Case("Dense tanh, three axes", lambda: Dense(3, activation="tanh"), lambda g: (g.normal(size=(2, 3, 4)),)),
    Case("Dense softmax, no bias", lambda: Dense(3, activation="softmax", use_bias=False), lambda g: (g.normal(size=(4, 2)),)),
]
