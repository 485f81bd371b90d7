"""Regularisers and constraints: worked numbers, gradients, dtypes, configurations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import ls_core
from ls_core.constraints import Constraint, MaxNorm, MinMaxNorm, NonNeg, UnitNorm
from ls_core.registry import deserialize, serialize
from ls_core.regularizers import L1, L1L2, L2, OrthogonalRegularizer, Regularizer
from ls_core.testing.standin import host_syncs

REGULARIZERS = [L1(0.3), L2(0.7), L1L2(0.2, 0.5), OrthogonalRegularizer(0.4), OrthogonalRegularizer(0.4, mode="columns")]
CONSTRAINTS = [
    MaxNorm(1.0),
    MaxNorm(0.5, axis=[0, 1]),
    NonNeg(),
    UnitNorm(),
    UnitNorm(axis=1),
    MinMaxNorm(0.5, 1.0, rate=0.3),
    MinMaxNorm(2.0, 3.0, axis=1),
]


@pytest.mark.parametrize("regularizer", REGULARIZERS, ids=lambda r: str(r.get_config()))
def test_gradients(regularizer: Regularizer, rng: np.random.Generator) -> None:
    value, direction, h = rng.normal(size=(4, 5)), rng.normal(size=(4, 5)), 1e-6
    slope = (regularizer(value + h * direction) - regularizer(value - h * direction)) / (2 * h)
    gradient = regularizer.gradient(value)
    assert not np.shares_memory(gradient, value)
    np.testing.assert_allclose((gradient * direction).sum(), slope, rtol=1e-7)


def test_worked_penalties() -> None:
    value = np.array([[3.0, -4.0], [0.0, 1.0]])
    assert L1(0.5)(value) == 4.0
    assert L2(0.5)(value) == 13.0
    assert L1L2(0.5, 0.5)(value) == 17.0
    # rows (0.6, -0.8) and (0, 1) of length 1: their product is -0.8, and there is one pair
    assert OrthogonalRegularizer(0.5)(value) == pytest.approx(0.4)
    assert L1(2.0).gradient(np.array([0.0, -3.0])).tolist() == [0.0, -2.0]
    assert OrthogonalRegularizer(1.0)(np.ones((1, 3))) == 0.0  # one row alone has no pair
    np.testing.assert_array_equal(OrthogonalRegularizer(1.0).gradient(np.zeros((2, 2))), np.zeros((2, 2)))


def test_worked_constraints() -> None:
    value = np.array([[3.0, 0.3], [-4.0, 0.4]])
    np.testing.assert_allclose(MaxNorm(1.0)(value), [[0.6, 0.3], [-0.8, 0.4]], rtol=1e-6)
    np.testing.assert_allclose(UnitNorm()(value), [[0.6, 0.6], [-0.8, 0.8]], rtol=1e-6)
    np.testing.assert_allclose(MinMaxNorm(1.0, 2.0)(value), [[1.2, 0.6], [-1.6, 0.8]], rtol=1e-6)
    np.testing.assert_allclose(MinMaxNorm(1.0, 2.0, rate=0.5)(value), [[2.1, 0.45], [-2.8, 0.6]], rtol=1e-6)
    assert NonNeg()(value).tolist() == [[3.0, 0.3], [0.0, 0.4]]
    assert UnitNorm()(np.zeros((2, 1))).tolist() == [[0.0], [0.0]]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("thing", [*REGULARIZERS, *CONSTRAINTS], ids=lambda t: f"{type(t).__name__} {t.get_config()}")
def test_dtypes_inputs_and_configurations(thing: Any, dtype: str, rng: np.random.Generator) -> None:
    value = rng.normal(size=(4, 5)).astype(dtype)
    before = value.copy()
    results = [thing(value)] if isinstance(thing, Constraint) else [thing(value), thing.gradient(value)]
    assert [r.dtype for r in results] == [dtype] * len(results)
    np.testing.assert_array_equal(value, before)
    again = deserialize(type(thing).registry_kind, serialize(thing))
    assert type(again) is type(thing)
    np.testing.assert_array_equal(again(value), results[0])
    device = ls_core.to_device(value.copy(), "standin")
    with host_syncs() as waits:
        there = [thing(device)] if isinstance(thing, Constraint) else [thing(device), thing.gradient(device)]
    assert not waits
    for a, b in zip(there, results, strict=True):
        np.testing.assert_array_equal(ls_core.to_host(a), b)


def test_names() -> None:
    for name, cls in {"l1": L1, "L2": L2, "l1_l2": L1L2, "orthogonal_regularizer": OrthogonalRegularizer}.items():
        assert type(deserialize("regularizer", name)) is cls
    for name, other in {"max_norm": MaxNorm, "NonNeg": NonNeg, "unit_norm": UnitNorm, "min_max_norm": MinMaxNorm}.items():
        assert type(deserialize("constraint", name)) is other
    assert deserialize("regularizer", "l2").l2 == 0.01


def test_wrong_arguments() -> None:
    for make in (lambda: L1(-1.0), lambda: L2(float("nan")), lambda: L1L2(l2="a"), lambda: OrthogonalRegularizer(mode="diagonal")):  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=r"L1: l1|L2: l2|L1L2: l2|OrthogonalRegularizer: mode"):
            make()
    with pytest.raises(ValueError, match="is a matrix"):
        OrthogonalRegularizer()(np.ones(3))
