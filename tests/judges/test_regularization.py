"""The dropouts and noises against Keras 3: the same inputs at inference, the same formula on the same random numbers, the same penalty."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import torch
from keras.src import backend
from keras.src.layers.regularization import alpha_dropout

import ls_core
import ls_layers
from ls_core.layer import collect_losses

from .keras_judge import BAR, compare_layer, relative_error

pytestmark = pytest.mark.judges

LAYERS = [
    ("Dropout", {"rate": 0.3}),
    ("Dropout", {"rate": 0.3, "noise_shape": [None, 1, None, None]}),
    ("Dropout", {"rate": 0.3, "seed": 5}),
    ("Dropout", {"rate": 0.0}),
    ("Dropout", {"rate": 1.0}),
    ("SpatialDropout2D", {"rate": 0.3}),
    ("SpatialDropout2D", {"rate": 0.3, "data_format": "channels_first"}),
    ("GaussianDropout", {"rate": 0.3}),
    ("GaussianDropout", {"rate": 0.7, "seed": 5}),
    ("GaussianNoise", {"stddev": 0.3}),
    ("GaussianNoise", {"stddev": 1.0}),
    ("AlphaDropout", {"rate": 0.3}),
    ("AlphaDropout", {"rate": 0.8}),
    ("AlphaDropout", {"rate": 0.3, "noise_shape": [None, 1, None, None]}),
]


@pytest.mark.parametrize(("name", "arguments"), LAYERS)
def test_inference(name: str, arguments: dict[str, Any], rng: np.random.Generator) -> None:
    compare_layer(getattr(ls_layers, name), getattr(keras.layers, name), arguments, (rng.normal(size=(3, 4, 5, 2)),))


@pytest.mark.parametrize(("name", "shape"), [("SpatialDropout1D", (3, 4, 5)), ("SpatialDropout3D", (2, 3, 4, 2, 2))])
def test_inference_of_other_ranks(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> None:
    compare_layer(getattr(ls_layers, name), getattr(keras.layers, name), {"rate": 0.3}, (rng.normal(size=shape),))


@pytest.mark.parametrize(("name", "arguments"), [(n, a) for n, a in LAYERS if a.get("rate") not in (0.0, 1.0)])
def test_training_on_the_same_numbers(
    name: str, arguments: dict[str, Any], rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keras gets the numbers that LS draws, in place of its own."""
    x = rng.normal(size=(3, 4, 5, 2))
    theirs = getattr(keras.layers, name)(**arguments)
    ours = getattr(ls_layers, name)(**theirs.get_config())
    y, cache = ours.forward(x, training=True)
    ls_core.set_seed(0)
    stream = getattr(ls_layers, name)(**theirs.get_config())

    def uniform(shape: Any, **_: Any) -> Any:
        stream.ensure_built(None)
        return torch.tensor(stream.stream("mask").uniform(tuple(shape), np.float32).astype(np.float64))

    def normal(shape: Any, mean: float, stddev: float, **_: Any) -> Any:
        stream.ensure_built(None)
        return torch.tensor(mean + stddev * stream.stream("noise").normal(tuple(shape), np.float64))

    def dropout(inputs: Any, rate: float, noise_shape: Any = None, seed: Any = None) -> Any:
        sizes = [s or n for s, n in zip(noise_shape or inputs.shape, inputs.shape, strict=True)]
        return inputs * (uniform(sizes) >= rate) / (1 - rate)

    monkeypatch.setattr(backend.random, "normal", normal)
    monkeypatch.setattr(backend.random, "dropout", dropout)
    monkeypatch.setattr(alpha_dropout.ops.random, "uniform", uniform)
    given = torch.tensor(x, requires_grad=True)
    expected = theirs(given, training=True)
    assert relative_error(y, expected.detach().numpy()) < BAR
    dy = rng.normal(size=x.shape)
    expected.backward(torch.tensor(dy))
    assert relative_error(ours.backward(dy, cache), given.grad.numpy()) < BAR


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("name", ["Dropout", "AlphaDropout", "GaussianDropout"])
def test_moments(name: str, rate: float) -> None:
    x = np.random.default_rng(0).normal(loc=0.5, size=400_000)
    ours = getattr(ls_layers, name)(rate, seed=1).forward(x, training=True)[0]
    theirs = getattr(keras.layers, name)(rate, seed=1)(x, training=True).numpy()
    assert abs(ours.mean() - theirs.mean()) < 0.02 * (1 + theirs.std())
    assert abs(ours.std() / theirs.std() - 1) < 0.02


@pytest.mark.parametrize("l1", [0.0, 0.3])
@pytest.mark.parametrize("l2", [0.0, 0.2])
@pytest.mark.parametrize("shape", [(4, 3), (1, 2, 5)])
def test_activity_regularization(l1: float, l2: float, shape: tuple[int, ...], rng: np.random.Generator) -> None:
    x = rng.normal(size=shape)
    theirs = keras.layers.ActivityRegularization(l1=l1, l2=l2)
    ours = ls_layers.ActivityRegularization(**theirs.get_config())
    _compare_penalty(ours, theirs, x, rng)


@pytest.mark.parametrize("regularizer", ["l1", "l2", keras.regularizers.L1L2(0.3, 0.1)])
@pytest.mark.parametrize("activation", [None, "tanh", "softmax"])
def test_activity_regularizer_argument(regularizer: Any, activation: str | None, rng: np.random.Generator) -> None:
    theirs = keras.layers.Dense(4, activation=activation, activity_regularizer=regularizer)
    theirs.build((None, 3))
    ours = ls_layers.Dense(**theirs.get_config())
    ours.ensure_built((None, 3))
    ours.as_type("float64").set_weights(theirs.get_weights())
    _compare_penalty(ours, theirs, rng.normal(size=(5, 3)), rng)


def _compare_penalty(ours: Any, theirs: Any, x: np.ndarray, rng: np.random.Generator) -> None:
    given = torch.tensor(x, requires_grad=True)
    expected = theirs(given)
    y, cache = ours.forward(x)
    loss = collect_losses(cache)
    total = sum(theirs.losses)
    assert relative_error(loss, float(total)) < BAR
    dy = rng.normal(size=y.shape)
    ((expected * torch.tensor(dy)).sum() + total).backward()
    assert relative_error(ours.backward(dy, cache), given.grad.numpy()) < BAR
    for p, w in zip(ours.parameters(), theirs.trainable_weights, strict=True):
        assert relative_error(p.grad, w.value.grad.numpy()) < BAR
