"""The dropouts and noises: argument itself at inference, seeds, shapes, moments; penalties on activities in models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import ls_core
from ls_core import Input, Model, Sequential
from ls_core.errors import ShapeError
from ls_core.layer import collect_losses
from ls_core.random import get_random_state, set_random_state
from ls_layers import (
    Activation,
    ActivityRegularization,
    Add,
    AlphaDropout,
    Dense,
    Dropout,
    GaussianDropout,
    GaussianNoise,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)

RANDOM = [Dropout, AlphaDropout, GaussianDropout, GaussianNoise, SpatialDropout1D, SpatialDropout2D, SpatialDropout3D]


def _input_for(cls: type, rng: np.random.Generator) -> np.ndarray:
    rank = {SpatialDropout1D: 3, SpatialDropout2D: 4, SpatialDropout3D: 5}.get(cls, 2)
    return rng.normal(size=(*(6, 7, 2, 3)[: rank - 1], 5))


@pytest.mark.parametrize("cls", RANDOM)
def test_argument_itself_outside_training(cls: Any, rng: np.random.Generator) -> None:
    x = _input_for(cls, rng)
    for layer, training in ((cls(0.4), False), (cls(0.0), True)):
        y, cache = layer.forward(x, training=training)
        assert y is x
        dy = rng.normal(size=x.shape)
        assert layer.backward(dy, cache) is dy


@pytest.mark.parametrize("cls", RANDOM)
def test_seed(cls: Any, rng: np.random.Generator) -> None:
    x = _input_for(cls, rng)

    def twice(layer: Any) -> list[np.ndarray]:
        return [layer.forward(x, training=True)[0] for _ in range(2)]

    a, b = twice(cls(0.4, seed=3)), twice(cls(0.4, seed=3))
    assert (a[0] == b[0]).all()
    assert (a[1] == b[1]).all()
    assert (a[0] != a[1]).any()
    assert (twice(cls(0.4, seed=4))[0] != a[0]).any()
    ls_core.set_seed(99)
    assert (twice(cls(0.4, seed=3, name="other"))[0] == a[0]).all()
    unseeded = twice(cls(0.4))
    ls_core.set_seed(99)
    assert (twice(cls(0.4))[1] == unseeded[1]).all()
    ls_core.set_seed(98)
    assert (twice(cls(0.4))[0] != unseeded[0]).any()


def test_seeded_layer_resumes_with_the_random_state() -> None:
    layer, x = Dropout(0.5, seed=3), np.ones(50)
    layer.forward(x, training=True)
    state = get_random_state()
    wanted = layer.forward(x, training=True)[0]
    set_random_state(state)
    assert (layer.forward(x, training=True)[0] == wanted).all()


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_drops_at_its_rate(rate: float) -> None:
    y, _ = Dropout(rate, seed=1).forward(np.ones(200_000), training=True)
    assert set(np.unique(y).tolist()) == {0.0, 1 / (1 - rate)}
    assert abs((y == 0).mean() - rate) < 0.005


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("cls", RANDOM)
def test_dtype_stays(cls: Any, dtype: str, rng: np.random.Generator) -> None:
    x = _input_for(cls, rng).astype(dtype)
    layer = cls(0.4)
    y, cache = layer.forward(x, training=True)
    assert y.dtype == layer.backward(x, cache).dtype == dtype


def test_masks_that_share_their_fate(rng: np.random.Generator) -> None:
    x = np.ones((3, 4, 50))
    y, _ = Dropout(0.5, noise_shape=[None, 1, None]).forward(x, training=True)
    assert (y == y[:, :1]).all()
    assert (y != y[:1]).any()
    y, _ = SpatialDropout1D(0.5).forward(x, training=True)
    assert (y == y[:, :1]).all()
    x = np.ones((2, 40, 3, 3))
    y, _ = SpatialDropout2D(0.5, data_format="channels_first").forward(x, training=True)
    assert (y == y[:, :, :1, :1]).all()
    assert 0 < (y[0, :, 0, 0] == 0).sum() < 40


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Dropout(1.5), ValueError, r"Dropout: rate is a number from 0 to 1, not 1\.5"),
        (lambda: SpatialDropout2D(-0.1), ValueError, r"SpatialDropout2D: rate is a number from 0 to 1"),
        (lambda: SpatialDropout2D(0.1, "rows_first"), ValueError, r"SpatialDropout2D: data_format is 'channels_last' or"),
        (lambda: GaussianDropout(1.0), ValueError, r"GaussianDropout: rate is a number from 0 to below 1"),
        (lambda: AlphaDropout(1.0), ValueError, r"AlphaDropout: rate is a number from 0 to below 1"),
        (lambda: GaussianNoise(2.0), ValueError, r"GaussianNoise: stddev is a number from 0 to 1"),
        (lambda: Dropout(0.5, noise_shape="abc"), ValueError, r"Dropout: noise_shape is a tuple of positive integers and None"),
        (lambda: Dropout(0.5, noise_shape=(0, 1)), ValueError, r"Dropout: noise_shape is a tuple"),
        (lambda: AlphaDropout(0.5, noise_shape=(2.0, 1)), ValueError, r"AlphaDropout: noise_shape is a tuple"),
    ],
)
def test_wrong_arguments(make: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (Dropout(0.5, noise_shape=(None, 1, 1)), r"Dropout 'dropout': noise_shape \(None, 1, 1\) has 3 axes, the input 2"),
        (Dropout(0.5, noise_shape=(None, 3)), r"axis 1 of noise_shape is 3, the input's is 4; it must be 1, 4 or None"),
        (SpatialDropout1D(0.5), r"SpatialDropout1D 'spatial_dropout1d': the input has 2 axes, shape \(2, 4\); it wants 3"),
    ],
)
def test_wrong_inputs(layer: Any, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        layer.forward(np.ones((2, 4)), training=True)


# --- penalties on activities ---------------------------------------------------------------------


def test_penalties_in_a_sequential_and_a_graph(rng: np.random.Generator) -> None:
    x = rng.normal(size=(4, 3))
    inner = Sequential([Dense(5, activity_regularizer="l2", dtype="float64"), ActivityRegularization(l1=0.1)])
    model = Sequential([inner, Dense(2, dtype="float64")])
    _, cache = model.forward(x)
    hidden = inner(x)
    assert np.isclose(collect_losses(cache), (0.01 * (hidden**2).sum() + 0.1 * np.abs(hidden).sum()) / 4, rtol=1e-14)

    entry = Input((3,))
    shared = ActivityRegularization(l2=0.5)
    graph = Model(entry, Add()([shared(entry), shared(Activation("tanh")(entry))]))
    y, cache = graph.forward(x)
    assert np.isclose(collect_losses(cache), 0.5 * ((x**2).sum() + (np.tanh(x) ** 2).sum()) / 4, rtol=1e-14)
    dx = graph.backward(np.zeros_like(y), cache)
    assert np.allclose(dx, (x + np.tanh(x) * (1 - np.tanh(x) ** 2)) / 4, rtol=1e-14)


def test_no_penalties() -> None:
    _, cache = Sequential([Dense(2), Dense(2)]).forward(np.ones((1, 2)))
    assert collect_losses(cache) == 0
    assert not Dense(2).adds_loss
    assert Dense(2, activity_regularizer="l1").adds_loss


def test_penalty_of_an_empty_batch_is_zero() -> None:
    _, cache = ActivityRegularization(l2=1.0).forward(np.ones((0, 3)))
    assert collect_losses(cache) == 0


def test_penalty_is_on_the_probabilities() -> None:
    """A closing softmax is joined with the loss on logits, except where its output is penalised."""
    assert Dense(2, activation="softmax").without_closing_activation() is not None
    assert Dense(2, activation="softmax", activity_regularizer="l2").without_closing_activation() is None


def test_forward_that_calls_super_is_penalised_once() -> None:
    class Twice(ActivityRegularization):
        def forward(self, x: Any, training: bool = False) -> Any:
            return super().forward(x, training=training)

        def backward(self, dy: Any, saved: Any) -> Any:
            return super().backward(dy, saved)

    layer = Twice(l2=1.0)
    _, cache = layer.forward(np.ones((1, 3)))
    assert collect_losses(cache) == 3
    assert layer.backward(np.zeros((1, 3)), cache).tolist() == [[2, 2, 2]]


def test_fit_adds_penalties(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(8, 3)), rng.normal(size=(8, 2))
    losses = []
    for factor in (0.0, 0.5):
        ls_core.set_seed(0)
        model = Sequential([Dense(2, name="head"), ActivityRegularization(l2=factor)])
        model.compile(optimizer="sgd", loss="mse")
        losses.append(model.evaluate(x, y, batch_size=8, verbose=0))
        out = model.predict(x, verbose=0)
    assert np.isclose(losses[1] - losses[0], 0.5 * (out**2).sum() / 8, rtol=1e-5)
