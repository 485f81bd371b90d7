"""Rows for the layers around other layers: Wrapper, Residual, Parallel."""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.gradcheck.case import Case
from ls_core.sequential import Sequential

from ..activation import Activation
from ..concatenate import Concatenate
from ..dense import Dense
from ..multiply import Multiply
from ..parallel import Parallel
from ..residual import Residual
from ..wrapper import Wrapper


def _dense(x: np.ndarray, layer: Any) -> np.ndarray:
    return np.tanh(x @ layer.kernel.value + layer.bias.value)


def _around(layer: Any, x: np.ndarray) -> np.ndarray:
    return x + _dense(x, layer.layer)


def _side_by_side(layer: Any, x: np.ndarray) -> np.ndarray:
    return np.concatenate([_dense(x, each) for each in layer.layers], axis=-1)


def _gated(layer: Any, x: np.ndarray) -> np.ndarray:
    return x * _dense(x, layer.layers[1])


CASES = [
    Case(
        "Wrapper",
        lambda: Wrapper(Dense(3, activation="tanh")),
        lambda g: (g.normal(size=(2, 4)),),
        expected=lambda w, x: _dense(x, w.layer),
    ),
    Case("Residual", lambda: Residual(Dense(3, activation="tanh")), lambda g: (g.normal(size=(2, 3)),), expected=_around),
    Case(
        "Residual around two layers",
        lambda: Residual(Sequential([Dense(5, "tanh"), Dense(3)], name="f")),
        lambda g: (g.normal(size=(2, 2, 3)),),
    ),
    Case("Parallel", lambda: Parallel([Dense(3, "tanh"), Dense(2, "tanh")]), lambda g: (g.normal(size=(2, 4)),), expected=_side_by_side),
    Case(
        "Parallel, multiplied",
        lambda: Parallel([Activation("linear"), Dense(4, "tanh")], join=Multiply()),
        lambda g: (g.normal(size=(2, 4)),),
        expected=_gated,
    ),
    Case(
        "Parallel, several outputs",
        lambda: Parallel([Dense(3, "tanh"), Dense(2)], join=None),
        lambda g: (g.normal(size=(2, 4)),),
        skip=("missing_cotangents",),
        notes="as in Model, a layer whose output has no gradient is passed over: its weights get none, not zeros",
    ),
    Case("Parallel along time", lambda: Parallel([Dense(3), Dense(3)], join=Concatenate(axis=1)), lambda g: (g.normal(size=(2, 2, 4)),)),
]
