"""The normalisations against Keras 3 and PyTorch."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import torch
from keras.src.ops import nn as keras_nn

import ls_core
import ls_layers

from .keras_judge import BAR, compare_layer, relative_error

pytestmark = pytest.mark.judges

# (input shape, axis, mask's shape or None)
BATCHES: list[tuple[tuple[int, ...], int, bool]] = [
    ((6, 4), -1, False),
    ((6, 4), 1, False),
    ((5, 3, 4), -1, False),
    ((5, 3, 4), -1, True),
    ((5, 3, 4), 1, False),
    ((5, 3, 4), 1, True),
    ((5, 3, 4), -2, True),
    ((3, 4, 2, 5), 3, False),
    ((3, 4, 2, 5), 1, False),
    ((3, 4, 2, 5), 2, True),
    ((3, 4, 2, 5), -1, True),
]


def _mask(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    mask = rng.random(shape[:-1]) < 0.6
    mask[:2] = True  # so that every channel has something to average
    return mask


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("shape", "axis", "masked"), BATCHES)
@pytest.mark.parametrize(
    "options",
    [{}, {"center": False}, {"scale": False}, {"center": False, "scale": False, "epsilon": 0.1}, {"momentum": 0.5, "epsilon": 1e-5}],
)
def test_batch_normalization(
    shape: tuple[int, ...], axis: int, masked: bool, options: dict[str, Any], training: bool, rng: np.random.Generator
) -> None:
    call = {"mask": _mask(rng, shape)} if masked else {}
    x = rng.normal(1.0, 2.0, size=shape)
    compare_layer(ls_layers.BatchNormalization, keras.layers.BatchNormalization, {"axis": axis, **options}, (x,), call, training)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("clipping", [None, {"rmax": 1.1, "rmin": 0.9, "dmax": 0.2}, {"rmax": 3.0}, {"dmax": 0.0}])
@pytest.mark.parametrize("options", [{}, {"center": False}, {"scale": False}, {"center": False, "scale": False}])
@pytest.mark.parametrize("masked", [False, True])
def test_batch_renormalization(
    clipping: dict[str, float] | None, options: dict[str, Any], masked: bool, training: bool, rng: np.random.Generator
) -> None:
    arguments = {"renorm": True, "renorm_clipping": clipping, "renorm_momentum": 0.8, **options}
    x = rng.normal(1.0, 2.0, size=(4, 3, 2))
    call = {"mask": _mask(rng, x.shape)} if masked else {}
    compare_layer(ls_layers.BatchNormalization, keras.layers.BatchNormalization, arguments, (x,), call, training)


@pytest.mark.parametrize("options", [{}, {"momentum": 0.7}, {"renorm": True, "renorm_momentum": 0.6}, {"axis": 1, "trainable": False}])
@pytest.mark.parametrize("masked", [False, True])
def test_moving_statistics(options: dict[str, Any], masked: bool, rng: np.random.Generator) -> None:
    """After five batches the state is the same, and so is what inference makes of it."""
    theirs = keras.layers.BatchNormalization(**options)
    ours = ls_layers.BatchNormalization(**theirs.get_config())
    for _ in range(5):
        x = rng.normal(1.0, 2.0, size=(4, 3, 3))
        call = {"mask": _mask(rng, x.shape)} if masked else {}
        theirs(torch.tensor(x), training=True, **call)
        ours.forward(x, training=True, **call)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert relative_error(a, b) < BAR
    assert relative_error(ours(x), theirs(torch.tensor(x)).detach().numpy()) < BAR


@pytest.fixture
def general_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keras on PyTorch hands axes that are next to each other, but not the last, to a kernel for the last; its own formula is right."""
    monkeypatch.setattr(keras_nn, "is_continuous_axis", lambda axis: False)


LAYER_OPTIONS: list[dict[str, Any]] = [{}, {"center": False}, {"scale": False}, {"center": False, "scale": False}, {"epsilon": 0.5}]


