"""The preprocessing layers and data utilities against Keras 3, for all that it computes without TensorFlow."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
import torch

import ls_core
import ls_layers
from ls_core.data import pad_sequences, split_validation, to_categorical
from ls_layers.affine import affine_backward, affine_corners, affine_forward
from ls_layers.random_brightness import brightness_backward, brightness_forward
from ls_layers.random_contrast import contrast_backward, contrast_forward
from ls_layers.random_flip import AXES, flip_backward, flip_forward

from .keras_judge import BAR, compare_layer, relative_error

pytestmark = pytest.mark.judges

FORMATS = ("channels_last", "channels_first")


@pytest.fixture(autouse=True)
def _float64() -> None:
    ls_core.set_floatx("float64")


@pytest.fixture
def _no_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """adapt of Keras asks whether data is a tf.data.Dataset; without TensorFlow nothing is."""
    stub = SimpleNamespace(data=SimpleNamespace(Dataset=type("Dataset", (), {})), is_tensor=lambda x: False)
    for module in ("normalization", "discretization"):
        monkeypatch.setattr(importlib.import_module(f"keras.src.layers.preprocessing.{module}"), "tf", stub)


def images(rng: np.random.Generator, height: int, width: int, data_format: str = "channels_last", batch: int | None = 2) -> np.ndarray:
    x = rng.normal(size=(batch or 1, height, width, 3))
    x = x if data_format == "channels_last" else np.moveaxis(x, 3, 1)
    return x if batch else x[0]


# --- numbers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(3, 2), (2, 3, 2), (2, 3, 4, 2)])
@pytest.mark.parametrize(("scale", "offset"), [(0.5, 0.0), (1 / 127.5, -1), ([2.0, 3.0], 1.0), ([2.0, 3.0], np.array([1.0, -1.0]))])
def test_rescaling(shape: tuple[int, ...], scale: Any, offset: Any, rng: np.random.Generator) -> None:
    compare_layer(ls_layers.Rescaling, keras.layers.Rescaling, {"scale": scale, "offset": offset}, (rng.normal(size=shape),))


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize(
    ("shape", "axis", "statistics"),
    [
        ((4, 3), -1, (3,)),
        ((4, 3), -1, ()),
        ((4, 3), 1, (1,)),
        ((4, 3), None, ()),
        ((4, 2, 3), (1, 2), (2, 3)),
        ((4, 2, 3), (1, 2), (3,)),
        ((4, 2, 3), (2, 1), (2, 3)),
        ((4, 2, 3), 1, (2,)),
        ((4, 2, 3), (-1, 1), (1, 3)),
        ((2, 2, 5, 3), -1, (3,)),
    ],
)
def test_normalization_given(
    shape: tuple[int, ...], axis: Any, statistics: tuple[int, ...], invert: bool, rng: np.random.Generator
) -> None:
    arguments = {"axis": axis, "mean": rng.normal(size=statistics), "variance": rng.uniform(0, 2, size=statistics), "invert": invert}
    compare_layer(ls_layers.Normalization, keras.layers.Normalization, arguments, (rng.normal(size=shape),))


@pytest.mark.usefixtures("_no_tensorflow")
@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize(("shape", "axis"), [((9, 3), -1), ((9, 3), None), ((9, 2, 3), (1, 2)), ((9, 2, 3), 1), ((6,), -1), ((6,), None)])
def test_normalization_adapted(shape: tuple[int, ...], axis: Any, invert: bool, rng: np.random.Generator) -> None:
    x = rng.normal(2, 3, size=shape)
    theirs, ours = keras.layers.Normalization(axis=axis, invert=invert), ls_layers.Normalization(axis=axis, invert=invert)
    for data in (x, [x[:4], x[4:]] if axis != -1 or len(shape) > 1 else [x, x]):
        theirs.adapt(data)
        ours.adapt(data)
        assert relative_error(ours(x), theirs(x).numpy()) < BAR
        for a, b in zip(ours.get_weights()[:2], theirs.get_weights()[:2], strict=True):
            assert relative_error(a, b) < BAR


@pytest.mark.parametrize("mode", ["int", "one_hot", "multi_hot", "count"])
@pytest.mark.parametrize("shape", [(4,), (4, 1), (3, 4), (2, 3, 4)])
def test_discretization(mode: str, shape: tuple[int, ...], rng: np.random.Generator) -> None:
    x = np.round(rng.normal(size=shape), 1)
    arguments = {"bin_boundaries": [-0.5, 0.0, 0.1, 1.0], "output_mode": mode}
    theirs = keras.layers.Discretization(**arguments)
    ours = ls_layers.Discretization(**theirs.get_config())
    assert relative_error(ours(x), theirs(x).numpy()) == 0
    if len(shape) < 3 or mode == "int":
        assert ours.output_shape((None, *shape[1:]))[1:] == tuple(ours(x).shape)[1:] or len(shape) == 1


@pytest.mark.usefixtures("_no_tensorflow")
@pytest.mark.parametrize("epsilon", [0.01, 0.1, 0.003])
@pytest.mark.parametrize("bins", [1, 2, 4, 7])
@pytest.mark.parametrize("size", [3, 50, 777, 4000])
def test_discretization_adapted(epsilon: float, bins: int, size: int, rng: np.random.Generator) -> None:
    x = rng.normal(size=size)
    for data in (x, [x, 2 * x[: size // 2 + 1], x - 1]):
        theirs, ours = (layer(num_bins=bins, epsilon=epsilon) for layer in (keras.layers.Discretization, ls_layers.Discretization))
        theirs.adapt(data)
        ours.adapt(data)
        assert ours.bin_boundaries == theirs.bin_boundaries
        again = ls_layers.Discretization.from_config(theirs.get_config())
        assert again.bin_boundaries == theirs.bin_boundaries


@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count"])
@pytest.mark.parametrize("shape", [(), (4,), (1,), (4, 1), (3, 4), (2, 3, 4), (2, 3, 1)])
def test_category_encoding(mode: str, shape: tuple[int, ...], rng: np.random.Generator) -> None:
    ids = rng.integers(6, size=shape)
    theirs = keras.layers.CategoryEncoding(6, output_mode=mode)
    ours = ls_layers.CategoryEncoding(**theirs.get_config())
    y = ours(ids)
    assert relative_error(y, theirs(ids).numpy()) == 0
    assert ours.output_shape(shape) == y.shape


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4)])
def test_category_encoding_weights(shape: tuple[int, ...], rng: np.random.Generator) -> None:
    ids, weights = rng.integers(6, size=shape), rng.normal(size=shape)
    tensor = torch.tensor(weights, requires_grad=True)
    expected = keras.layers.CategoryEncoding(6, output_mode="count")(ids, count_weights=tensor)
    layer = ls_layers.CategoryEncoding(6, output_mode="count")
    y, cache = layer.forward(ids, count_weights=weights)
    assert relative_error(y, expected.detach().numpy()) < BAR
    dy = rng.normal(size=y.shape)
    (expected * torch.tensor(dy)).sum().backward()
    none, dweights = layer.backward(dy, cache)
    assert none is None
    assert relative_error(dweights, tensor.grad.numpy()) < BAR


# --- images ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(5, 7), (3, 9), (2, 2), (1, 1), (11, 4)])
@pytest.mark.parametrize(
    ("interpolation", "antialias"),
    [("bilinear", False), ("bilinear", True), ("nearest", False), ("nearest", True), ("bicubic", False), ("bicubic", True)],
)
@pytest.mark.parametrize("old", [(5, 7), (4, 6), (1, 3), (13, 8)])
def test_resizing(size: tuple[int, int], interpolation: str, antialias: bool, old: tuple[int, int], rng: np.random.Generator) -> None:
    arguments = {"height": size[0], "width": size[1], "interpolation": interpolation, "antialias": antialias}
    compare_layer(ls_layers.Resizing, keras.layers.Resizing, arguments, (images(rng, *old),))


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("batch", [2, None])
@pytest.mark.parametrize("aspect", ["crop_to_aspect_ratio", "pad_to_aspect_ratio"])
@pytest.mark.parametrize(
    ("old", "new"), [((5, 9), (4, 4)), ((9, 5), (4, 4)), ((6, 6), (3, 5)), ((7, 4), (2, 9)), ((3, 11), (7, 2)), ((1, 8), (3, 3))]
)
def test_resizing_keeps_the_aspect(
    data_format: str, batch: int | None, aspect: str, old: tuple[int, int], new: tuple[int, int], rng: np.random.Generator
) -> None:
    arguments = {"height": new[0], "width": new[1], aspect: True, "fill_value": 0.7, "data_format": data_format}
    compare_layer(ls_layers.Resizing, keras.layers.Resizing, arguments, (images(rng, *old, data_format, batch),))


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize("size", [(3, 4), (9, 11)])
def test_resizing_integers(interpolation: str, size: tuple[int, int], rng: np.random.Generator) -> None:
    x = rng.integers(256, size=(2, 5, 6, 3)).astype("uint8")
    expected = keras.layers.Resizing(*size, interpolation=interpolation)(x).numpy()
    y = ls_layers.Resizing(*size, interpolation=interpolation)(x)
    assert y.dtype == expected.dtype == np.uint8
    exact = ls_layers.Resizing(*size, interpolation=interpolation)(x.astype("float64"))
    halfway = np.abs(exact % 1 - 0.5) < 1e-4  # Keras interpolates in float32, which may round such a value the other way
    assert ((y == expected) | halfway).all()
    assert np.abs(y.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("batch", [2, None])
@pytest.mark.parametrize(
    ("old", "new"), [((5, 9), (4, 4)), ((9, 5), (3, 5)), ((6, 6), (6, 6)), ((4, 7), (5, 5)), ((4, 7), (9, 3)), ((3, 3), (8, 6))]
)
def test_center_crop(data_format: str, batch: int | None, old: tuple[int, int], new: tuple[int, int], rng: np.random.Generator) -> None:
    arguments = {"height": new[0], "width": new[1], "data_format": data_format}
    compare_layer(ls_layers.CenterCrop, keras.layers.CenterCrop, arguments, (images(rng, *old, data_format, batch),))


def compare_transform(
    theirs: Any, x: np.ndarray, forward: Callable[[Any], np.ndarray], backward: Callable[[np.ndarray, Any], np.ndarray], **fixed: Any
) -> None:
    """Keras' own drawn transformation, applied by both, forward and backward."""
    rng = np.random.default_rng(5)
    tensor = torch.tensor(x, requires_grad=True)
    drawn = {**theirs.get_random_transformation(x, training=True, seed=3), **fixed}
    kept = {name: value.clone() if isinstance(value, torch.Tensor) else value for name, value in drawn.items()}
    expected = theirs.transform_images(tensor * 1.0, drawn, training=True)  # some of Keras' write into their images
    assert relative_error(forward(kept), expected.detach().numpy()) < BAR
    dy = rng.normal(size=x.shape)
    (expected * torch.tensor(dy)).sum().backward()
    assert relative_error(backward(dy, kept), tensor.grad.numpy()) < BAR


