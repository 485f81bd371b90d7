"""The activation layers, Masking and Identity against Keras 3."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

import ls_layers

from .keras_judge import compare_layer

pytestmark = pytest.mark.judges

X = np.concatenate([np.linspace(-9, 9, 72) + 1e-3, [-1e3, -1e6, 1e3, 1e6, 6.5, -6.5, 3e-9, -3e-9]]).reshape(4, 5, 4)


def compare(name: str, arguments: dict[str, Any], x: np.ndarray = X, **how: Any) -> None:
    compare_layer(getattr(ls_layers, name), getattr(keras.layers, name), arguments, (x,), **how)


@pytest.mark.parametrize("max_value", [None, 0.0, 0.5, 2.0, 6.0])
@pytest.mark.parametrize("negative_slope", [0.0, 0.3, 1.5])
@pytest.mark.parametrize("threshold", [0.0, 0.7, 3.0])
def test_relu(max_value: float | None, negative_slope: float, threshold: float) -> None:
    compare("ReLU", {"max_value": max_value, "negative_slope": negative_slope, "threshold": threshold})


@pytest.mark.parametrize("negative_slope", [0.0, 0.3, 1.0, 2.0])
def test_leaky_relu(negative_slope: float) -> None:
    compare("LeakyReLU", {"negative_slope": negative_slope})


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0, 2.0])
def test_elu(alpha: float) -> None:
    compare("ELU", {"alpha": alpha})


@pytest.mark.parametrize("shared_axes", [None, 1, [2], [1, 2]])
@pytest.mark.parametrize("initializer", ["zeros", "ones", "random_normal"])
def test_prelu(shared_axes: Any, initializer: str) -> None:
    compare("PReLU", {"alpha_initializer": initializer, "shared_axes": shared_axes}, X / 100)


def test_prelu_at_zero() -> None:
    compare("PReLU", {"alpha_initializer": "ones"}, np.zeros((2, 3)))


@pytest.mark.parametrize("axis", [-1, 0, 1, [1], [1, 2], [0, 2]])
@pytest.mark.parametrize("mask", [None, "full", "last", "column", "numbers", "row_gone"])
def test_softmax(axis: Any, mask: str | None, rng: np.random.Generator) -> None:
    x = 3 * rng.normal(size=(3, 4, 5))
    masks = {
        "full": rng.random((3, 4, 5)) > 0.4,
        "last": np.array([True, False, True, True, False]),
        "column": rng.random((4, 1)) > 0.4,
        "numbers": rng.random((1, 4, 5)),
        "row_gone": np.arange(60).reshape(3, 4, 5) > 22,
    }
    compare("Softmax", {"axis": axis}, x, call={} if mask is None else {"mask": masks[mask]})


@pytest.mark.parametrize("mask_value", [0.0, -1.0, 0.1])
@pytest.mark.parametrize("shape", [(3, 4, 2), (3, 2), (2, 3, 2, 2)])
def test_masking(mask_value: float, shape: tuple[int, ...], rng: np.random.Generator) -> None:
    x = rng.normal(size=shape)
    x[rng.random(shape[:-1]) > 0.5] = mask_value
    x[..., 0][rng.random(shape[:-1]) > 0.7] = mask_value
    compare("Masking", {"mask_value": mask_value}, x)
    ours, theirs = ls_layers.Masking(mask_value), keras.layers.Masking(mask_value)
    assert (ours.compute_mask(x) == theirs.compute_mask(x).numpy()).all()


def test_identity() -> None:
    compare("Identity", {})