@pytest.mark.parametrize("options", LAYER_OPTIONS)
@pytest.mark.parametrize(
    ("shape", "axis"), [((4, 5), -1), ((2, 3, 4), 2), ((2, 3, 4), [1, 2]), ((2, 3, 4), [-1, -2]), ((2, 3, 2, 4), (1, 2, 3))]
)
def test_layer_normalization(shape: tuple[int, ...], axis: Any, options: dict[str, Any], rng: np.random.Generator) -> None:
    x = rng.normal(1.0, 2.0, size=shape)
    compare_layer(ls_layers.LayerNormalization, keras.layers.LayerNormalization, {"axis": axis, **options}, (x,))


@pytest.mark.parametrize("options", LAYER_OPTIONS)
@pytest.mark.parametrize(
    ("shape", "axis"), [((2, 3, 4), 1), ((2, 3, 4), -2), ((2, 3, 2, 4), [1, 3]), ((2, 3, 2, 4), [1, -1]), ((2, 3, 2, 4), [1, 2])]
)
@pytest.mark.usefixtures("general_path")
def test_layer_normalization_of_other_axes(shape: tuple[int, ...], axis: Any, options: dict[str, Any], rng: np.random.Generator) -> None:
    x = rng.normal(1.0, 2.0, size=shape)
    compare_layer(ls_layers.LayerNormalization, keras.layers.LayerNormalization, {"axis": axis, **options}, (x,))


@pytest.mark.parametrize(("shape", "axis"), [((4, 5), -1), ((2, 3, 4), [1, 2]), ((2, 3, 4), 1)])
@pytest.mark.filterwarnings("ignore:You passed")
def test_layer_normalization_by_variance(shape: tuple[int, ...], axis: Any, rng: np.random.Generator) -> None:
    x = rng.normal(1.0, 2.0, size=shape)
    compare_layer(ls_layers.LayerNormalization, keras.layers.LayerNormalization, {"axis": axis, "rms_scaling": True}, (x,))


@pytest.mark.parametrize("epsilon", [1e-6, 0.3])
@pytest.mark.parametrize(
    ("shape", "axis"), [((4, 5), -1), ((2, 3, 4), -1), ((2, 3, 4), [1, 2]), ((2, 3, 4), [-1, -2]), ((2, 3, 2, 4), [1, 2, 3])]
)
def test_rms_normalization(shape: tuple[int, ...], axis: Any, epsilon: float, rng: np.random.Generator) -> None:
    x = rng.normal(1.0, 2.0, size=shape)
    compare_layer(ls_layers.RMSNormalization, keras.layers.RMSNormalization, {"axis": axis, "epsilon": epsilon}, (x,))


@pytest.mark.parametrize("epsilon", [1e-6, 0.3])
def test_rms_normalization_of_another_axis(epsilon: float, rng: np.random.Generator) -> None:
    """Against PyTorch on the transposed input: Keras 3.15 can't scale any axis but the last ones."""
    ls_core.set_floatx("float64")
    x, dy = rng.normal(size=(2, 2, 3, 4))
    layer = ls_layers.RMSNormalization(axis=1, epsilon=epsilon)
    layer.ensure_built(x.shape)
    layer.set_weights([rng.normal(size=3)])
    y, cache = layer.forward(x)
    dx = layer.backward(dy, cache)
    t, scale = torch.tensor(x, requires_grad=True), torch.tensor(layer.scale.value, requires_grad=True)
    expected = torch.nn.functional.rms_norm(t.transpose(1, 2), (3,), scale, epsilon).transpose(1, 2)
    (expected * torch.tensor(dy)).sum().backward()
    assert relative_error(y, expected.detach().numpy()) < BAR
    assert relative_error(dx, t.grad.numpy()) < BAR
    assert relative_error(layer.scale.grad, scale.grad.numpy()) < BAR


GROUPS: list[tuple[tuple[int, ...], int, int]] = [
    ((3, 6), 2, -1),
    ((3, 6), -1, 1),
    ((2, 3, 6), 3, -1),
    ((2, 3, 6), 1, 2),
    ((2, 6, 3), 2, 1),
    ((2, 6, 3), 3, -2),
    ((2, 3, 4, 6), -1, -1),
    ((2, 3, 4, 6), 6, 3),
    ((2, 6, 4, 3), 3, 1),
    ((2, 4, 6, 3), 2, 2),
    ((2, 4, 6, 3), 2, -2),
]


