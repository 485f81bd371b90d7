"""Convolutions against Keras 3."""

from __future__ import annotations

import itertools
from typing import Any

import keras
import numpy as np
import pytest

import ls_core
import ls_layers

from .keras_judge import compare_layer

pytestmark = pytest.mark.judges


def grid(**choices: list[Any]) -> list[dict[str, Any]]:
    """Every combination of the choices that Keras accepts."""
    rows = [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]
    return [row for row in rows if not (np.max(row["strides"]) > 1 and np.max(row["dilation_rate"]) > 1)]


def label(row: Any) -> str:
    return " ".join(str(value) for value in row.values()) if isinstance(row, dict) else str(row)


CONV1D = grid(
    length=[7, 8],
    filters=[2, 6],
    kernel_size=[1, 2, 3, 5],
    strides=[1, 2, 3],
    padding=["valid", "same", "causal"],
    dilation_rate=[1, 2],
    groups=[1, 2],
)


@pytest.mark.parametrize("row", CONV1D, ids=label)
def test_conv1d(row: dict[str, Any], rng: np.random.Generator) -> None:
    length, arguments = row["length"], {k: v for k, v in row.items() if k != "length"}
    if arguments["padding"] == "valid" and (arguments["kernel_size"] - 1) * arguments["dilation_rate"] >= length:
        with pytest.raises(ls_core.ShapeError, match="time axis of the input is"):
            ls_layers.Conv1D(**arguments).forward(rng.normal(size=(2, length, 4)))
        return
    compare_layer(ls_layers.Conv1D, keras.layers.Conv1D, arguments, (rng.normal(size=(2, length, 4)),))
