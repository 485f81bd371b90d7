"""Dense against Keras 3."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import ls_layers

from .keras_judge import compare_layer

pytestmark = pytest.mark.judges


@pytest.mark.parametrize("activation", [None, "relu", "tanh", "sigmoid", "softmax", "glu"])
@pytest.mark.parametrize("use_bias", [True, False])
def test_dense(activation: str | None, use_bias: bool, rng: np.random.Generator) -> None:
    arguments = {"units": 4, "activation": activation, "use_bias": use_bias}
    compare_layer(ls_layers.Dense, keras.layers.Dense, arguments, (rng.normal(size=(3, 2, 5)),))
