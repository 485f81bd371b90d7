"""Wrapper, Residual, Parallel: masks, errors, shared layers; their numbers stand in the table of cases."""

from __future__ import annotations

import numpy as np
import pytest

from ls_core import Input, Model, Sequential, ShapeError
from ls_layers import LSTM, Activation, Add, Dense, Embedding, Parallel, Permute, Residual, Wrapper


def test_wrapper_wants_a_layer() -> None:
    with pytest.raises(TypeError, match="wraps a layer"):
        Wrapper(3)


def test_wrapper_passes_the_mask(rng: np.random.Generator) -> None:
    x, mask = rng.normal(size=(2, 4, 3)), np.array([[True, True, False, False], [True, True, True, False]])
    wrapped = Wrapper(LSTM(2))
    y = wrapped(x, mask=mask)
    np.testing.assert_array_equal(y, wrapped.layer(x, mask=mask))
    assert np.abs(y - wrapped.layer(x)).max() > 1e-3
    assert Wrapper(Embedding(5, 2, mask_zero=True)).makes_mask


def test_residual_wants_the_same_shape() -> None:
    with pytest.raises(ShapeError, match=r"Residual 'residual': Dense 'dense' makes \(2, 3\) of \(2, 4\)"):
        Residual(Dense(3)).forward(np.ones((2, 4)))
    with pytest.raises(ShapeError, match="must have its shape"):
        Residual(Dense(3)).output_shape((None, 4))
    assert Residual(Dense(4)).output_shape((None, 4)) == (None, 4)


def test_residual_passes_the_mask() -> None:
    mask = np.array([[True, False]])
    assert Residual(Dense(2)).compute_mask(np.ones((1, 2, 2)), mask) is mask


def test_parallel_shapes_and_errors() -> None:
    layers = [Dense(3), Dense(2)]
    assert Parallel(layers).output_shape((None, 4)) == (None, 5)
    assert Parallel([Dense(3), Dense(3)], join="add").output_shape((None, 4)) == (None, 3)
    assert Parallel([Dense(3), Dense(2)], join=None).output_shape((None, 4)) == [(None, 3), (None, 2)]
    with pytest.raises(ValueError, match="at least one layer"):
        Parallel([])
    with pytest.raises(ShapeError, match="axis 1 of the inputs is 2 and 3"):
        Parallel([Dense(3), Dense(2)], join=Add()).forward(np.ones((2, 4)))


def test_parallel_masks() -> None:
    x, mask = np.ones((1, 3, 2)), np.array([[True, True, False]])
    both = Parallel([Dense(2), Dense(3)])
    assert both.compute_mask(x, mask).tolist() == mask.tolist()
    assert both.compute_mask(x, None) is None
    assert Parallel([Dense(2), Permute((1, 2))]).compute_mask(x, mask) is None
    assert [m.tolist() for m in Parallel([Dense(2), Dense(3)], join=None).compute_mask(x, mask)] == [mask.tolist()] * 2


def test_parallel_on_integers_has_no_input_gradient() -> None:
    layer = Parallel([Embedding(5, 2), Embedding(5, 3)])
    ids = np.array([[0, 1], [4, 4]])
    y, cache = layer.forward(ids)
    assert y.shape == (2, 2, 5)
    assert layer.backward(np.ones_like(y), cache) is None
    assert all(p.grad is not None for p in layer.parameters())


def test_in_models(rng: np.random.Generator) -> None:
    x = rng.normal(size=(2, 4))
    inputs = Input((4,))
    left, right = Parallel([Dense(3), Activation("tanh")], join=None)(inputs)
    model = Model(inputs, Add()([Dense(2)(left), Dense(2)(right)]))
    y, cache = model.forward(x)
    assert model.backward(np.ones_like(y), cache).shape == (2, 4)
    stacked = Sequential([Residual(Dense(4, "tanh")), Residual(Sequential([Dense(6), Dense(4)], name="inner"))])
    y, cache = stacked.forward(x)
    assert stacked.backward(np.ones_like(y), cache, input_gradient=False) is None
    assert len({p.path for p in stacked.parameters()}) == 6
