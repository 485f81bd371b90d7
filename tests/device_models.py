"""Two small models in which most families of kernels have a part, and one training step of either without reading a number back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import ls_core
import ls_layers
import ls_optim
from ls_core.backend import to_device


def text_model() -> tuple[Any, np.ndarray, np.ndarray]:
    """A model in which most families have a part, with ids and classes to learn."""
    g = np.random.default_rng(0)
    model = ls_core.Sequential(
        [
            ls_layers.Embedding(20, 6),
            ls_layers.Conv1D(8, 3, padding="same", activation="gelu"),
            ls_layers.BatchNormalization(),
            ls_layers.MaxPooling1D(2),
            ls_layers.LSTM(7, return_sequences=True),
            ls_layers.LayerNormalization(),
            ls_layers.GRU(5),
            ls_layers.Dense(4, activation="silu"),
            ls_layers.Dense(3, activation="softmax"),
        ]
    )
    return model, g.integers(0, 20, (6, 8)), g.integers(0, 3, 6)


def image_model() -> tuple[Any, np.ndarray, np.ndarray]:
    g = np.random.default_rng(0)
    model = ls_core.Sequential(
        [
            ls_layers.Conv2D(4, 3, padding="same", activation="relu"),
            ls_layers.BatchNormalization(),
            ls_layers.MaxPooling2D(2),
            ls_layers.DepthwiseConv2D(3, activation="tanh"),
            ls_layers.AveragePooling2D(2),
            ls_layers.Flatten(),
            ls_layers.RMSNormalization(),
            ls_layers.Dense(3, activation="softmax"),
        ]
    )
    return model, g.normal(size=(6, 9, 9, 2)).astype("float32"), g.integers(0, 3, 6)


def training_step(make: Callable[[], tuple[Any, np.ndarray, np.ndarray]], optimizer: str) -> Callable[[], None]:
    """One step on data that lies on the current backend: forward, loss on logits, backward, update."""
    model, x, y = make()
    model.pop()
    model.add(ls_layers.Dense(3))
    loss, update = ls_core.losses.SparseCategoricalCrossentropy(from_logits=True), getattr(ls_optim, optimizer)()
    x, y = to_device(x), to_device(y)

    def step() -> None:
        z, cache = model.forward(x, training=True)
        _, dz = loss.value_and_grad(y, z)
        model.backward(dz, cache, input_gradient=False)
        update.apply(model.parameters())

    return step
