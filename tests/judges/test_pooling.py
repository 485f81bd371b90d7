"""Pooling and Flatten against Keras 3, and against PyTorch where Keras on PyTorch does not do what its other backends do."""

from __future__ import annotations

import itertools
from typing import Any

import keras
import numpy as np
import pytest
import torch

import ls_core
import ls_layers

from .keras_judge import BAR, compare_layer, relative_error

pytestmark = pytest.mark.judges

WINDOWS = list(itertools.product([1, 2, 3], [None, 1, 2, 4], ["valid", "same"]))
LENGTHS = {1: [(5,), (6,), (7,)], 2: [(5, 6), (3, 7)], 3: [(3, 4, 5)]}
RANKED = [(rank, lengths) for rank, choices in LENGTHS.items() for lengths in choices]


def shape_of(lengths: tuple[int, ...], data_format: str) -> tuple[int, ...]:
    return (2, *lengths, 3) if data_format == "channels_last" else (2, 3, *lengths)


@pytest.mark.parametrize(("rank", "lengths"), RANKED)
@pytest.mark.parametrize(("pool_size", "strides", "padding"), WINDOWS)
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_max_pooling(
    rank: int, lengths: tuple[int, ...], pool_size: int, strides: int | None, padding: str, data_format: str, rng: np.random.Generator
) -> None:
    arguments = {"pool_size": pool_size, "strides": strides, "padding": padding, "data_format": data_format}
    name = f"MaxPooling{rank}D"
    compare_layer(getattr(ls_layers, name), getattr(keras.layers, name), arguments, (rng.normal(size=shape_of(lengths, data_format)),))


