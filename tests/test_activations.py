"""The activation functions: exact values, no overflow, dtypes, gradients by central differences and the complex step."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from ls_core.errors import ShapeError
from ls_core.gradcheck import check_activation, check_function
from ls_core.layer import Layer
from ls_core.registry import deserialize, known_names
from ls_layers import ELU, Activation, LeakyReLU, PReLU, ReLU, Softmax
from ls_layers.activations import celu, elu, glu, leaky_relu, softmax, sparsemax, squareplus, threshold
from ls_layers.activations.gelu import gelu, gelu_tanh, upper_tail

NAMES = sorted(known_names("activation"))
ANALYTIC = [name for name in NAMES if name not in ("squareplus", "hard_shrink", "threshold")]


@pytest.mark.parametrize("name", NAMES)
def test_gradient(name: str, rng: np.random.Generator) -> None:
    check_activation(name, 2 * rng.normal(size=(3, 8)))


@pytest.mark.parametrize("name", ANALYTIC)
def test_complex_step(name: str, rng: np.random.Generator) -> None:
    check_activation(name, 2 * rng.normal(size=(3, 8)), mode="complex")


@pytest.mark.parametrize("alpha", [0.3, 0.7, 2.5])
def test_gradient_of_parameters(alpha: float, rng: np.random.Generator) -> None:
    x = rng.normal(size=(3, 8))
    for function in (celu, elu):
        check_function(lambda x, f=function: f.forward(x, alpha), lambda dy, y, f=function: f.backward(dy, y, alpha), x)
    check_function(lambda x: leaky_relu.forward(x, alpha), lambda dy, y: leaky_relu.backward(dy, y, alpha), x)
    check_function(lambda x: squareplus.forward(x, alpha), squareplus.backward, x)


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "sparsemax", "glu"])
def test_gradient_along_an_axis(name: str, axis: int, rng: np.random.Generator) -> None:
    found = deserialize("activation", name)
    x = rng.normal(size=(4, 2, 6))
    check_function(lambda x: found.forward(x, axis), lambda dy, saved: found.backward(dy, saved, axis), x)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_dtype_stays_and_nothing_overflows(name: str, dtype: str) -> None:
    function = deserialize("activation", name)
    highest = 6e4 if dtype == "float16" else 1e30
    if name == "exponential":
        highest = 10.0
    elif name in ("softmax", "log_softmax", "sparsemax"):
        highest /= 2  # the difference between two elements must be a number
    x = np.array([[-highest, -300.0, -1.5, -0.0, 0.0, 0.25, min(highest, 20.0), highest]], dtype=dtype)
    with np.errstate(all="raise", under="ignore"):
        y, saved = function.forward(x)
        dx = function.backward(np.full_like(y, 0.5), saved)
    assert y.dtype == dx.dtype == dtype
    assert np.isfinite(y).all()
    assert np.isfinite(dx).all()


@pytest.mark.parametrize("name", NAMES)
def test_empty_and_unchanged(name: str, rng: np.random.Generator) -> None:
    function = deserialize("activation", name)
    assert function(np.zeros((0, 4))).shape == (0, 2 if name == "glu" else 4)
    x = rng.normal(size=(3, 4))
    kept = x.copy()
    y, saved = function.forward(x)
    result = y.copy()
    dy = rng.normal(size=y.shape)
    kept_dy = dy.copy()
    function.backward(dy, saved)
    assert (x == kept).all()
    assert (y == result).all()
    assert (dy == kept_dy).all()


def _upper_tail_by_erfc(a: float) -> float:
    z = a / math.sqrt(2)
    lost = Fraction(a) ** 2 / 2 - Fraction(z) ** 2  # what rounding z took from its square
    return math.erfc(z) / 2 * math.exp(-lost)


def test_gelu_keeps_its_digits_in_the_tail() -> None:
    x = np.linspace(0, 37, 3001)
    exact = np.array([_upper_tail_by_erfc(v) for v in x.tolist()])
    error = np.abs(upper_tail(x)[0] / exact - 1)
    assert (error <= (8 + x * x) * 2.0**-53).all()  # the last bit of a^2 / 2 is worth that much in its exponential
    assert np.abs(gelu(-x) + x * exact).max() < 1e-16


def test_gelu_in_float32() -> None:
    x = np.linspace(-12, 12, 10001, dtype=np.float32)
    exact = np.array([v * math.erfc(-v / math.sqrt(2)) / 2 for v in x.tolist()])
    assert np.abs(gelu(x) - exact).max() < 1e-6
    assert np.abs(gelu_tanh(x) - exact).max() < 1e-3


def test_sparsemax_is_a_projection(rng: np.random.Generator) -> None:
    x = rng.normal(size=(50, 7))
    y = sparsemax(x)
    assert np.allclose(y.sum(axis=-1), 1, atol=1e-15)
    for row, found in zip(x, y, strict=True):  # tau by bisection
        low, high = row.max() - 1, row.max()
        for _ in range(80):
            tau = (low + high) / 2
            low, high = (tau, high) if np.maximum(row - tau, 0).sum() > 1 else (low, tau)
        assert np.abs(found - np.maximum(row - tau, 0)).max() < 1e-15


def test_softmax_along_several_axes(rng: np.random.Generator) -> None:
    x = rng.normal(size=(2, 3, 4))
    flat = softmax(x.reshape(2, 12))
    assert np.allclose(softmax(x, axis=(1, 2)).reshape(2, 12), flat, atol=1e-16)


def test_glu_wants_an_even_axis() -> None:
    with pytest.raises(ShapeError, match=r"glu: axis -1 of the input is 5; it must be even"):
        glu(np.zeros((2, 5)))


def test_threshold() -> None:
    assert threshold(np.array([-1.0, 0.5, 2.0]), threshold=0.5, default_value=9.0).tolist() == [9.0, 9.0, 2.0]


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "bool"])
@pytest.mark.parametrize("name", NAMES)
def test_integers_become_floats_of_floatx(name: str, dtype: str) -> None:
    function = deserialize("activation", name)
    x = np.array([[0, 1, 3, 7]]).astype(dtype)
    y = function(x)
    assert y.dtype == (dtype if function.keeps_integers else "float32")
    np.testing.assert_allclose(y, function(x.astype("float32")), rtol=1e-6)
    layer = Activation(name)
    z, cache = layer.forward(x)
    assert z.dtype == y.dtype
    assert layer.backward(np.ones_like(z), cache) is None


@pytest.mark.parametrize("layer", [ReLU(max_value=2.0, negative_slope=0.1), LeakyReLU(), ELU(), PReLU(), Softmax()], ids=repr)
def test_layers_make_floats_of_integers(layer: Layer) -> None:
    x = np.array([[-2, 1, 3]])
    y = layer(x)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, layer(x.astype("float32")))
