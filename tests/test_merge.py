"""The layers that join inputs: lists, shapes, masks and errors; their numbers stand in the table of cases."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ls_core import Input, Model, ShapeError
from ls_layers import Add, Average, Concatenate, Dense, Dot, Maximum, Minimum, Multiply, Subtract

ELEMENTWISE = [Add, Average, Maximum, Minimum, Multiply, Subtract]


@pytest.mark.parametrize("cls", [*ELEMENTWISE, Concatenate])
def test_lists_and_positions_are_the_same(cls: Any, rng: np.random.Generator) -> None:
    a, b = rng.normal(size=(2, 3)), rng.normal(size=(2, 3))
    layer = cls()
    y, cache = layer.forward(a, b)
    again, other = layer.forward([a, b])
    np.testing.assert_array_equal(y, again)
    np.testing.assert_array_equal(y, layer([a, b]))
    for one, two in zip(layer.backward(y, cache), layer.backward(y, other), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("cls", [Add, Average, Maximum, Minimum, Multiply, Concatenate])
def test_one_input_passes_through(cls: Any) -> None:
    x = np.array([[1.0, -2.0]])
    layer = cls()
    y, cache = layer.forward(x)
    assert y.tolist() == x.tolist()
    (dx,) = layer.backward(np.array([[3.0, 4.0]]), cache)
    assert dx.tolist() == [[3.0, 4.0]]


@pytest.mark.parametrize("cls", ELEMENTWISE)
def test_shapes(cls: Any) -> None:
    layer = cls()
    assert layer.output_shape([(None, 3, 4), (None, 1, 4)]) == (None, 3, 4)
    assert layer.output_shape([(None, 4), (2, None, 1)]) == (2, None, 4)
    for shapes, message in [
        ([(2, 3), (2, 4)], "axis 1 of the inputs is 3 and 4"),
        ([(2, 3), (3, 3)], "axis 0 of the inputs is 2 and 3"),
        ([(2, 3), (1, 3)], "axis 0 of the inputs is 1 and 2"),
    ]:
        with pytest.raises(ShapeError, match=message):
            layer.output_shape(shapes)
        with pytest.raises(ShapeError, match=f"{cls.__name__} '.*{message}"):
            cls().forward(*(np.ones(shape) for shape in shapes))


@pytest.mark.parametrize("cls", [Subtract, Dot])
def test_exactly_two(cls: Any) -> None:
    layer = cls(axes=1) if cls is Dot else cls()
    with pytest.raises(ValueError, match="joins exactly 2 inputs; 3 came"):
        layer.forward(*[np.ones((2, 2))] * 3)


def test_built_for_other_shapes_still_checks() -> None:
    layer = Add()
    layer.forward(np.ones((2, 3)), np.ones((2, 3)))
    with pytest.raises(ShapeError, match="axis 1 of the inputs is 3 and 4"):
        layer.forward(np.ones((2, 3)), np.ones((2, 4)))


def test_ties_share_the_gradient() -> None:
    for cls in (Maximum, Minimum):
        layer = cls()
        _, cache = layer.forward(np.array([[1.0]]), np.array([[1.0]]))
        assert [dx.tolist() for dx in layer.backward(np.array([[4.0]]), cache)] == [[[2.0]], [[2.0]]]


def test_masks_are_joined() -> None:
    x = np.ones((1, 4, 2))
    a, b = np.array([[True, True, False, False]]), np.array([[True, False, True, False]])
    for cls in ELEMENTWISE:
        assert cls().compute_mask([x, x], [a, b]).tolist() == [[True, True, True, False]]
        assert cls().compute_mask([x, x], [a, None]) is None
    assert Concatenate().compute_mask([x, x], [a, b]).tolist() == [[True, True, True, False]]
    assert Concatenate().compute_mask([x, x], [a, None]).all()
    assert Concatenate().compute_mask([x, x], [None, None]) is None
    assert Concatenate(axis=1).compute_mask([x, x], [a, b]).tolist() == [[*a[0].tolist(), *b[0].tolist()]]
    assert Dot(axes=1).compute_mask([x, x], [a, b]) is None


def test_concatenate_errors() -> None:
    with pytest.raises(ShapeError, match="axis 1 of the inputs differs"):
        Concatenate().forward(np.ones((2, 3, 4)), np.ones((2, 2, 4)))
    with pytest.raises(ShapeError, match="axis 0 of the inputs differs"):
        Concatenate().forward(np.ones((2, 3)), np.ones((2, 3, 1)))
    with pytest.raises(ShapeError, match="axis 3 is not among the 2 axes"):
        Concatenate(axis=3).forward(np.ones((2, 3)), np.ones((2, 3)))
    assert Concatenate().output_shape([(None, 3), (None, None)]) == (None, None)


def test_dot_errors() -> None:
    with pytest.raises(ShapeError, match="axis 1 of the first input is 3, axis 2 of the second 5"):
        Dot(axes=(1, 2)).forward(np.ones((2, 3)), np.ones((2, 4, 5)))
    with pytest.raises(ShapeError, match="is missing, or is the batch axis"):
        Dot(axes=0).forward(np.ones((2, 3)), np.ones((2, 3)))
    for axes in ((1, 2, 3), "ab", (1.0, 2)):
        with pytest.raises(ValueError, match="axes is an axis"):
            Dot(axes=axes)


def test_cosine_of_a_zero_vector_is_zero() -> None:
    layer = Dot(axes=1, normalize=True)
    y, cache = layer.forward(np.zeros((1, 2)), np.ones((1, 2)))
    assert y.tolist() == [[0.0]]
    assert all(np.isfinite(dx).all() for dx in layer.backward(np.ones((1, 1)), cache))


def test_in_a_model(rng: np.random.Generator) -> None:
    a, b = Input((3,)), Input((3,))
    shared = Dense(4)
    model = Model([a, b], Dot(axes=1)([shared(a), Concatenate()([b, Dense(1)(b)])]))
    y, cache = model.forward(rng.normal(size=(2, 3)), rng.normal(size=(2, 3)))
    assert y.shape == (2, 1)
    assert [dx.shape for dx in model.backward(np.ones_like(y), cache)] == [(2, 3), (2, 3)]