@pytest.mark.parametrize("mode", list(AXES))
def test_random_flip(mode: str, rng: np.random.Generator) -> None:
    x = images(rng, 4, 5, batch=8)
    compare_transform(
        keras.layers.RandomFlip(mode),
        x,
        lambda drawn: flip_forward(x, drawn["flips"].numpy(), AXES[mode]),
        lambda dy, drawn: flip_backward(dy, drawn["flips"].numpy(), AXES[mode]),
    )


@pytest.mark.parametrize("factor", [0.3, (0.9, 1.0)])
@pytest.mark.parametrize("value_range", [(0, 1), (-5, 5)])
def test_random_contrast(factor: Any, value_range: tuple[float, float], rng: np.random.Generator) -> None:
    x = images(rng, 4, 5)
    saved: list[Any] = []

    def forward(drawn: Any) -> np.ndarray:
        factors = drawn["contrast_factor"].numpy()
        y, inside = contrast_forward(x, factors, *value_range)
        saved.extend((factors, inside))
        return np.asarray(y)

    compare_transform(
        keras.layers.RandomContrast(factor, value_range=value_range),
        x,
        forward,
        lambda dy, drawn: np.asarray(contrast_backward(dy, *saved)),
    )


@pytest.mark.parametrize("factor", [0.3, (-0.5, 0.1)])
@pytest.mark.parametrize("value_range", [(0, 255), (-1.0, 1.0)])
def test_random_brightness(factor: Any, value_range: tuple[float, float], rng: np.random.Generator) -> None:
    x = images(rng, 4, 5)
    saved: list[Any] = []

    def forward(drawn: Any) -> np.ndarray:
        y, inside = brightness_forward(x, drawn["rgb_delta"].numpy(), *value_range)
        saved.append(inside)
        return np.asarray(y)

    compare_transform(
        keras.layers.RandomBrightness(factor, value_range=value_range),
        x,
        forward,
        lambda dy, drawn: np.asarray(brightness_backward(dy, *saved)),
    )


