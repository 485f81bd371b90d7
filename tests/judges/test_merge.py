"""The layers that join inputs, against Keras 3, with broadcasting, masks and ties."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import torch

import ls_layers

from .keras_judge import compare_layer, relative_error

pytestmark = pytest.mark.judges

Shapes = tuple[tuple[int, ...], ...]
ELEMENTWISE = ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"]
SHAPES: list[Shapes] = [
    ((3, 4), (3, 4)),
    ((2, 3, 4), (2, 3, 4)),
    ((2, 3, 4), (2, 1, 4)),
    ((2, 1, 4), (2, 3, 1)),
    ((2, 3, 4), (2, 4)),
    ((2, 4), (2, 3, 4)),
    ((2, 2, 3, 4), (2, 4)),
]
MORE: list[Shapes] = [((2, 3),), ((2, 3),) * 3, ((2, 3, 2), (2, 2), (2, 3, 1), (2, 1, 2)), ((2, 2, 2),) * 5]


def draw(rng: np.random.Generator, shapes: Shapes) -> tuple[np.ndarray, ...]:
    return tuple(rng.normal(size=shape) for shape in shapes)


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_two_inputs(name: str, shapes: Shapes, rng: np.random.Generator) -> None:
    compare_layer(getattr(ls_layers, name), getattr(keras.layers, name), {}, draw(rng, shapes))
    unknown = [(None, *shape[1:]) for shape in shapes]
    ours, theirs = getattr(ls_layers, name)(), getattr(keras.layers, name)()
    assert tuple(ours.output_shape(unknown)) == tuple(theirs.compute_output_shape(unknown))


@pytest.mark.parametrize("shapes", MORE[1:], ids=str)
@pytest.mark.parametrize("name", [name for name in ELEMENTWISE if name != "Subtract"])
def test_more_inputs(name: str, shapes: Shapes, rng: np.random.Generator) -> None:
    compare_layer(getattr(ls_layers, name), getattr(keras.layers, name), {}, draw(rng, shapes))


@pytest.mark.parametrize("name", ["Maximum", "Minimum"])
@pytest.mark.parametrize("count", [2, 3])
def test_ties(name: str, count: int, rng: np.random.Generator) -> None:
    inputs = tuple(rng.integers(0, 3, size=(4, 5)).astype("float64") for _ in range(count))
    compare_layer(getattr(ls_layers, name), getattr(keras.layers, name), {}, inputs)


@pytest.mark.parametrize("masked", [(0, 1), (0,), (1,), (0, 1, 2), (0, 2), (1, 2)], ids=str)
@pytest.mark.parametrize("name", ["Multiply", "Maximum", "Minimum", "Add", "Average"])
def test_masks(name: str, masked: tuple[int, ...], rng: np.random.Generator) -> None:
    count = 3 if 2 in masked else 2
    inputs = draw(rng, ((4, 5, 3),) * count)
    masks = [rng.random((4, 5)) < 0.6 if i in masked else None for i in range(count)]
    tensors = [torch.tensor(x, requires_grad=True) for x in inputs]
    given = []
    for tensor, mask in zip(tensors, masks, strict=True):
        x = tensor * 1.0
        if mask is not None:
            keras.src.backend.set_keras_mask(x, torch.tensor(mask))
        given.append(x)
    theirs = getattr(keras.layers, name)()
    wanted = theirs(given)
    ours = getattr(ls_layers, name)()
    options: Any = {"mask": masks} if ours.takes_mask else {}
    y, cache = ours.forward(*inputs, **options)
    assert relative_error(y, wanted.detach().numpy()) < 1e-12
    cotangent = rng.normal(size=y.shape)
    (wanted * torch.tensor(cotangent)).sum().backward()
    for dx, tensor in zip(ours.backward(cotangent, cache), tensors, strict=True):
        assert relative_error(dx, tensor.grad.numpy()) < 1e-12
    mask = ours.compute_mask(list(inputs), masks)
    known = keras.src.backend.get_keras_mask(wanted)
    assert (mask is None) == (known is None)
    if mask is not None:
        np.testing.assert_array_equal(mask, known.numpy())


CONCATENATIONS: list[tuple[int, Shapes]] = [
    (-1, ((2, 3), (2, 1))),
    (-1, ((2, 3, 2), (2, 3, 4), (2, 3, 1))),
    (1, ((2, 3, 2), (2, 1, 2))),
    (2, ((2, 3, 2), (2, 3, 5))),
    (-2, ((2, 3, 2), (2, 4, 2))),
    (3, ((1, 2, 2, 2), (1, 2, 2, 3), (1, 2, 2, 1))),
    (0, ((2, 3), (1, 3))),
]


@pytest.mark.parametrize(("axis", "shapes"), CONCATENATIONS, ids=str)
def test_concatenate(axis: int, shapes: Shapes, rng: np.random.Generator) -> None:
    compare_layer(ls_layers.Concatenate, keras.layers.Concatenate, {"axis": axis}, draw(rng, shapes))


@pytest.mark.parametrize("axis", [-1, 1])
@pytest.mark.parametrize("masked", [(0, 1), (0,), (1,), ()], ids=str)
def test_concatenated_masks(axis: int, masked: tuple[int, ...], rng: np.random.Generator) -> None:
    inputs = draw(rng, ((4, 5, 3), (4, 5, 3)))
    masks = [rng.random((4, 5)) < 0.6 if i in masked else None for i in range(2)]
    ours = ls_layers.Concatenate(axis=axis).compute_mask(list(inputs), masks)
    tensors = [torch.tensor(x) for x in inputs]
    theirs = keras.layers.Concatenate(axis=axis).compute_mask(tensors, [None if m is None else torch.tensor(m) for m in masks])
    assert (ours is None) == (theirs is None)
    if ours is not None:
        np.testing.assert_array_equal(ours, theirs.numpy())


DOTS: list[tuple[Any, Shapes]] = [
    (1, ((3, 4), (3, 4))),
    (-1, ((3, 4), (3, 4))),
    (1, ((2, 3, 4), (2, 3, 5))),
    (-1, ((2, 3, 4), (2, 5, 4))),
    (2, ((2, 3, 4), (2, 5, 4))),
    ((1, 2), ((2, 3, 4), (2, 5, 3))),
    ((2, 1), ((2, 3, 4), (2, 4, 5))),
    ((1, 2), ((2, 3), (2, 5, 3))),
    ((1, 1), ((2, 3), (2, 3, 5))),
    ((2, 1), ((2, 4, 3), (2, 3))),
    ((1, 1), ((2, 3, 4), (2, 3))),
    ((3, 1), ((2, 2, 4, 3), (2, 3, 5))),
    ((1, 2), ((2, 3, 2, 4), (2, 2, 3, 5))),
    ((-1, -2), ((2, 2, 4, 3), (2, 5, 3, 2))),
]


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize(("axes", "shapes"), DOTS, ids=str)
def test_dot(axes: Any, shapes: Shapes, normalize: bool, rng: np.random.Generator) -> None:
    compare_layer(ls_layers.Dot, keras.layers.Dot, {"axes": axes, "normalize": normalize}, draw(rng, shapes))


def test_wrapper(rng: np.random.Generator) -> None:
    ours = ls_layers.Wrapper(**keras.layers.Wrapper(keras.layers.Dense(3, activation="tanh")).get_config())
    assert ours.forward(rng.normal(size=(2, 4)))[0].shape == (2, 3)
