"""Embedding: checks of ids, row gradients, masks, initial weights."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import ls_core
from ls_core import RowGradient, Sequential
from ls_core.testing.standin import host_syncs
from ls_layers import Dense, Embedding, GlobalAveragePooling1D


def _table(**options: Any) -> Embedding:
    return Embedding(4, 2, weights=np.arange(8.0).reshape(4, 2), **options)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([[1, 2], [3, 4]], r"id 4 at place \(1, 1\) is not in 0 ... 3 \(input_dim=4\)\. Make it with input_dim=5 or more"),
        ([[0, 9], [7, 1]], r"id 9 at place \(0, 1\).*input_dim=10 or more"),
        ([-1, 2], r"id -1 at place \(0,\).*Ids are not negative"),
        ([1.0, 2.5], r"id 2\.5 at place \(1,\).*whole numbers"),
        ([1.0, np.nan], r"id nan at place \(1,\).*whole numbers"),
        ([1.0, -1.0], r"id -1\.0 at place \(1,\).*not negative"),
        ([1.0, np.inf], r"id inf at place \(1,\)"),
    ],
)
def test_ids_that_do_not_fit(ids: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _table()(np.array(ids))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "int64", "uint32", "uint64", "float16", "float32", "float64", "bool"])
def test_ids_of_every_type(dtype: str) -> None:
    y = _table()(np.array([[1, 0], [0, 1]]).astype(dtype))
    assert y.tolist() == [[[2, 3], [0, 1]], [[0, 1], [2, 3]]]
    assert y.dtype == np.float32


def test_ids_of_no_type() -> None:
    with pytest.raises(TypeError, match=r"Embedding 'embedding': ids are integers from 0 to 3; these have dtype <U1"):
        _table()(np.array(["a"]))


def test_ids_are_checked_in_any_layout() -> None:
    ids = np.array([[0, 1, 2], [3, 0, -5]])[:, ::2]
    with pytest.raises(ValueError, match=r"id -5 at place \(1, 1\)"):
        _table()(ids)
    assert _table()(ids[:1]).shape == (1, 2, 2)


def test_device_is_not_waited_for() -> None:
    with ls_core.use_backend("standin"):
        layer = _table()
        ids = ls_core.to_device(np.array([[1, 3]]))
        with host_syncs() as waits:
            layer(ids)
    assert not waits


def test_type_of_the_table_does_not_follow_float_ids() -> None:
    layer = Embedding(4, 2)
    assert layer(np.array([1.0, 2.0])).dtype == "float32"
    assert Embedding(4, 2, dtype="float64")(np.array([1])).dtype == "float64"


def test_gradient_has_the_touched_rows_alone(rng: np.random.Generator) -> None:
    layer = Embedding(1000, 3, dtype="float64")
    ids = np.array([[7, 999, 7], [0, 7, 999]])
    y, cache = layer.forward(ids)
    dy = rng.normal(size=y.shape)
    assert layer.backward(dy, cache) is None
    grad = layer.embeddings.grad
    assert isinstance(grad, RowGradient)
    assert grad.rows.tolist() == [0, 7, 999]
    wanted = np.zeros((1000, 3))
    np.add.at(wanted, ids, dy)
    assert np.abs(grad.to_dense() - wanted).max() < 1e-15
    _, cache = layer.forward(np.array([7, 8]))
    layer.backward(np.ones((2, 3)), cache)
    wanted[[7, 8]] += 1
    assert np.abs(layer.embeddings.grad.to_dense() - wanted).max() < 1e-15


def test_mask() -> None:
    ids = np.array([[3, 0], [1, 2]])
    assert _table().compute_mask(ids) is None
    assert not _table().makes_mask
    layer = _table(mask_zero=True)
    assert layer.compute_mask(ids).tolist() == [[True, False], [True, True]]
    model = Sequential([layer, GlobalAveragePooling1D()])
    assert model(ids).tolist() == [[6, 7], [3, 4]]


def test_in_a_model(rng: np.random.Generator) -> None:
    model = Sequential([Embedding(5, 3), GlobalAveragePooling1D(), Dense(2)])
    y, cache = model.forward(rng.integers(0, 5, size=(4, 6)))
    assert model.backward(np.ones_like(y), cache) is None
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize("arguments", [(0, 2), (2, 0), (-1, 2), (2.0, 2), (True, 2)])
def test_wrong_sizes(arguments: tuple[Any, Any]) -> None:
    with pytest.raises(ValueError, match=r"Embedding: (input_dim|output_dim) is a positive integer"):
        Embedding(*arguments)


def test_weights_of_another_shape() -> None:
    with pytest.raises(ValueError, match=r"shape \(4, 2\), the new value \(3, 2\)"):
        Embedding(4, 2, weights=np.zeros((3, 2)))


def test_configuration_carries_no_weights() -> None:
    layer = Embedding(4, 2, weights=[np.zeros((4, 2))], input_length=3)
    config = json.loads(json.dumps(layer.get_config()))
    assert "weights" not in config
    assert Embedding.from_config(config).get_config() == config
