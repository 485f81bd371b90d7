"""The normalisations: what they keep, what passes through them, and their errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import ls_core
import ls_layers
from ls_core.errors import ShapeError
from ls_layers.normalized_axes import gather, scatter


@pytest.mark.parametrize("places", [(2,), (1, 2), (0,), (1,), (0, 2)])
def test_axes_are_gathered_and_put_back(places: tuple[int, ...], rng: np.random.Generator) -> None:
    x = rng.normal(size=(2, 3, 4))
    rows = gather(x, places)
    assert rows.shape[-1] == np.prod([x.shape[place] for place in places])
    np.testing.assert_array_equal(scatter(rows, places, x.shape), x)
    np.testing.assert_allclose(rows.mean(axis=-1), x.mean(axis=places))


@pytest.mark.parametrize("axis", [-1, 1])
def test_batch_normalization_learns_statistics_only_while_training(axis: int, rng: np.random.Generator) -> None:
    layer = ls_layers.BatchNormalization(axis=axis, momentum=0.75)
    x = rng.normal(3.0, 2.0, size=(50, 4, 4))
    layer.forward(x)
    np.testing.assert_array_equal(layer.moving_mean.value, 0)
    layer.forward(x, training=True)
    others = (0, 1) if axis == -1 else (0, 2)
    np.testing.assert_allclose(layer.moving_mean.value, 0.25 * x.mean(axis=others))
    np.testing.assert_allclose(layer.moving_variance.value, 0.75 + 0.25 * x.var(axis=others))
    assert [p.name for p in layer.parameters()] == ["gamma", "beta", "moving_mean", "moving_variance"]
    assert [p.name for p in layer.trainable_parameters()] == ["gamma", "beta"]


def test_a_frozen_batch_normalization_runs_as_at_inference(rng: np.random.Generator) -> None:
    layer = ls_layers.BatchNormalization()
    x = rng.normal(3.0, 2.0, size=(5, 4))
    at_rest = layer.forward(x)[0]
    layer.trainable = False
    np.testing.assert_array_equal(layer.forward(x, training=True)[0], at_rest)
    np.testing.assert_array_equal(layer.moving_mean.value, 0)
    layer.trainable = True
    assert not layer.moving_mean.trainable


def test_an_empty_batch_teaches_nothing() -> None:
    layer = ls_layers.BatchNormalization()
    y, cache = layer.forward(np.zeros((0, 3)), training=True)
    assert layer.backward(y, cache).shape == (0, 3)
    np.testing.assert_array_equal(layer.moving_variance.value, 1)


def test_masked_elements_do_not_count(rng: np.random.Generator) -> None:
    x, mask = rng.normal(size=(2, 3, 4)), np.array([[True, True, False], [True, False, False]])
    layer = ls_layers.BatchNormalization()
    y = layer.forward(x, mask=mask, training=True)[0]
    np.testing.assert_allclose(y[mask].mean(axis=0), 0, atol=1e-7)
    other = np.where(mask[..., None], x, 100.0)
    np.testing.assert_allclose(layer.forward(other, mask=mask, training=True)[0][mask], y[mask])


@pytest.mark.parametrize(
    "layer",
    [
        ls_layers.BatchNormalization(),
        ls_layers.LayerNormalization(),
        ls_layers.GroupNormalization(groups=1),
        ls_layers.UnitNormalization(),
        ls_layers.SpectralNormalization(ls_layers.Dense(2)),
    ],
    ids=repr,
)
def test_masks_pass_through(layer: Any) -> None:
    mask = np.array([True, False])
    assert layer.compute_mask(np.ones((2, 3)), mask) is mask
    assert ls_layers.RMSNormalization().compute_mask(np.ones((2, 3)), mask) is None  # as in Keras 3


@pytest.mark.parametrize(
    "make",
    [
        ls_layers.LayerNormalization,
        ls_layers.RMSNormalization,
        ls_layers.UnitNormalization,
        lambda: ls_layers.GroupNormalization(groups=2),
        ls_layers.BatchNormalization,
    ],
)
def test_half_precision_does_not_overflow(make: Any) -> None:
    """300 squared is more than float16 holds."""
    x = (300 * np.arange(-4, 4).reshape(2, 4)).astype(np.float16)
    layer = make()
    y, cache = layer.forward(x, training=True)
    assert y.dtype == np.float16
    assert np.isfinite(y).all()
    assert np.abs(y).max() < 3
    dx = layer.backward(y, cache)
    assert dx.dtype == np.float16
    assert np.isfinite(dx).all()


def test_zeros_have_no_direction() -> None:
    """Where the norm is too small to divide by, y = 1e12 x; Keras on PyTorch gives NaN for the gradient at 0."""
    layer = ls_layers.UnitNormalization()
    y, cache = layer.forward(np.zeros((1, 3)))
    np.testing.assert_array_equal(y, 0)
    np.testing.assert_array_equal(layer.backward(np.ones((1, 3)), cache), 1e12)


def test_spectral_normalization_brings_the_largest_singular_value_to_one(rng: np.random.Generator) -> None:
    layer = ls_layers.SpectralNormalization(ls_layers.Dense(4), power_iterations=50)
    layer.forward(rng.normal(size=(2, 6)), training=True)
    assert np.linalg.norm(layer.layer.kernel.value, 2) == pytest.approx(1.0, abs=1e-6)
    assert [p.path for p in layer.parameters()] == [
        "spectral_normalization/dense/kernel",
        "spectral_normalization/vector_u",
        "spectral_normalization/dense/bias",
    ]
    assert [p.name for p in layer.trainable_parameters()] == ["kernel", "bias"]


def test_spectral_normalization_leaves_a_kernel_of_zeros_alone() -> None:
    layer = ls_layers.SpectralNormalization(ls_layers.Dense(4, kernel_initializer="zeros"))
    y, _ = layer.forward(np.ones((2, 3)), training=True)
    np.testing.assert_array_equal(y, 0)


def test_spectral_normalization_hands_the_mask_on() -> None:
    layer = ls_layers.SpectralNormalization(ls_layers.Embedding(4, 2, mask_zero=True))
    model = ls_core.Sequential([layer, ls_layers.GlobalAveragePooling1D()])
    ids = np.array([[1, 2, 0, 0]])
    np.testing.assert_allclose(model(ids), layer(ids)[:, :2].mean(axis=1), rtol=1e-6)


def test_renormalization_ends_where_plain_statistics_do(rng: np.random.Generator) -> None:
    layer = ls_layers.BatchNormalization(renorm=True, momentum=0.5, renorm_momentum=0.5)
    x = rng.normal(3.0, 2.0, size=(200, 2))
    for _ in range(60):
        y, _ = layer.forward(x, training=True)
    np.testing.assert_allclose(y, layer.forward(x)[0], atol=1e-9)


@pytest.mark.parametrize(
    ("make", "shape", "message"),
    [
        (lambda: ls_layers.LayerNormalization(axis=3), (2, 3), "axis 3 is outside the input, which has 2 axes"),
        (lambda: ls_layers.LayerNormalization(axis=[1, -1]), (2, 3), "twice"),
        (lambda: ls_layers.RMSNormalization(axis=-3), (2, 3), "axis -3 is outside"),
        (lambda: ls_layers.UnitNormalization(axis=2), (2, 3), "axis 2 is outside"),
        (lambda: ls_layers.BatchNormalization(axis=4), (2, 3), "axis 4 is outside"),
        (lambda: ls_layers.GroupNormalization(groups=4), (2, 6), "6 channels, which do not divide into 4 groups"),
        (lambda: ls_layers.GroupNormalization(groups=8), (2, 6), "6 channels, which do not divide into 8 groups"),
        (lambda: ls_layers.GroupNormalization(groups=2, axis=0), (2, 6), "axis 0 is the batch"),
    ],
)
def test_axes_that_do_not_fit(make: Any, shape: tuple[int, ...], message: str) -> None:
    layer = make()
    with pytest.raises(ShapeError, match=message):
        layer.forward(np.ones(shape))


@pytest.mark.parametrize("layer", [ls_layers.BatchNormalization(), ls_layers.LayerNormalization(), ls_layers.RMSNormalization()], ids=repr)
def test_another_size_than_before(layer: Any) -> None:
    layer.forward(np.ones((2, 3)))
    with pytest.raises(ShapeError, match="axis -1 of the input is 4, its Parameters want 3") as caught:
        layer.forward(np.ones((2, 4)))
    assert caught.value.axis == -1


def test_an_unknown_size() -> None:
    with pytest.raises(ShapeError, match="axis -1 of the input must be known"):
        ls_layers.LayerNormalization().build((None, None))


def test_a_mask_of_the_wrong_rank() -> None:
    with pytest.raises(ShapeError, match="the mask has 2 axes"):
        ls_layers.BatchNormalization().forward(np.ones((2, 3)), mask=np.ones((2, 3), bool))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: ls_layers.LayerNormalization(axis="last"), TypeError, "axis is an integer or a list of integers"),
        (lambda: ls_layers.GroupNormalization(groups=0), ValueError, "groups is a positive integer, or -1"),
        (lambda: ls_layers.GroupNormalization(groups=-2), ValueError, "groups is a positive integer, or -1"),
        (lambda: ls_layers.SpectralNormalization(ls_layers.Dense(1), 0), ValueError, "power_iterations is a positive integer"),
        (lambda: ls_layers.BatchNormalization(renorm=True, renorm_clipping={"rmas": 1.0}), ValueError, "not \\['rmas'\\]"),
        (lambda: ls_layers.BatchNormalization(renorm=True, renorm_clipping={"rmax": 1.0, "rmin": 2.0}), ValueError, "rmax 1.0 below rmin"),
        (lambda: ls_layers.BatchNormalization(renorm=True, renorm_clipping={"dmax": -1.0}), ValueError, "dmax is not negative"),
    ],
)
def test_arguments_that_make_no_sense(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_spectral_normalization_needs_a_kernel() -> None:
    with pytest.raises(TypeError, match="neither a 'kernel' nor 'embeddings'"):
        ls_layers.SpectralNormalization(ls_layers.Flatten()).forward(np.ones((2, 3)))
