"""Every activation function, and the layers made of them, against Keras 3: values and gradients, large numbers and kinks included."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import torch

import ls_layers
from ls_core.registry import deserialize, known_names

from .keras_judge import BAR, compare_layer

pytestmark = pytest.mark.judges

LARGE = np.array([1e1, 15.0, 19.0, 25.0, 39.5, 1e2, 1e3, 1e5, 1e8])
GRID = np.concatenate([np.linspace(-8, 8, 321) + 1e-3, np.linspace(-1.01, 1.01, 57), LARGE, -LARGE, 1e-6 * LARGE, -1e-6 * LARGE])
KINKS = np.array([-6.0, -3, -1, -0.5, 0, 0.5, 1, 3, 6])
SIXTH = float(np.float32(1 / 6)) * 6  # PyTorch's hard_sigmoid backward multiplies by a float32 sixth
ALONG_AN_AXIS = ("glu", "log_softmax", "softmax")

OTHERS = ("gelu_tanh", "threshold", "sparsemax", "exponential", *ALONG_AN_AXIS)
POINTWISE = [name for name in known_names("activation") if name not in OTHERS]


def check(ours: Any, theirs: Any, x: np.ndarray, parameters: dict[str, Any] | None = None, their_parameters: Any = None) -> None:
    """Element by element: a large one must not hide the small ones."""
    parameters = parameters or {}
    tensor = torch.tensor(x, requires_grad=True)
    expected = theirs(tensor, **(parameters if their_parameters is None else their_parameters))
    dy = np.random.default_rng(5).normal(size=tuple(expected.shape))
    expected.backward(torch.tensor(dy))
    y, saved = ours.forward(x, **parameters)
    backward_parameters = {k: v for k, v in parameters.items() if k in ("alpha", "negative_slope", "axis")}
    dx = ours.backward(dy, saved, **backward_parameters)
    if ours.name == "hard_sigmoid":
        dx = dx * SIXTH
    for what, a, b in (("value", y, expected.detach().numpy()), ("gradient", dx, tensor.grad.numpy())):
        assert a.shape == b.shape
        error = np.abs(a - b) / np.maximum(1.0, np.abs(b))
        worst = int(error.argmax())
        assert error.max() < BAR, f"{what} at x = {x.ravel()[min(worst, x.size - 1)]}: {a.ravel()[worst]} against {b.ravel()[worst]}"


def test_every_function_of_keras_is_here() -> None:
    functions = {name for name in dir(keras.activations) if name.islower() and not name.startswith("_")}
    for name in functions - {"deserialize", "get", "serialize"}:
        assert deserialize("activation", name) is not None


@pytest.mark.parametrize("name", [*POINTWISE, "hard_swish", "swish"])
def test_pointwise(name: str) -> None:
    grid = GRID if name != "squareplus" else GRID[np.abs(GRID) < 1e6]  # beyond, Keras' own digits cancel
    check(deserialize("activation", name), getattr(keras.activations, name), grid)


@pytest.mark.parametrize("name", POINTWISE)
def test_at_kinks(name: str) -> None:
    check(deserialize("activation", name), getattr(keras.activations, name), KINKS)


def test_exponential() -> None:
    check(deserialize("activation", "exponential"), keras.activations.exponential, GRID[GRID < 40])


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("celu", {"alpha": 0.5}),  # a power of 2: PyTorch's backward rounds 1 / alpha to float32
        ("celu", {"alpha": 2.0}),
        ("elu", {"alpha": 0.0}),
        ("elu", {"alpha": 0.3}),
        ("elu", {"alpha": 2.0}),
        ("hard_shrink", {"threshold": 0.0}),
        ("hard_shrink", {"threshold": 1.5}),
        ("leaky_relu", {"negative_slope": 0.0}),
        ("leaky_relu", {"negative_slope": 0.7}),
        ("leaky_relu", {"negative_slope": 1.0}),
        ("leaky_relu", {"negative_slope": 3.0}),
        ("soft_shrink", {"threshold": 0.0}),
        ("soft_shrink", {"threshold": 1.5}),
        ("squareplus", {"b": 0.5}),
        ("squareplus", {"b": 100.0}),
        ("threshold", {"threshold": 0.25, "default_value": -2.0}),
        ("threshold", {"threshold": -1.0, "default_value": 0.0}),
    ],
)
def test_parameters(name: str, parameters: dict[str, Any]) -> None:
    grid = np.concatenate([GRID[np.abs(GRID) < 1e6], KINKS])
    check(deserialize("activation", name), getattr(keras.activations, name), grid, parameters)


def test_gelu_tanh() -> None:
    check(deserialize("activation", "gelu_tanh"), keras.activations.gelu, GRID, {}, {"approximate": True})


@pytest.mark.parametrize("name", ALONG_AN_AXIS)
@pytest.mark.parametrize("axis", [-1, 0, 1])
@pytest.mark.parametrize("scale", [1.0, 1e3, 1e8])
def test_along_an_axis(name: str, axis: int, scale: float, rng: np.random.Generator) -> None:
    x = rng.normal(size=(4, 6, 8)) * scale
    if name == "glu":
        x = np.asfortranarray(x)
    y, saved = (ours := deserialize("activation", name)).forward(x, axis=axis)
    if name == "glu":
        halves = {"axis": axis}
        tensor = torch.tensor(x, requires_grad=True)
        expected = keras.activations.glu(tensor, **halves)
        dy = rng.normal(size=y.shape)
        expected.backward(torch.tensor(dy))
        assert np.abs(y - expected.detach().numpy()).max() < BAR * max(1.0, scale)
        assert np.abs(ours.backward(dy, saved, axis=axis) - tensor.grad.numpy()).max() < BAR * max(1.0, scale)
    else:
        check(ours, getattr(keras.activations, name), x, {"axis": axis})


@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_sparsemax_with_one_winner(axis: int, rng: np.random.Generator) -> None:
    # Where two or more elements win, Keras 3.15 sums partial sums and its result does not add up to 1.
    x = np.moveaxis(rng.permuted(np.arange(24.0).reshape(4, 6) * 1.5, axis=1), 1, axis)
    check(deserialize("activation", "sparsemax"), keras.activations.sparsemax, x, {"axis": axis})


def test_keras_sparsemax_is_still_wrong() -> None:
    """When this fails, Keras has mended it: then compare all of sparsemax above."""
    assert abs(float(keras.activations.sparsemax(np.array([[1.0, 0.8]])).sum()) - 1) > 0.5


@pytest.mark.parametrize("name", sorted(set(known_names("activation")) - {"gelu_tanh", "threshold", "sparsemax", "hard_sigmoid"}))
def test_as_layers(name: str, rng: np.random.Generator) -> None:
    compare_layer(ls_layers.Activation, keras.layers.Activation, {"activation": name}, (rng.normal(size=(3, 4, 6)),))
    if name != "glu":
        compare_layer(ls_layers.Dense, keras.layers.Dense, {"units": 4, "activation": name}, (rng.normal(size=(3, 6)),))


def test_what_integers_become() -> None:
    x, compared = np.array([[-9, -2, 0, 1, 3, 7]]), 0
    for name in known_names("activation"):
        try:
            expected = getattr(keras.activations, name)(x)
        except (AttributeError, TypeError, NotImplementedError):  # PyTorch refuses integers for many
            continue
        y = deserialize("activation", name)(x)
        expected = np.asarray(expected)
        assert (y.dtype.kind, name) == (expected.dtype.kind, name)
        np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-7)
        compared += 1
    assert compared >= 10
