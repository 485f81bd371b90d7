"""Initialisers against Keras 3: those without chance exactly, the others by their bounds and moments."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from ls_core import initializers
from ls_core.registry import deserialize

from . import keras_judge

pytestmark = pytest.mark.judges


@pytest.mark.parametrize(
    ("name", "arguments", "shape"),
    [
        ("Zeros", {}, (3, 4)),
        ("Ones", {}, (3,)),
        ("Constant", {"value": 2.5}, (2, 2)),
        ("Identity", {"gain": 3.0}, (3, 5)),
        *(
            ("STFT", {"side": side, "window": window, "scaling": scaling, "periodic": periodic}, (12, 1, 9))
            for side in ("real", "imag")
            for window in ("hann", "hamming", "blackman", None)
            for scaling in ("density", "spectrum", None)
            for periodic in (False, True)
        ),
    ],
)
def test_the_same_numbers(name: str, arguments: dict[str, Any], shape: tuple[int, ...]) -> None:
    theirs = getattr(keras.initializers, name)(**arguments)
    ours = getattr(initializers, name)(**arguments)
    if name != "Identity":  # whose gain Keras 3.15 leaves out of its configuration
        assert deserialize("initializer", keras.initializers.serialize(theirs)).get_config() == ours.get_config()
    wanted = keras.ops.convert_to_numpy(theirs(shape, dtype="float64"))
    assert keras_judge.relative_error(ours(shape, dtype="float64"), wanted) < keras_judge.BAR


@pytest.mark.parametrize("shape", [(50, 80), (3, 3, 20, 40), (60,)])
@pytest.mark.parametrize(
    "name",
    [
        "GlorotNormal",
        "GlorotUniform",
        "HeNormal",
        "HeUniform",
        "LecunNormal",
        "LecunUniform",
        "RandomNormal",
        "RandomUniform",
        "TruncatedNormal",
    ],
)
def test_the_same_distribution(name: str, shape: tuple[int, ...]) -> None:
    theirs = getattr(keras.initializers, name)(seed=1)
    ours = getattr(initializers, name)(seed=1)
    assert set(ours.get_config()) <= set(theirs.get_config()) | {"seed"}
    a = np.concatenate(
        [ours(shape, dtype="float64").ravel()] + [getattr(initializers, name)(seed=s)(shape, dtype="float64").ravel() for s in range(40)]
    )
    b = np.concatenate([keras.ops.convert_to_numpy(getattr(keras.initializers, name)(seed=s)(shape)).ravel() for s in range(41)])
    assert np.std(a) == pytest.approx(np.std(b), rel=0.06)
    assert np.quantile(a, [0.05, 0.5, 0.95]) == pytest.approx(np.quantile(b, [0.05, 0.5, 0.95]), abs=0.12 * np.std(b))
