"""Layers on shapes and numbers that Hypothesis finds."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ls_layers
from ls_core.gradcheck import check_activation, check_function, check_layer
from ls_core.testing import strategies as ls
from ls_core.testing.tolerances import assert_close

few = settings(max_examples=25, deadline=None, database=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


# --- the strategies themselves ---------------------------------------------------------------------


@few
@given(ls.broadcastable(count=3))
def test_broadcastable(found: tuple[tuple[int, ...], ...]) -> None:
    np.broadcast_shapes(*found)


@few
@given(ls.products())
def test_products(found: Any) -> None:
    a, b = found
    assert (np.zeros(a) @ np.zeros(b)).shape == (*a[:-1], b[-1])


@few
@given(ls.arrays(ls.shapes(), away=0.5), ls.arrays((4, 5), distinct=True))
def test_arrays_keep_their_distance(x: np.ndarray, y: np.ndarray) -> None:
    assert np.abs(x).min() >= 0.5
    assert np.diff(np.sort(y.ravel())).min() > 0.01


@few
@given(ls.masks((3, 4)))
def test_masks(mask: np.ndarray) -> None:
    assert mask.any(axis=-1).all()


# --- layers ----------------------------------------------------------------------------------------


@few
@given(
    ls.shapes(max_rank=3).flatmap(lambda s: ls.arrays((*s, 3))), st.integers(1, 4), st.sampled_from(["linear", "tanh", "gelu", "softmax"])
)
def test_dense(x: np.ndarray, units: int, activation: str) -> None:
    dead = ["bias", "kernel"] if activation == "softmax" and units == 1 else []
    report = check_layer(ls_layers.Dense(units, activation=activation), x, dead=dead)
    assert report.error() < 1e-7


@few
@given(ls.convolutions(rank=1), st.integers(0, 99))
def test_conv1d(c: ls.Convolution, seed: int) -> None:
    layer = ls_layers.Conv1D(**c.arguments)
    x = np.random.default_rng(seed).normal(size=c.shape)
    assert layer(x).shape == (c.batch, *c.outputs, c.filters)
    check_layer(layer, x, seed=seed)


@few
@given(ls.convolutions(rank=2, high=4), st.integers(0, 99))
def test_conv2d(c: ls.Convolution, seed: int) -> None:
    layer = ls_layers.Conv2D(**c.arguments)
    x = np.random.default_rng(seed).normal(size=c.shape)
    assert layer(x).shape == (c.batch, *c.outputs, c.filters)
    check_layer(layer, x, seed=seed)


@few
@given(st.data())
def test_lstm_with_masks(data: st.DataObject) -> None:
    sizes = data.draw(ls.sequences(high=3))
    x = data.draw(ls.arrays(sizes.shape))
    mask = data.draw(ls.masks((sizes.batch, sizes.time)))
    layer = ls_layers.LSTM(2, return_sequences=data.draw(st.booleans()), go_backwards=data.draw(st.booleans()))
    dead = ["lstm_cell/recurrent_kernel"] if mask.sum(axis=1).max() < 2 else []  # one step never meets a state
    check_layer(layer, x, mask=mask, dead=dead)


@few
@given(ls.broadcastable(), st.integers(0, 99))
def test_multiplication_of_broadcast_arrays(found: Any, seed: int) -> None:
    g = np.random.default_rng(seed)
    x, y = (g.normal(size=shape) for shape in found)

    def reduced(grad: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        grad = grad.sum(axis=tuple(range(grad.ndim - len(shape))))
        return grad.sum(axis=tuple(i for i, size in enumerate(shape) if size == 1), keepdims=True)

    def backward(dy: np.ndarray, saved: Any) -> Any:
        a, b = saved
        return reduced(dy * b, a.shape), reduced(dy * a, b.shape)

    check_function(lambda a, b: (a * b, (a, b)), backward, x, y, seed=seed)


@few
@given(ls.products(), st.integers(0, 99))
def test_products_have_their_gradients(found: Any, seed: int) -> None:
    g = np.random.default_rng(seed)
    a, b = (g.normal(size=shape) for shape in found)
    check_function(
        lambda a, b: (a @ b, (a, b)), lambda dy, saved: (dy @ saved[1].swapaxes(-1, -2), saved[0].swapaxes(-1, -2) @ dy), a, b, seed=seed
    )


@few
@given(ls.arrays(ls.shapes(max_rank=2, low=2), away=0.2), st.sampled_from(["relu", "elu", "softsign", "hard_tanh", "silu"]))
def test_activations_away_from_kinks(x: np.ndarray, name: str) -> None:
    check_activation(name, x)


@few
@given(ls.sequences().flatmap(lambda s: ls.arrays(s.shape, distinct=True)), st.integers(1, 3))
def test_max_pooling_without_ties(x: np.ndarray, size: int) -> None:
    report = check_layer(ls_layers.MaxPooling1D(size, padding="same"), x)
    assert all(row.resampled == 0 for row in report.rows)


@few
@given(ls.arrays(ls.shapes(max_rank=3).map(lambda s: (*s, 4)), dtype="float32"))
def test_layer_normalization_ignores_shift_and_scale(x: np.ndarray) -> None:
    layer = ls_layers.LayerNormalization(epsilon=1e-12)
    y = layer(x.astype("float64"))
    assert_close(layer(3 * x.astype("float64") + 2), y, "float32")
