"""What pooling and Flatten do beyond the contract: ties, padding, masks, errors that help."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import ls_core
import ls_core.testing.standin  # makes the stand-in device known
import ls_layers
from ls_core import Sequential, ShapeError
from ls_core.registry import deserialize
from ls_layers import (
    AveragePooling1D,
    AveragePooling2D,
    Dense,
    Flatten,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    MaxPooling1D,
    MaxPooling2D,
)

BACKENDS = ["numpy", "standin", pytest.param("cupy", marks=pytest.mark.gpu)]


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    with ls_core.use_backend(request.param):
        yield request.param


def gradient_of_ones(layer: Any, x: np.ndarray, backend: str, **options: Any) -> np.ndarray:
    given = ls_core.to_device(x, backend)
    y, cache = layer.forward(given, **options)
    return ls_core.to_host(layer.backward(y * 0 + 1, cache))


# --- ties ----------------------------------------------------------------------------------------


def test_ties_go_to_the_first_in_time(backend: str) -> None:
    x = np.array([[2.0, 2.0, 1.0, 3.0, 3.0, 3.0]]).reshape(1, 6, 1)
    assert gradient_of_ones(MaxPooling1D(3), x, backend)[0, :, 0].tolist() == [1, 0, 0, 1, 0, 0]
    assert gradient_of_ones(GlobalMaxPooling1D(), x, backend)[0, :, 0].tolist() == [0, 0, 0, 1, 0, 0]


def test_ties_go_to_the_first_in_reading_order(backend: str) -> None:
    x = np.array([[0.0, 5.0, 5.0], [5.0, 5.0, 0.0]]).reshape(1, 2, 3, 1)
    for layer in (MaxPooling2D((2, 3)), GlobalMaxPooling2D()):
        assert gradient_of_ones(layer, x, backend)[0, :, :, 0].tolist() == [[0, 1, 0], [0, 0, 0]]


def test_each_window_has_a_first_of_its_own(backend: str) -> None:
    """Overlapping windows: each gives its gradient once, and an element can win several."""
    x = np.ones((1, 4, 1))
    assert gradient_of_ones(MaxPooling1D(2, 1), x, backend)[0, :, 0].tolist() == [1, 1, 1, 0]
    # 'same' pads one before: the first window holds positions 0 and 1 only, and 0 is its first.
    assert gradient_of_ones(MaxPooling1D(3, 1, "same"), x, backend)[0, :, 0].tolist() == [2, 1, 1, 0]


def test_every_window_gives_its_gradient_once_whatever_the_ties(rng: np.random.Generator) -> None:
    x = np.round(rng.normal(size=(3, 7, 8, 2)))  # full of ties
    layer = MaxPooling2D(3, 2, padding="same")
    y, cache = layer.forward(x)
    dy = rng.normal(size=y.shape)
    np.testing.assert_allclose(layer.backward(dy, cache).sum(axis=(1, 2)), dy.sum(axis=(1, 2)), rtol=1e-12)


# --- padding -------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [-3.0, -np.inf])
def test_padding_never_wins(value: float, backend: str) -> None:
    x = ls_core.to_device(np.full((1, 5, 1), value), backend)
    y, cache = (layer := MaxPooling1D(3, 2, "same")).forward(x)
    dx = layer.backward(ls_core.to_device(np.ones((1, 3, 1)), backend), cache)
    assert ls_core.to_host(y).ravel().tolist() == [value] * 3
    assert ls_core.to_host(dx).ravel().tolist() == [1, 1, 0, 1, 0]


def test_padding_does_not_count_in_a_mean(backend: str) -> None:
    x = np.full((1, 5, 4, 2), 7.0)
    y = AveragePooling2D(3, 1, "same")(ls_core.to_device(x, backend))
    np.testing.assert_allclose(ls_core.to_host(y), x, rtol=1e-12)


def test_positions_between_windows_get_nothing() -> None:
    x = np.arange(6.0).reshape(1, 6, 1)
    assert gradient_of_ones(MaxPooling1D(1, 3), x, "numpy")[0, :, 0].tolist() == [1, 0, 0, 1, 0, 0]
    assert gradient_of_ones(AveragePooling1D(2, 4), x, "numpy")[0, :, 0].tolist() == [0.5, 0.5, 0, 0, 0.5, 0.5]


def test_what_does_not_fill_a_valid_window_is_dropped() -> None:
    assert MaxPooling1D(2)(np.array([1.0, 2.0, 9.0]).reshape(1, 3, 1)).ravel().tolist() == [2]


@pytest.mark.parametrize("dtype", ["uint8", "int32"])
def test_whole_numbers_can_be_pooled(dtype: str, backend: str) -> None:
    x = np.array([[1, 5, 3]], dtype=dtype).reshape(1, 3, 1)
    y = ls_core.to_host(MaxPooling1D(2, padding="same")(ls_core.to_device(x, backend)))
    assert y.ravel().tolist() == [5, 3]
    assert y.dtype == dtype


def test_nan_shows(rng: np.random.Generator) -> None:
    x = rng.normal(size=(1, 4, 1))
    x[0, 1] = np.nan
    assert np.isnan(MaxPooling1D(2)(x)).ravel().tolist() == [True, False]
    assert np.isnan(GlobalMaxPooling1D()(x)).all()


# --- means with a mask ---------------------------------------------------------------------------


def test_a_mask_leaves_steps_out(backend: str) -> None:
    x = np.array([[[1.0], [np.nan], [3.0]], [[4.0], [5.0], [9.0]]])
    mask = ls_core.to_device(np.array([[True, False, True], [True, True, True]]), backend)
    y = GlobalAveragePooling1D()(ls_core.to_device(x, backend), mask=mask)
    np.testing.assert_allclose(ls_core.to_host(y).ravel(), [2.0, 6.0], rtol=1e-12)
    dx = gradient_of_ones(GlobalAveragePooling1D(), np.nan_to_num(x), backend, mask=mask)
    np.testing.assert_allclose(dx[..., 0], [[0.5, 0, 0.5], [1 / 3, 1 / 3, 1 / 3]], rtol=1e-12)


def test_a_row_without_any_step_gives_zero(backend: str) -> None:
    """An empty text must not turn the whole step into NaN."""
    mask = ls_core.to_device(np.array([[False, False], [True, False]]), backend)
    x = ls_core.to_device(np.ones((2, 2, 3)), backend)
    y, cache = (layer := GlobalAveragePooling1D()).forward(x, mask=mask)
    np.testing.assert_array_equal(ls_core.to_host(y), [[0, 0, 0], [1, 1, 1]])
    np.testing.assert_array_equal(ls_core.to_host(layer.backward(y * 0 + 1, cache))[0], np.zeros((2, 3)))


def test_integer_masks_are_taken_and_the_dtype_stays() -> None:
    x = np.ones((2, 3, 1), dtype=np.float32)
    y, cache = (layer := GlobalAveragePooling1D()).forward(x, mask=np.array([[1, 1, 0], [1, 0, 0]]))
    assert y.dtype == np.float32
    assert layer.backward(y, cache).dtype == np.float32


def test_the_mask_ends_at_a_mean() -> None:
    class Masked(ls_core.Layer):
        makes_mask = True

        def forward(self, x: Any, training: bool = False) -> Any:
            return x, None

        def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
            return inputs[..., 0] > 0

    model = Sequential([Masked(), GlobalAveragePooling1D()])
    y, cache = model.forward(np.array([[[2.0], [4.0], [0.0]]]))
    assert y.tolist() == [[3.0]]
    assert cache.mask is None


def test_a_mask_of_another_shape() -> None:
    with pytest.raises(ShapeError, match=r"the mask has shape \(2, 4\), the input wants one of \(2, 3\)"):
        GlobalAveragePooling1D().forward(np.ones((2, 3, 1)), mask=np.ones((2, 4), dtype=bool))


# --- shapes, names and errors --------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["Max", "Average"])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_shapes_of_all_of_them(kind: str, rank: int) -> None:
    unknown = (None, *(None,) * rank, 3)
    windows, whole = getattr(ls_layers, f"{kind}Pooling{rank}D"), getattr(ls_layers, f"Global{kind}Pooling{rank}D")
    assert windows(2).output_shape(unknown) == unknown
    assert windows(2).output_shape((5, *(7,) * rank, 3)) == (5, *(3,) * rank, 3)
    assert windows(2, padding="same").output_shape((5, *(7,) * rank, 3)) == (5, *(4,) * rank, 3)
    assert windows(2, data_format="channels_first").output_shape((5, 3, *(7,) * rank)) == (5, 3, *(3,) * rank)
    assert whole().output_shape(unknown) == (None, 3)
    assert whole(keepdims=True).output_shape(unknown) == (None, *(1,) * rank, 3)
    assert whole("channels_first", True).output_shape((5, 3, *(7,) * rank)) == (5, 3, *(1,) * rank)


@pytest.mark.parametrize("kind", ["Max", "Average"])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_wrong_ranks_and_empty_axes(kind: str, rank: int) -> None:
    windows, whole = getattr(ls_layers, f"{kind}Pooling{rank}D"), getattr(ls_layers, f"Global{kind}Pooling{rank}D")
    for layer in (windows(2), whole()):
        with pytest.raises(ShapeError, match=f"the input has 2 axes, .* it wants {rank + 2}"):
            layer.forward(np.ones((2, 3)))
    with pytest.raises(ShapeError, match="a window of 2 does not fit"):
        windows(2).forward(np.ones((2, *(1,) * rank, 3)))
    with pytest.raises(ShapeError, match="of the input is 0, there is nothing to pool"):
        whole().forward(np.ones((2, *(0,) * rank, 3)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MaxPooling1D(0), "pool_size is an integer or 1 of them, each 1 or more"),
        (lambda: MaxPooling2D((2, 2, 2)), "pool_size is an integer or 2 of them"),
        (lambda: MaxPooling2D(2, 0), "strides is an integer or 2 of them"),
        (lambda: AveragePooling1D(2, padding="causal"), "padding is one of 'valid', 'same', not 'causal'"),
        (lambda: GlobalMaxPooling1D("last"), "data_format is 'channels_last' or 'channels_first'"),
        (lambda: Flatten("last"), "data_format is 'channels_last' or 'channels_first'"),
    ],
)
def test_wrong_arguments(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_short_names() -> None:
    assert ls_layers.MaxPool2D is MaxPooling2D
    assert ls_layers.GlobalAvgPool1D is GlobalAveragePooling1D
    assert type(deserialize("layer", {"class_name": "AvgPool1D", "config": {"pool_size": 2}})) is AveragePooling1D


def test_nobody_needs_dx() -> None:
    for layer in (MaxPooling1D(2), AveragePooling1D(2), GlobalMaxPooling1D(), GlobalAveragePooling1D()):
        y, cache = layer.forward(np.ones((1, 4, 2)))
        assert layer.backward(y, cache, input_gradient=False) is None


def test_flatten_feeds_dense(rng: np.random.Generator) -> None:
    model = Sequential([MaxPooling2D(2), Flatten(), Dense(3)])
    y, cache = model.forward(rng.normal(size=(2, 4, 6, 5)))
    assert model.backward(y, cache).shape == (2, 4, 6, 5)
    assert model.layers[2].kernel.shape == (2 * 3 * 5, 3)
    assert Flatten().output_shape((None, 4, None)) == (None, None)


def test_flatten_gives_both_formats_the_same_order(rng: np.random.Generator) -> None:
    x = rng.normal(size=(2, 3, 4, 5))
    np.testing.assert_array_equal(Flatten("channels_first")(np.moveaxis(x, -1, 1)), Flatten()(x))


def test_an_empty_batch_goes_through_flatten() -> None:
    y, cache = (layer := Flatten()).forward(np.ones((0, 3, 4)))
    assert layer.backward(y, cache).shape == (0, 3, 4)
