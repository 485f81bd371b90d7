"""Activation and the activation layers, Masking, Identity: behaviour and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ls_core import Input, Sequential
from ls_core.errors import ShapeError
from ls_core.gradcheck import check_layer
from ls_core.layer import Layer
from ls_layers import (
    ELU,
    GRU,
    LSTM,
    Activation,
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    Dense,
    DepthwiseConv1D,
    EinsumDense,
    GlobalAveragePooling1D,
    Identity,
    LeakyReLU,
    Masking,
    PReLU,
    ReLU,
    SeparableConv1D,
    SimpleRNN,
    Softmax,
    TransformerEncoderBlock,
)


@pytest.mark.parametrize("name", ["swish", "hard_swish", "HardSwish", "log_softmax", "gelu_tanh"])
def test_aliases(name: str) -> None:
    assert Activation(name)(np.ones((1, 2))).shape == (1, 2)


def test_unknown_activation() -> None:
    with pytest.raises(ValueError, match=r"there is no activation called 'rellu'. Did you mean 'relu'"):
        Activation("rellu")


def test_a_layer_as_activation(rng: np.random.Generator) -> None:
    x = rng.normal(size=(3, 4))
    layer = Dense(2, activation=PReLU("ones"), dtype="float64")
    y, cache = layer.forward(x)
    layer.backward(np.ones_like(y), cache)
    assert [p.name for p in layer.parameters()] == ["kernel", "bias", "alpha"]
    assert all(p.grad is not None for p in layer.parameters())


def test_glu_halves_the_axis() -> None:
    assert Activation("glu").output_shape((None, 5, 8)) == (None, 5, 4)
    assert Activation("glu")(Input((5, 8))).shape == (None, 5, 4)
    model = Sequential([Input((6,)), Activation("glu"), Dense(2)])
    assert model.get_weights()[0].shape == (3, 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ReLU(max_value=-1), r"ReLU: max_value is a number, 0 or more, not -1"),
        (lambda: ReLU(negative_slope=None), r"ReLU: negative_slope is a number, 0 or more, not None"),
        (lambda: ReLU(threshold=-0.5), r"ReLU: threshold is a number"),
        (lambda: LeakyReLU(negative_slope=-0.1), r"LeakyReLU: negative_slope is a number"),
        (lambda: ELU(alpha=-1.0), r"ELU: alpha is a number"),
    ],
)
def test_wrong_arguments(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_older_name_of_the_slope() -> None:
    layer = LeakyReLU(alpha=0.5)
    assert layer(np.array([-2.0])).tolist() == [-1.0]
    assert LeakyReLU.from_config(layer.get_config())(np.array([-2.0])).tolist() == [-1.0]


def test_prelu_shapes() -> None:
    layer = PReLU(shared_axes=[1])
    layer.ensure_built((None, None, 4))
    assert layer.alpha.shape == (1, 4)
    assert layer(np.ones((2, 9, 4))).shape == (2, 9, 4)
    with pytest.raises(ShapeError, match=r"axis 2 of the input is 5, its alpha wants 4"):
        layer(np.ones((2, 9, 5)))
    with pytest.raises(ShapeError, match=r"the input has 2 axes"):
        layer(np.ones((2, 4)))
    with pytest.raises(ShapeError, match=r"axis 1 of the input is not known; share alpha along it with shared_axes=\[1\]"):
        PReLU().ensure_built((None, None, 4))
    with pytest.raises(ShapeError, match=r"shared axis 3 is none of 1 ... 2"):
        PReLU(shared_axes=[3]).ensure_built((None, 3, 4))


def test_softmax_masks() -> None:
    x = np.zeros((2, 3))
    assert Softmax()(x, mask=np.array([[1, 0, 1], [0, 0, 0]])).tolist() == [[0.5, 0, 0.5], [0, 0, 0]]
    with pytest.raises(ShapeError, match=r"the mask has shape \(2, 2\), the input \(2, 3\)"):
        Softmax()(x, mask=np.ones((2, 2), bool))
    with pytest.raises(ShapeError, match=r"the mask has shape \(1, 2, 3\)"):
        Softmax()(x, mask=np.ones((1, 2, 3), bool))
    half = Softmax().forward(x.astype("float16"), mask=np.array([True, False, True]))[0]
    assert half.dtype == "float16"
    assert half[0].tolist() == [0.5, 0, 0.5]


def test_masking_in_a_model() -> None:
    x = np.array([[[1.0, 3.0], [-1.0, -1.0], [5.0, -1.0]]])
    model = Sequential([Masking(mask_value=-1.0), Identity(), Activation("relu"), GlobalAveragePooling1D()])
    assert model(x).tolist() == [[3.0, 1.5]]
    with pytest.raises(TypeError, match=r"Masking: mask_value is one number"):
        Masking(mask_value=[1, 2])  # type: ignore[arg-type]


def test_masking_keeps_a_step_with_nan() -> None:
    assert Masking().compute_mask(np.array([[[np.nan, 0.0], [0.0, 0.0]]])).tolist() == [[True, False]]


def test_identity_is_the_argument() -> None:
    x = np.ones((2, 3))
    layer = Identity()
    y, cache = layer.forward(x)
    assert y is x
    assert layer.backward(x, cache) is x


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (Dense(6, activation="glu"), (3, 5)),
        (EinsumDense("abc,cd->abd", (None, 6), activation="glu"), (2, 3, 4)),
        (Conv1D(6, 3, activation="glu"), (2, 7, 4)),
        (Conv2D(3, 3, activation="glu", data_format="channels_first", padding="same"), (2, 4, 5, 6)),
        (SeparableConv1D(6, 3, activation="glu"), (2, 7, 4)),
        (DepthwiseConv1D(3, depth_multiplier=3, activation="glu"), (2, 7, 4)),
        (Conv1DTranspose(6, 3, activation="glu"), (2, 7, 4)),
        (TransformerEncoderBlock(8, 2, activation="glu"), (2, 3, 4)),
    ],
    ids=repr,
)
def test_glu_halves_an_axis_of_the_shape_too(layer: Layer, shape: tuple[int, ...], rng: np.random.Generator) -> None:
    y = layer(rng.normal(size=shape))
    assert tuple(layer.output_shape(shape)) == y.shape
    symbol = layer(Input(shape[1:]))
    assert symbol.shape[1:] == y.shape[1:]
    dead = ("attention/key/bias",) if isinstance(layer, TransformerEncoderBlock) else ()
    check_layer(layer, rng.normal(size=shape), dead=dead)


def test_glu_where_it_can_not_be() -> None:
    with pytest.raises(ShapeError, match="it must be even"):
        Dense(5, activation="glu")(Input((3,)))
    for make in (lambda: LSTM(4, activation="glu"), lambda: GRU(4, recurrent_activation="glu"), lambda: SimpleRNN(4, "glu")):
        with pytest.raises(ValueError, match="glu gives another shape than it takes, so it can't stand in a recurrence"):
            make()
