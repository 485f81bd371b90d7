"""Rows for Recompute, which stands in ls_core."""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core import Recompute, Sequential
from ls_core.gradcheck.case import Case
from ls_layers import LSTM, BatchNormalization, Dense, Dropout


def _as_without(layer: Any, *inputs: Any, **options: Any) -> Any:
    """The layer inside alone."""
    return layer.layer(*inputs, **options)


def _block() -> Sequential:
    return Sequential([Dense(5, activation="tanh"), BatchNormalization(), Dropout(0.4), Dense(3)])


CASES = [
    Case("Recompute Dense", lambda: Recompute(Dense(3, activation="tanh")), lambda g: (g.normal(size=(4, 2)),), expected=_as_without),
    Case(
        "Recompute block in training",
        lambda: Recompute(_block()),
        lambda g: (g.normal(size=(6, 4)),),
        training=True,
        same_alone=False,
        dead=("bias",),
        notes="BatchNormalization takes the mean over the batch",
    ),
    Case(
        "Recompute LSTM masked",
        lambda: Recompute(LSTM(3, return_sequences=True)),
        lambda g: (g.normal(size=(2, 4, 3)),),
        options={"mask": np.array([[True, True, True, False], [True, True, False, False]])},
        expected=_as_without,
    ),
]