@pytest.mark.parametrize("fill_mode", ["reflect", "wrap", "constant", "nearest"])
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize("size", [(5, 5), (4, 7), (1, 6)])
@pytest.mark.parametrize("kind", ["rotation", "translation", "zoom"])
def test_affine_layers(fill_mode: str, interpolation: str, size: tuple[int, int], kind: str, rng: np.random.Generator) -> None:
    x = images(rng, *size, batch=5)
    options = {"fill_mode": fill_mode, "interpolation": interpolation, "fill_value": 0.4}
    theirs: Any = {
        "rotation": lambda: keras.layers.RandomRotation(0.5, **options),
        "translation": lambda: keras.layers.RandomTranslation((-0.9, 0.7), 0.8, **options),
        "zoom": lambda: keras.layers.RandomZoom((-0.6, 0.9), 0.4, **options),
    }[kind]()
    saved: list[Any] = []

    def forward(drawn: Any) -> np.ndarray:
        if kind == "zoom":
            zooms = torch.cat([drawn["width_zoom"], drawn["height_zoom"]], dim=1).float()
            matrix = theirs._get_zoom_matrix(zooms, *size)
        else:
            matrix = drawn["rotation_matrix"] if kind == "rotation" else theirs._get_translation_matrix(drawn["translations"])
        saved.extend(affine_corners(matrix.numpy().astype("float64")[:, :6], *size, interpolation, fill_mode))
        return np.asarray(affine_forward(x, *saved, 0.4 if fill_mode == "constant" else 0.0))

    compare_transform(theirs, x, forward, lambda dy, drawn: np.asarray(affine_backward(dy, *saved)))


