"""Convolutions against Keras 3."""

from __future__ import annotations

import itertools
import math
from typing import Any

import keras
import numpy as np
import pytest

import ls_core
import ls_layers

from .keras_judge import compare_layer

pytestmark = pytest.mark.judges


def grid(**choices: list[Any]) -> list[dict[str, Any]]:
    """Every combination of the choices."""
    return [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]


def not_both(row: dict[str, Any]) -> bool:
    """Keras refuses strides and dilation above 1 at once (but for depthwise and separable layers)."""
    return not (np.max(row["strides"]) > 1 and np.max(row["dilation_rate"]) > 1)


def label(row: Any) -> str:
    return " ".join(str(value) for value in row.values())


def fits(row: dict[str, Any]) -> bool:
    lengths = row["lengths"]
    sizes, rates = (np.broadcast_to(row[name], len(lengths)) for name in ("kernel_size", "dilation_rate"))
    return row["padding"] != "valid" or all((k - 1) * d < n for n, k, d in zip(lengths, sizes, rates, strict=True))


def compare(name: str, row: dict[str, Any], rng: np.random.Generator, channels: int = 4) -> None:
    arguments = {k: v for k, v in row.items() if k != "lengths"}
    shape = (2, *row["lengths"], channels)
    if arguments.get("data_format") == "channels_first":
        shape = (2, channels, *row["lengths"])
    x = rng.normal(size=shape)
    layer = getattr(ls_layers, name)
    if "Transpose" not in name and not fits(row):
        with pytest.raises(ls_core.ShapeError, match="does not fit into it"):
            layer(**arguments).forward(x)
        return
    theirs = getattr(keras.layers, name)
    assert layer(**arguments).output_shape(shape) == tuple(theirs(**arguments).compute_output_shape(shape))
    compare_layer(layer, theirs, arguments, (x,))


CONV1D = grid(
    lengths=[(7,), (8,)],
    filters=[2, 6],
    kernel_size=[1, 2, 3, 5],
    strides=[1, 2, 3],
    padding=["valid", "same", "causal"],
    dilation_rate=[1, 2],
    groups=[1, 2],
)


@pytest.mark.parametrize("row", list(filter(not_both, CONV1D)), ids=label)
def test_conv1d(row: dict[str, Any], rng: np.random.Generator) -> None:
    compare("Conv1D", row, rng)


CONV2D = grid(
    lengths=[(5, 6), (7, 4)],
    filters=[2, 6],
    kernel_size=[1, (2, 3), (3, 2), 3],
    strides=[1, 2, (1, 3)],
    padding=["valid", "same"],
    dilation_rate=[1, (1, 2), 2],
    groups=[1, 2],
)


@pytest.mark.parametrize("row", list(filter(not_both, CONV2D)), ids=label)
def test_conv2d(row: dict[str, Any], rng: np.random.Generator) -> None:
    compare("Conv2D", row, rng)


CONV3D = grid(
    lengths=[(4, 5, 3)],
    filters=[2, 6],
    kernel_size=[1, 2, (1, 3, 2)],
    strides=[1, 2, (2, 1, 3)],
    padding=["valid", "same"],
    dilation_rate=[1, (1, 2, 1)],
    groups=[1, 2],
)


@pytest.mark.parametrize("row", list(filter(not_both, CONV3D)), ids=label)
def test_conv3d(row: dict[str, Any], rng: np.random.Generator) -> None:
    compare("Conv3D", row, rng)


def output_padding_fits(row: dict[str, Any]) -> bool:
    return row["output_padding"] is None or np.max(row["output_padding"]) < np.min(row["strides"])


TRANSPOSE1D = grid(
    lengths=[(1,), (4,), (5,)],
    filters=[2, 6],
    kernel_size=[1, 2, 3, 4, 5],
    strides=[1, 2, 3],
    padding=["valid", "same"],
    output_padding=[None, 0, 1, 2],
    dilation_rate=[1, 2],
)


@pytest.mark.parametrize("row", [r for r in TRANSPOSE1D if not_both(r) and output_padding_fits(r)], ids=label)
def test_conv1d_transpose(row: dict[str, Any], rng: np.random.Generator) -> None:
    compare("Conv1DTranspose", row, rng)


TRANSPOSE2D = grid(
    lengths=[(3, 4)],
    filters=[2, 6],
    kernel_size=[1, 3, (2, 3), (4, 1)],
    strides=[1, 2, (3, 2)],
    padding=["valid", "same"],
    output_padding=[None, 0, 1, (0, 1)],
    dilation_rate=[1, 2, (1, 3)],
)


@pytest.mark.parametrize("row", [r for r in TRANSPOSE2D if not_both(r) and output_padding_fits(r)], ids=label)
def test_conv2d_transpose(row: dict[str, Any], rng: np.random.Generator) -> None:
    compare("Conv2DTranspose", row, rng)


