"""The layers that change shapes: arguments, unknown axes and errors; their numbers stand in the table of cases."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ls_core import ShapeError
from ls_layers import (
    Cropping1D,
    Cropping2D,
    Cropping3D,
    Permute,
    RepeatVector,
    Reshape,
    UpSampling1D,
    UpSampling2D,
    UpSampling3D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)

SHAPES: list[tuple[Any, tuple[Any, ...], tuple[Any, ...]]] = [
    (Reshape((3, -1)), (None, 2, 6), (None, 3, 4)),
    (Reshape((3, -1)), (None, None, 6), (None, 3, None)),
    (Reshape(()), (None, 1), (None,)),
    (Permute((2, 1)), (None, 2, None), (None, None, 2)),
    (RepeatVector(3), (None, 4), (None, 3, 4)),
    (Cropping1D(2), (None, None, 4), (None, None, 4)),
    (Cropping2D((1, 2)), (None, 5, 6, 3), (None, 3, 2, 3)),
    (Cropping3D(1, "channels_first"), (None, 2, 3, 4, 5), (None, 2, 1, 2, 3)),
    (ZeroPadding1D(2), (None, 3, 4), (None, 7, 4)),
    (ZeroPadding1D(2, "channels_first"), (None, 3, 4), (None, 3, 8)),
    (ZeroPadding2D(((1, 2), (3, 4))), (None, 1, None, 4), (None, 4, None, 4)),
    (ZeroPadding3D(), (None, 1, 1, 1, 4), (None, 3, 3, 3, 4)),
    (UpSampling1D(), (None, None, 4), (None, None, 4)),
    (UpSampling2D((2, 3), "channels_first"), (None, 4, 5, 6), (None, 4, 10, 18)),
    (UpSampling3D(3), (None, 1, None, 2, 4), (None, 3, None, 6, 4)),
]


@pytest.mark.parametrize(("layer", "given", "wanted"), SHAPES, ids=str)
def test_output_shapes(layer: Any, given: tuple[Any, ...], wanted: tuple[Any, ...]) -> None:
    assert tuple(layer.output_shape(given)) == wanted


WRONG_INPUTS: list[tuple[Any, tuple[int, ...], str]] = [
    (Reshape((3,)), (2, 4), "Reshape 'reshape': the input has 4 numbers after the batch axis, .* whose sizes give 3"),
    (Reshape((3, -1)), (2, 4), "can't be arranged as"),
    (Permute((2, 1)), (2, 4), "Permute 'permute': the input has 2 axes"),
    (RepeatVector(2), (2, 4, 3), "it wants 2: batch, channels"),
    (Cropping1D((2, 3)), (2, 5, 3), "time of the input is 5, and cropping takes 5 of it away"),
    (Cropping2D(((0, 0), (2, 2))), (2, 5, 4, 3), "width of the input is 4"),
    (Cropping3D(), (2, 5, 4, 3), "the input has 4 axes"),
    (ZeroPadding2D(), (2, 5, 4), "the input has 3 axes"),
    (UpSampling1D(), (2, 5), "the input has 2 axes"),
    (UpSampling2D(interpolation="bilinear"), (2, 5, 4), "the input has 3 axes"),
]


@pytest.mark.parametrize(("layer", "shape", "message"), WRONG_INPUTS, ids=str)
def test_wrong_inputs(layer: Any, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        layer.forward(np.ones(shape))


WRONG_ARGUMENTS: list[tuple[Any, dict[str, Any], str]] = [
    (Reshape, {"target_shape": (-1, -1)}, "one -1 at most"),
    (Reshape, {"target_shape": (-2,)}, "sizes of 0 or more"),
    (Permute, {"dims": (1, 3)}, "each of 1 to 2 once"),
    (RepeatVector, {"n": 0}, "positive integer"),
    (Cropping1D, {"cropping": (1, 2, 3)}, "a pair"),
    (Cropping1D, {"cropping": -1}, "each 0 or more"),
    (Cropping2D, {"cropping": ((1, 2, 3), (1, 1))}, "a pair"),
    (ZeroPadding2D, {"padding": (1, 2, 3)}, "for height and width"),
    (ZeroPadding2D, {"padding": 1, "data_format": "channels_middle"}, "data_format"),
    (ZeroPadding3D, {"padding": (1, 2)}, "for depth and height and width"),
    (UpSampling1D, {"size": 0}, "positive integer"),
    (UpSampling2D, {"size": (2, 0)}, "each 1 or more"),
    (UpSampling2D, {"interpolation": "bicubic"}, "'nearest', 'bilinear'"),
]


@pytest.mark.parametrize(("cls", "arguments", "message"), WRONG_ARGUMENTS, ids=str)
def test_wrong_arguments(cls: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cls(**arguments)


def test_repeat_vector_wants_an_integer() -> None:
    for n in (2.0, True, "2"):
        with pytest.raises(TypeError, match="n is a positive integer"):
            RepeatVector(n)  # type: ignore[arg-type]


def test_bilinear_keeps_a_constant_and_a_slope() -> None:
    layer = UpSampling2D(4, interpolation="bilinear")
    np.testing.assert_allclose(layer(np.full((1, 3, 3, 1), 7.0)), 7.0)
    row = layer(np.arange(3.0).reshape(1, 1, 3, 1))[0, 0, :, 0]
    np.testing.assert_allclose(np.diff(row)[2:-2], 0.25)  # between the outermost centres
