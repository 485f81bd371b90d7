"""The ownership rules of layer.py, where layers meet: caches, gradients that add up, shared and frozen Parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import ls_core
from ls_core import CacheError, Input, Layer, Model, Parameter, RowGradient, Sequential, ShapeError
from ls_core.gradcheck import check_layer
from ls_layers import Activation, Add, Dense, Dropout, Embedding

X = np.random.default_rng(0).normal(size=(4, 3))


class Same(Layer):
    """The identity, as rule 2 allows it: the very same arrays."""

    def forward(self, x: Any, training: bool = False) -> Any:
        return x, None

    def backward(self, dy: Any, saved: Any) -> Any:
        return dy


# --- caches (rule 4) -----------------------------------------------------------------------------


def test_a_cache_is_consumed_once() -> None:
    layer = Dense(2)
    y, cache = layer.forward(X)
    layer.backward(np.ones_like(y), cache)
    with pytest.raises(CacheError, match="Dense 'dense': this cache was used by a backward already"):
        layer.backward(np.ones_like(y), cache)


@pytest.mark.parametrize("make", [lambda: Sequential([Dense(2), Dense(2)]), lambda: _two_branches()])
def test_a_containers_cache_is_consumed_once(make: Any) -> None:
    model = make()
    y, cache = model.forward(X)
    model.backward(np.ones_like(y), cache)
    with pytest.raises(CacheError):
        model.backward(np.ones_like(y), cache)


def test_a_cache_belongs_to_its_layer() -> None:
    first, second = Dense(2, name="first"), Dense(2, name="second")
    y, cache = first.forward(X)
    second(X)
    with pytest.raises(CacheError, match="Dense 'second' got a cache that Dense 'first' made"):
        second.backward(np.ones_like(y), cache)
    first.backward(np.ones_like(y), cache)  # it was not consumed by the mistake


def test_dy_has_the_outputs_shape() -> None:
    layer = Dense(2)
    _, cache = layer.forward(X)
    with pytest.raises(ShapeError, match=r"dy has shape \(4, 3\), forward's output had \(4, 2\)"):
        layer.backward(np.ones((4, 3)), cache)


def test_caches_in_any_order() -> None:
    layer = Dense(2, activation="tanh")
    y1, c1 = layer.forward(X)
    y2, c2 = layer.forward(2 * X)
    dx2, dx1 = layer.backward(np.ones_like(y2), c2), layer.backward(np.ones_like(y1), c1)
    total = layer.kernel.grad.copy()
    layer.kernel.drop_grad()
    for x, dx in ((X, dx1), (2 * X, dx2)):
        y, cache = layer.forward(x)
        np.testing.assert_array_equal(layer.backward(np.ones_like(y), cache), dx)
    np.testing.assert_allclose(layer.kernel.grad, total, rtol=1e-12)


# --- gradients (rules 2 and 3) -------------------------------------------------------------------


def _two_branches() -> Model:
    a = Input((3,))
    return Model(a, Add()([Dense(2)(a), Dense(2, activation="tanh")(a)]))


@pytest.mark.parametrize("copies", [2, 3, 5])
def test_identities_add_up(copies: int) -> None:
    """n identities of one value have the gradient n dy; adding in place to an array that is not ours gives 2^(n-1) dy."""
    a = Input((3,))
    model = Model(a, Add()([Same()(a) for _ in range(copies)]))
    y, cache = model.forward(X)
    dy = np.ones_like(y)
    np.testing.assert_array_equal(model.backward(dy, cache), copies * np.ones_like(X))
    np.testing.assert_array_equal(dy, 1)
    np.testing.assert_array_equal(y, copies * X)


def test_an_identity_gives_its_argument() -> None:
    layer = Dropout(0.5)
    assert layer(X) is X
    _, cache = layer.forward(X)
    dy = np.ones_like(X)
    assert layer.backward(dy, cache) is dy


def test_a_value_used_twice() -> None:
    model = _two_branches()
    report = check_layer(model, X)
    assert {row.target for row in report.rows} == {"input", "dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias"}


def test_a_shared_layer_is_one_set_of_parameters() -> None:
    a, b = Input((3,)), Input((3,))
    shared = Dense(2, activation="tanh")
    model = Model([a, b], Add()([shared(a), shared(b)]))
    assert len(model.parameters()) == 2
    check_layer(model, X, X[::-1].copy())
    y, cache = model.forward(X, X)
    model.backward(np.ones_like(y), cache)
    both = shared.kernel.grad.copy()
    shared.kernel.drop_grad()
    y, cache = shared.forward(X)
    shared.backward(np.ones_like(y), cache)
    np.testing.assert_allclose(both, 2 * shared.kernel.grad, rtol=1e-12)


def test_a_layer_that_was_built_by_hand_is_not_built_again() -> None:
    layer = Dense(2)
    layer.build((None, 3))
    layer.set_weights([np.ones((3, 2)), np.zeros(2)])
    layer(X)
    assert [p.name for p in layer.parameters()] == ["kernel", "bias"]
    model = Sequential([Dense(4), Activation("relu"), Dense(1)])
    model.build((None, 3))
    kernels = [p.value for p in model.parameters()]
    model(X.astype("float32"))
    assert model.built
    assert all(a is p.value for a, p in zip(kernels, model.parameters(), strict=True))


def test_a_new_parameter_takes_the_place_of_the_old_one() -> None:
    layer = Dense(2)
    layer(X)
    layer.kernel = Parameter(np.ones((3, 2)), name="kernel")
    assert [p.path for p in layer.parameters()] == ["dense/kernel", "dense/bias"]
    assert layer.parameters()[0] is layer.kernel


def test_tied_parameters_are_one() -> None:
    first = Dense(3, use_bias=False)
    second = Dense(3, use_bias=False)
    model = Sequential([first, second])
    model(X)
    second.kernel = first.kernel
    assert [p is first.kernel for p in model.parameters()] == [True]
    assert model.count_params() == 9
    assert first.kernel.path == "sequential/dense/kernel"
    report = check_layer(model, X)
    assert len({row.target for row in report.rows}) == 2


def test_accumulate_keeps_the_first_and_adds_the_rest() -> None:
    p = Parameter(np.zeros(2))
    first, second = np.array([1.0, 2.0]), np.array([10.0, 20.0])
    p.accumulate(first)
    assert p.grad is first
    p.accumulate(second)
    np.testing.assert_array_equal(p.grad, [11, 22])
    np.testing.assert_array_equal(second, [10, 20])
    p.drop_grad()
    assert p.grad is None


def test_row_and_dense_gradients_mix() -> None:
    rows = RowGradient(np.array([0, 2]), np.ones((2, 2)), (3, 2))
    dense = np.full((3, 2), 5.0)
    wanted = rows.to_dense() + dense
    for order in ((rows, dense.copy()), (dense.copy(), rows)):
        p = Parameter(np.zeros((3, 2)))
        for each in order:
            p.accumulate(each)
        np.testing.assert_array_equal(p.grad, wanted)
    p = Parameter(np.zeros((3, 2)))
    p.accumulate(rows)
    p.accumulate(RowGradient(np.array([2, 1]), np.ones((2, 2)), (3, 2)))
    assert isinstance(p.grad, RowGradient)
    np.testing.assert_array_equal(p.grad.to_dense(), [[1, 1], [1, 1], [2, 2]])
    np.testing.assert_array_equal(rows.values, 1)


def test_a_misshapen_gradient_is_refused() -> None:
    with pytest.raises(ValueError, match="a sum over the broadcast axes is probably missing"):
        Parameter(np.zeros(2)).accumulate(np.zeros((4, 2)))


# --- frozen (rule 8 counts them, none trains them) -------------------------------------------------


def test_frozen_layers_take_no_gradient_and_pass_it_on() -> None:
    model = Sequential([Dense(3), Dense(2), Dense(1)])
    model(X)
    model.layers[1].trainable = False
    y, cache = model.forward(X)
    dx = model.backward(np.ones_like(y), cache)
    assert [p.grad is None for p in model.parameters()] == [False, False, True, True, False, False]
    assert np.abs(dx).sum() > 0
    assert len(model.trainable_parameters()) == 4
    assert model.count_params() == 12 + 8 + 3


def test_a_frozen_parameter_takes_no_row_gradient() -> None:
    layer = Embedding(3, 2)
    ids = np.array([[0, 1]])
    y, cache = layer.forward(ids)
    layer.embeddings.trainable = False
    assert layer.backward(np.ones_like(y), cache) is None
    assert layer.embeddings.grad is None


def test_input_gradient_not_wanted() -> None:
    model = Sequential([Dense(3, activation="tanh"), Dropout(0.5), Dense(2)])
    y, cache = model.forward(X)
    assert model.backward(np.ones_like(y), cache, input_gradient=False) is None
    without = [p.grad.copy() for p in model.parameters()]
    for p in model.parameters():
        p.drop_grad()
    y, cache = model.forward(X)
    model.backward(np.ones_like(y), cache)
    for p, grad in zip(model.parameters(), without, strict=True):
        np.testing.assert_array_equal(p.grad, grad)


# --- types (rule 6) --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_result_has_the_inputs_dtype(dtype: str) -> None:
    model = Sequential([Dense(3, activation="gelu"), Dropout(0.5), Dense(2, activation="softmax")])
    y, cache = model.forward(X.astype(dtype), training=True)
    dx = model.backward(np.ones_like(y), cache)
    assert {str(a.dtype) for a in (y, dx, *(p.grad for p in model.parameters()))} == {dtype}
    assert ls_core.floatx() == "float32"