def uneven(lengths: tuple[int, ...], pool_size: int, strides: int) -> bool:
    return any(max(0, (-(-n // strides) - 1) * strides + pool_size - n) % 2 for n in lengths)


@pytest.mark.parametrize(("rank", "lengths"), RANKED)
@pytest.mark.parametrize(("pool_size", "strides", "padding"), WINDOWS)
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_average_pooling(
    rank: int, lengths: tuple[int, ...], pool_size: int, strides: int | None, padding: str, data_format: str, rng: np.random.Generator
) -> None:
    arguments = {"pool_size": pool_size, "strides": strides, "padding": padding, "data_format": data_format}
    name = f"AveragePooling{rank}D"
    x = rng.normal(size=shape_of(lengths, data_format))
    if padding == "same" and uneven(lengths, pool_size, strides or pool_size):
        # There Keras on PyTorch repeats the edge and counts it; Keras on TensorFlow and JAX counts what is in the input alone.
        against_counted_sums(getattr(ls_layers, name)(**arguments), rank, x)
    else:
        compare_layer(getattr(ls_layers, name), getattr(keras.layers, name), arguments, (x,))


def against_counted_sums(layer: Any, rank: int, x: np.ndarray) -> None:
    """The sum over each window of the zero-padded input by the number of its real positions, with PyTorch's autograd."""
    first = layer.channels_first
    given = torch.tensor(x, requires_grad=True)
    t = given if first else given.movedim(-1, 1)
    pads: list[int] = []
    for n, k, s in zip(t.shape[2:], layer.pool_size, layer.strides, strict=True):
        total = max(0, (-(-n // s) - 1) * s + k - n)
        pads = [total // 2, total - total // 2, *pads]  # PyTorch names the last axis first

    def sums(values: torch.Tensor) -> torch.Tensor:
        spatial = (1,) * (3 - rank)  # as a volume: its pooling takes a divisor
        padded = torch.nn.functional.pad(values, pads)
        volume = padded.reshape(*padded.shape[:2], *spatial, *padded.shape[2:])
        pooled = torch.nn.functional.avg_pool3d(volume, (*spatial, *layer.pool_size), (*spatial, *layer.strides), divisor_override=1)
        return pooled.reshape(*pooled.shape[:2], *pooled.shape[5 - rank :])

    wanted = sums(t) / sums(torch.ones_like(t))
    wanted = wanted if first else wanted.movedim(1, -1)
    y, cache = layer.forward(x)
    assert relative_error(y, wanted.detach().numpy()) < BAR
    dy = np.random.default_rng(2).normal(size=y.shape)
    (wanted * torch.tensor(dy)).sum().backward()
    assert given.grad is not None
    assert relative_error(layer.backward(dy, cache), given.grad.numpy()) < BAR


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("kind", ["Max", "Average"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("keepdims", [False, True])
def test_global_pooling(rank: int, kind: str, data_format: str, keepdims: bool, rng: np.random.Generator) -> None:
    arguments: dict[str, Any] = {"data_format": data_format, "keepdims": keepdims}
    name = f"Global{kind}Pooling{rank}D"
    x = rng.normal(size=(3, 4, 5, 2, 6)[: rank + 2])
    compare_layer(getattr(ls_layers, name), getattr(keras.layers, name), arguments, (x,))


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_masked_average(data_format: str, keepdims: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random((3, 4 if data_format == "channels_last" else 5)) < 0.6
    mask[:, 0] = True
    arguments: dict[str, Any] = {"data_format": data_format, "keepdims": keepdims}
    layers = (ls_layers.GlobalAveragePooling1D, keras.layers.GlobalAveragePooling1D)
    compare_layer(*layers, arguments, (rng.normal(size=(3, 4, 5)),), {"mask": mask})


@pytest.mark.parametrize("kind", ["Max", "Average"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize(
    ("lengths", "output_size"),
    [((7,), 3), ((3,), 5), ((1,), 4), ((6,), 6), ((5, 7), (2, 3)), ((4, 6), 2), ((2, 3), (3, 1)), ((4, 3, 5), (2, 3, 2)), ((2, 2, 3), 3)],
)
def test_adaptive_pooling(kind: str, data_format: str, lengths: tuple[int, ...], output_size: Any, rng: np.random.Generator) -> None:
    name = f"Adaptive{kind}Pooling{len(lengths)}D"
    arguments = {"output_size": output_size, "data_format": data_format}
    layer = getattr(ls_layers, name)(**arguments)
    x = rng.normal(size=shape_of(lengths, data_format))
    assert layer.output_shape(x.shape) == layer(x).shape
    compare_layer(getattr(ls_layers, name), getattr(keras.layers, name), arguments, (x,))


@pytest.mark.parametrize("kind", ["MaxPooling2D", "AveragePooling2D"])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_uneven_windows(kind: str, padding: str, rng: np.random.Generator) -> None:
    arguments = {"pool_size": (3, 1), "strides": (2, 3), "padding": padding}
    compare_layer(getattr(ls_layers, kind), getattr(keras.layers, kind), arguments, (rng.normal(size=(2, 7, 5, 3)),))


@pytest.mark.parametrize("kind", ["MaxPooling1D", "GlobalMaxPooling1D"])
def test_ties_go_to_the_first_as_in_pytorch(kind: str) -> None:
    ls_core.set_floatx("float64")
    x = np.round(np.random.default_rng(0).normal(size=(4, 12, 3)))  # many equal elements
    layer = getattr(ls_layers, kind)()
    y, cache = layer.forward(x)
    dy = np.random.default_rng(1).normal(size=y.shape)
    given = torch.tensor(x, requires_grad=True)
    width = 2 if kind == "MaxPooling1D" else 12
    wanted = torch.nn.functional.max_pool1d(given.movedim(-1, 1), width).movedim(1, -1).reshape(y.shape)
    (wanted * torch.tensor(dy)).sum().backward()
    assert given.grad is not None
    np.testing.assert_array_equal(layer.backward(dy, cache), given.grad.numpy())


@pytest.mark.parametrize("shape", [(3,), (3, 2), (3, 2, 4), (2, 3, 4, 5)])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_flatten(shape: tuple[int, ...], data_format: str, rng: np.random.Generator) -> None:
    compare_layer(ls_layers.Flatten, keras.layers.Flatten, {"data_format": data_format}, (rng.normal(size=shape),))