TRANSPOSE3D = grid(
    lengths=[(2, 3, 2)],
    filters=[2, 3],
    kernel_size=[1, 2, (2, 1, 3)],
    strides=[1, 2, (1, 3, 2)],
    padding=["valid", "same"],
    output_padding=[None, 0, 1],
    dilation_rate=[1, (1, 2, 1)],
)


@pytest.mark.parametrize("row", [r for r in TRANSPOSE3D if not_both(r) and output_padding_fits(r)], ids=label)
def test_conv3d_transpose(row: dict[str, Any], rng: np.random.Generator) -> None:
    compare("Conv3DTranspose", row, rng)


DEPTHWISE1D = grid(
    lengths=[(7,), (8,)],
    kernel_size=[1, 2, 3, 5],
    strides=[1, 2, 3],
    padding=["valid", "same"],
    depth_multiplier=[1, 3],
    dilation_rate=[1, 2],
)


@pytest.mark.parametrize("row", DEPTHWISE1D, ids=label)
def test_depthwise_conv1d(row: dict[str, Any], rng: np.random.Generator) -> None:
    compare("DepthwiseConv1D", row, rng)


@pytest.mark.parametrize("row", DEPTHWISE1D, ids=label)
@pytest.mark.parametrize("filters", [2, 6])
def test_separable_conv1d(filters: int, row: dict[str, Any], rng: np.random.Generator) -> None:
    compare("SeparableConv1D", {"filters": filters, **row}, rng)


DEPTHWISE2D = grid(
    lengths=[(5, 6)],
    kernel_size=[1, 3, (2, 3)],
    strides=[1, 2],
    padding=["valid", "same"],
    depth_multiplier=[1, 3],
    dilation_rate=[1, (1, 2)],
)


@pytest.mark.parametrize("row", DEPTHWISE2D, ids=label)
def test_depthwise_conv2d(row: dict[str, Any], rng: np.random.Generator) -> None:
    compare("DepthwiseConv2D", row, rng)


@pytest.mark.parametrize("row", DEPTHWISE2D, ids=label)
@pytest.mark.parametrize("filters", [2, 6])
def test_separable_conv2d(filters: int, row: dict[str, Any], rng: np.random.Generator) -> None:
    compare("SeparableConv2D", {"filters": filters, **row}, rng)


LAYERS = [
    ("Conv1D", 1),
    ("Conv2D", 2),
    ("Conv3D", 3),
    ("Conv1DTranspose", 1),
    ("Conv2DTranspose", 2),
    ("Conv3DTranspose", 3),
    ("DepthwiseConv1D", 1),
    ("DepthwiseConv2D", 2),
    ("SeparableConv1D", 1),
    ("SeparableConv2D", 2),
]


@pytest.mark.parametrize(("name", "rank"), LAYERS)
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("activation", [None, "relu", "tanh", "softmax"])
@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_formats_activations_and_bias(
    name: str, rank: int, data_format: str, activation: str | None, use_bias: bool, padding: str, rng: np.random.Generator
) -> None:
    row = {"lengths": (5, 4, 6)[:rank], "kernel_size": 3, "padding": padding, "data_format": data_format, "dilation_rate": 1}
    row |= {"activation": activation, "use_bias": use_bias}
    if not name.startswith("Depthwise"):
        row["filters"] = 3
    compare(name, row, rng, channels=5)


@pytest.mark.parametrize("seed", range(150))
def test_random_configurations(seed: int) -> None:
    """What a grid would be too large for: every option at once, drawn at random."""
    rng = np.random.default_rng(seed)
    name, rank = LAYERS[seed % len(LAYERS)]

    def each(low: int, high: int) -> tuple[int, ...]:
        return tuple(int(v) for v in rng.integers(low, high, rank))

    groups = int(rng.integers(1, 4))
    row: dict[str, Any] = {"lengths": each(1, 8), "kernel_size": each(1, 5), "strides": each(1, 4), "dilation_rate": (1,) * rank}
    if rng.random() < 0.4:
        row |= {"strides": (1,) * rank, "dilation_rate": each(1, 4)}
    row["padding"] = str(rng.choice(["valid", "same", "causal"] if name == "Conv1D" else ["valid", "same"]))
    row["data_format"] = str(rng.choice(["channels_last", "channels_first"]))
    row["use_bias"] = bool(rng.random() < 0.7)
    if not name.startswith("Depthwise"):
        row["filters"] = groups * int(rng.integers(1, 4))
    if name in ("Conv1D", "Conv2D", "Conv3D"):
        row["groups"] = groups
    compare(name, row, rng, channels=math.lcm(groups, 2) * int(rng.integers(1, 3)))