@pytest.mark.parametrize(("height", "width"), [(4, 6), (5, 5), (1, 3)])
def test_matrices_of_the_same_draw(height: int, width: int, rng: np.random.Generator) -> None:
    """An angle and a shift give both the same matrix; the draws themselves are each library's own."""
    x = images(rng, height, width, batch=3)
    rotation = ls_layers.RandomRotation((0.07, 0.07))
    theirs = keras.layers.RandomRotation((0.07, 0.07)).get_random_transformation(x, seed=1)["rotation_matrix"]
    assert relative_error(rotation.matrices(x), theirs.numpy()[:, :6]) < BAR
    shift = ls_layers.RandomTranslation((0.2, 0.2), (-0.3, -0.3))
    judge = keras.layers.RandomTranslation((0.2, 0.2), (-0.3, -0.3))
    translations = judge.get_random_transformation(x, seed=1)["translations"]
    assert relative_error(shift.matrices(x), judge._get_translation_matrix(translations).numpy()[:, :6]) < 1e-6  # float32 there
    zoom = ls_layers.RandomZoom((0.2, 0.2), (-0.3, -0.3))
    drawn = keras.layers.RandomZoom((0.2, 0.2), (-0.3, -0.3)).get_random_transformation(x, seed=1)
    zooms = torch.cat([drawn["width_zoom"], drawn["height_zoom"]], dim=1).float()
    assert relative_error(zoom.matrices(x), keras.layers.RandomZoom(0.1)._get_zoom_matrix(zooms, height, width).numpy()[:, :6]) < 1e-6


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("batch", [2, None])
@pytest.mark.parametrize(("old", "new"), [((5, 9), (4, 4)), ((3, 9), (4, 4)), ((4, 6), (4, 6)), ((3, 3), (5, 8)), ((9, 4), (3, 7))])
def test_random_crop(data_format: str, batch: int | None, old: tuple[int, int], new: tuple[int, int], rng: np.random.Generator) -> None:
    x = images(rng, *old, data_format, batch)
    theirs = keras.layers.RandomCrop(*new, data_format=data_format)
    ours = ls_layers.RandomCrop(**theirs.get_config())
    y = ours(x, training=True)
    if new[0] < old[0] and new[1] < old[1]:  # a window of the image, wherever it lies
        last = data_format == "channels_last"
        places = [
            theirs.transform_images(torch.tensor(x), (top, left), training=True).numpy()
            for top in range(old[0] - new[0] + 1)
            for left in range(old[1] - new[1] + 1)
        ]
        assert any(np.array_equal(y, place) for place in places), last
    else:
        assert relative_error(y, theirs(x, training=True).numpy()) < BAR


