"""ReversibleEmbedding against Keras 3."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

import ls_layers

from .keras_judge import compare_layer

pytestmark = pytest.mark.judges


@pytest.mark.parametrize("options", [{}, {"logit_soft_cap": 2.0}, {"tie_weights": False}])
def test_reverse(options: dict[str, Any], rng: np.random.Generator) -> None:
    arguments = {"input_dim": 7, "output_dim": 3, **options}
    compare_layer(
        ls_layers.ReversibleEmbedding, keras.layers.ReversibleEmbedding, arguments, (rng.normal(size=(2, 4, 3)),), {"reverse": True}
    )


def test_forwards(rng: np.random.Generator) -> None:
    arguments = {"input_dim": 7, "output_dim": 3}
    compare_layer(ls_layers.ReversibleEmbedding, keras.layers.ReversibleEmbedding, arguments, (rng.integers(0, 7, (2, 4)),))