@pytest.mark.parametrize("options", LAYER_OPTIONS)
@pytest.mark.parametrize(("shape", "groups", "axis"), GROUPS)
def test_group_normalization(shape: tuple[int, ...], groups: int, axis: int, options: dict[str, Any], rng: np.random.Generator) -> None:
    x = rng.normal(1.0, 2.0, size=shape)
    compare_layer(ls_layers.GroupNormalization, keras.layers.GroupNormalization, {"groups": groups, "axis": axis, **options}, (x,))


@pytest.mark.parametrize(
    ("shape", "axis"), [((3, 4), -1), ((3, 4), 0), ((2, 3, 4), 1), ((2, 3, 4), [1, 2]), ((2, 3, 4), [-1, 0]), ((2, 3, 4, 2), [1, 3])]
)
def test_unit_normalization(shape: tuple[int, ...], axis: Any, rng: np.random.Generator) -> None:
    compare_layer(ls_layers.UnitNormalization, keras.layers.UnitNormalization, {"axis": axis}, (rng.normal(size=shape),))


WRAPPED: list[tuple[Any, tuple[int, ...]]] = [
    (lambda: keras.layers.Dense(4), (3, 5)),
    (lambda: keras.layers.Dense(3, use_bias=False, activation="tanh"), (2, 3, 5)),
    (lambda: keras.layers.Dense(3, kernel_initializer="zeros"), (2, 5)),
    (lambda: keras.layers.Conv1D(3, 2, padding="same"), (2, 5, 3)),
    (lambda: keras.layers.Conv2D(3, 2, strides=2), (2, 5, 6, 3)),
]


@pytest.mark.parametrize("iterations", [1, 3])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("make", "shape"), WRAPPED)
def test_spectral_normalization(make: Any, shape: tuple[int, ...], training: bool, iterations: int, rng: np.random.Generator) -> None:
    """Two forwards, so that the vector's state counts; then the gradients and what the forwards left behind."""
    ls_core.set_floatx("float64")
    theirs = keras.layers.SpectralNormalization(make(), power_iterations=iterations)
    theirs.build(shape)
    ours = ls_layers.SpectralNormalization(**theirs.get_config())
    ours.ensure_built(shape)
    ours.set_weights(theirs.get_weights())
    x, t = rng.normal(size=shape), None
    for _ in range(2):
        t = torch.tensor(x, requires_grad=True)
        expected = theirs(t, training=training)
        y, cache = ours.forward(x, training=training)
        assert relative_error(y, expected.detach().numpy()) < BAR
    dy = rng.normal(size=y.shape)
    (expected * torch.tensor(dy)).sum().backward()
    assert t is not None
    assert relative_error(ours.backward(dy, cache), t.grad.numpy()) < BAR
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert relative_error(a, b) < BAR
    trainable = [p for p in ours.parameters() if p.trainable]
    for p, w in zip(trainable, theirs.trainable_weights, strict=True):
        assert relative_error(p.grad, w.value.grad.numpy()) < BAR


def test_spectral_normalization_of_an_embedding(rng: np.random.Generator) -> None:
    """Keras casts the output to the ids' integers, so only the state can be compared."""
    ls_core.set_floatx("float64")
    ids = rng.integers(0, 5, size=(2, 4))
    theirs = keras.layers.SpectralNormalization(keras.layers.Embedding(5, 3))
    theirs.build(ids.shape)
    ours = ls_layers.SpectralNormalization(**theirs.get_config())
    ours.ensure_built(ids.shape)
    ours.set_weights(theirs.get_weights())
    theirs(torch.tensor(ids), training=True)
    y = ours.forward(ids, training=True)[0]
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert relative_error(a, b) < BAR
    assert relative_error(y, theirs.get_weights()[0][ids]) < BAR
