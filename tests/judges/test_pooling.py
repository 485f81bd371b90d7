"""Pooling and Flatten against Keras 3."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

import ls_layers

from .keras_judge import compare_layer

pytestmark = pytest.mark.judges


@pytest.mark.parametrize("length", [5, 6, 7])
@pytest.mark.parametrize("pool_size", [1, 2, 3])
@pytest.mark.parametrize("strides", [None, 1, 2, 4])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_max_pooling1d(length: int, pool_size: int, strides: int | None, padding: str, data_format: str, rng: np.random.Generator) -> None:
    shape = (2, length, 3) if data_format == "channels_last" else (2, 3, length)
    arguments = {"pool_size": pool_size, "strides": strides, "padding": padding, "data_format": data_format}
    compare_layer(ls_layers.MaxPooling1D, keras.layers.MaxPooling1D, arguments, (rng.normal(size=shape),))


@pytest.mark.parametrize("name", ["GlobalMaxPooling1D", "GlobalAveragePooling1D"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("keepdims", [False, True])
def test_global_pooling1d(name: str, data_format: str, keepdims: bool, rng: np.random.Generator) -> None:
    arguments: dict[str, Any] = {"data_format": data_format, "keepdims": keepdims}
    compare_layer(getattr(ls_layers, name), getattr(keras.layers, name), arguments, (rng.normal(size=(3, 4, 5)),))


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("keepdims", [False, True])
def test_masked_average(data_format: str, keepdims: bool, rng: np.random.Generator) -> None:
    x = rng.normal(size=(3, 4, 5))
    mask = rng.random((3, 4 if data_format == "channels_last" else 5)) < 0.6
    mask[:, 0] = True
    arguments: dict[str, Any] = {"data_format": data_format, "keepdims": keepdims}
    compare_layer(ls_layers.GlobalAveragePooling1D, keras.layers.GlobalAveragePooling1D, arguments, (x,), {"mask": mask})


@pytest.mark.parametrize("shape", [(3,), (3, 2), (3, 2, 4), (2, 3, 4, 5)])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_flatten(shape: tuple[int, ...], data_format: str, rng: np.random.Generator) -> None:
    compare_layer(ls_layers.Flatten, keras.layers.Flatten, {"data_format": data_format}, (rng.normal(size=shape),))