@pytest.mark.parametrize("name", ["RandomFlip", "RandomContrast", "RandomRotation", "RandomTranslation", "RandomZoom", "RandomBrightness"])
@pytest.mark.parametrize("data_format", FORMATS)
def test_nothing_happens_at_inference(name: str, data_format: str, rng: np.random.Generator) -> None:
    arguments: dict[str, Any] = {
        "RandomFlip": {},
        "RandomTranslation": {"height_factor": 0.2, "width_factor": 0.3},
        "RandomZoom": {"height_factor": 0.2},
    }.get(name, {"factor": 0.3})
    compare_layer(
        getattr(ls_layers, name), getattr(keras.layers, name), {**arguments, "data_format": data_format}, (images(rng, 4, 5, data_format),)
    )


# --- data ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("maxlen", [None, 0, 1, 3, 9])
@pytest.mark.parametrize("padding", ["pre", "post"])
@pytest.mark.parametrize("truncating", ["pre", "post"])
@pytest.mark.parametrize("dtype", ["int32", "float64"])
def test_pad_sequences(maxlen: int | None, padding: str, truncating: str, dtype: str, rng: np.random.Generator) -> None:
    sequences = [rng.integers(9, size=n).tolist() for n in (4, 1, 0, 7, 3)]
    arguments = {"maxlen": maxlen, "padding": padding, "truncating": truncating, "dtype": dtype, "value": -1}
    ours = pad_sequences(sequences, **arguments)
    if maxlen == 0:  # Keras 3.15 fails on this one
        assert ours.shape == (5, 0)
        return
    theirs = keras.utils.pad_sequences(sequences, **arguments)
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("shape", [(4,), (4, 1), (3, 2), (2, 3, 1)])
@pytest.mark.parametrize("classes", [None, 6])
def test_to_categorical(shape: tuple[int, ...], classes: int | None, rng: np.random.Generator) -> None:
    ids = rng.integers(5, size=shape)
    np.testing.assert_array_equal(to_categorical(ids, classes), keras.utils.to_categorical(ids, classes))


@pytest.mark.parametrize("rows", [2, 3, 7, 10, 99, 1000])
@pytest.mark.parametrize("fraction", [0.05, 0.1, 0.2, 0.3, 1 / 3, 0.5, 0.75, 0.9])
def test_split_validation(rows: int, fraction: float) -> None:
    from keras.src.trainers.data_adapters.array_slicing import train_validation_split

    x, y = np.arange(rows), np.arange(rows) * 2
    try:
        theirs = train_validation_split((x, y), fraction)
    except ValueError:
        with pytest.raises(ValueError, match="leaves none for"):
            split_validation((x, y), fraction)
        return
    for ours, wanted in zip(split_validation((x, y), fraction), theirs, strict=True):
        for a, b in zip(ours, wanted, strict=True):
            np.testing.assert_array_equal(a, np.asarray(b))
