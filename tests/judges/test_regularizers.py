"""Regularisers and constraints against Keras 3, gradients by PyTorch."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import torch

from ls_core.registry import deserialize

from . import keras_judge

pytestmark = pytest.mark.judges

REGULARIZERS: list[tuple[str, dict[str, Any]]] = [
    ("L1", {}),
    ("L1", {"l1": 0.3}),
    ("L2", {}),
    ("L2", {"l2": 0.3}),
    ("L1L2", {}),
    ("L1L2", {"l1": 0.2, "l2": 0.4}),
    ("L1L2", {"l1": 0.2}),
    ("OrthogonalRegularizer", {}),
    ("OrthogonalRegularizer", {"factor": 0.5, "mode": "columns"}),
]
CONSTRAINTS: list[tuple[str, dict[str, Any]]] = [
    ("MaxNorm", {}),
    ("MaxNorm", {"max_value": 0.7, "axis": 1}),
    ("NonNeg", {}),
    ("UnitNorm", {}),
    ("UnitNorm", {"axis": [0, 1]}),
    ("MinMaxNorm", {}),
    ("MinMaxNorm", {"min_value": 1.0, "max_value": 1.5, "rate": 0.4, "axis": 1}),
]


@pytest.mark.parametrize("kind", ["normal", "short", "zero row"])
@pytest.mark.parametrize(("name", "arguments"), REGULARIZERS, ids=str)
def test_regularizers(name: str, arguments: dict[str, Any], kind: str, rng: np.random.Generator) -> None:
    value = rng.normal(size=(4, 3)) * (1e-9 if kind == "short" else 1.0)
    if kind == "zero row":
        value[1] = 0.0
    theirs = getattr(keras.regularizers, name)(**arguments)
    ours = deserialize("regularizer", keras.regularizers.serialize(theirs))
    tensor = torch.tensor(value, requires_grad=True)
    wanted = theirs(tensor)
    np.testing.assert_allclose(float(ours(value)), float(wanted), rtol=1e-13, atol=1e-30)
    if wanted.requires_grad:
        wanted.backward()
        gradient = tensor.grad.numpy()
        finite = np.isfinite(gradient)  # PyTorch's derivative of a zero row is NaN
        assert finite.all() or kind == "zero row"
        error = keras_judge.relative_error(ours.gradient(value)[finite], gradient[finite])
        assert error < 1e-13


@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 4)], ids=str)
@pytest.mark.parametrize(("name", "arguments"), CONSTRAINTS, ids=str)
def test_constraints(name: str, arguments: dict[str, Any], shape: tuple[int, ...], rng: np.random.Generator) -> None:
    value = rng.normal(size=shape)
    theirs = getattr(keras.constraints, name)(**arguments)
    ours = deserialize("constraint", keras.constraints.serialize(theirs))
    np.testing.assert_allclose(ours(value), theirs(torch.tensor(value)).numpy(), rtol=1e-14)
