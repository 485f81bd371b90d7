"""Initialisers: their distributions, their fans, their seeds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import ls_core
import ls_layers
from ls_core import initializers
from ls_core.random import Stream
from ls_core.registry import deserialize, serialize


@pytest.mark.parametrize(
    ("name", "fan", "scale"),
    [
        ("glorot_uniform", "avg", 1),
        ("glorot_normal", "avg", 1),
        ("he_uniform", "in", 2),
        ("he_normal", "in", 2),
        ("lecun_uniform", "in", 1),
        ("lecun_normal", "in", 1),
    ],
)
def test_variance_of_the_scaled_ones(name: str, fan: str, scale: int) -> None:
    shape = (3, 5, 40, 60)
    fan_in, fan_out = 15 * 40, 15 * 60
    assert initializers.compute_fans(shape) == (fan_in, fan_out)
    values = deserialize("initializer", name)(shape, dtype="float64")
    wanted = scale / {"in": fan_in, "avg": (fan_in + fan_out) / 2}[fan]
    assert values.var() == pytest.approx(wanted, rel=0.05)
    assert abs(values.mean()) < 4 * math.sqrt(wanted / values.size)
    limit = math.sqrt(3 * wanted) if "uniform" in name else 2 * math.sqrt(wanted) / 0.87962566103423978
    assert np.abs(values).max() <= limit
    assert np.abs(values).max() > 0.95 * limit


def test_plain_distributions() -> None:
    normal = initializers.RandomNormal(1.0, 2.0)((200, 200), dtype="float64")
    assert normal.mean() == pytest.approx(1, abs=0.05)
    assert normal.std() == pytest.approx(2, rel=0.02)
    uniform = initializers.RandomUniform(-1, 3)((200, 200))
    assert uniform.dtype == np.float32
    assert -1 <= uniform.min() < -0.99
    assert 2.99 < uniform.max() < 3
    truncated = initializers.TruncatedNormal(0.0, 1.0)((200, 200))
    assert np.abs(truncated).max() <= 2
    assert truncated.std() == pytest.approx(0.8796, rel=0.02)
    np.testing.assert_array_equal(initializers.Constant([1, 2])((3, 2)), [[1, 2]] * 3)
    np.testing.assert_array_equal(initializers.Identity(2.0)((2, 3)), [[2, 0, 0], [0, 2, 0]])


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (2, 3, 5)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    q = initializers.Orthogonal(gain=2.0)(shape, dtype="float64").reshape(-1, shape[-1])
    small = q.T @ q if q.shape[0] >= q.shape[1] else q @ q.T
    np.testing.assert_allclose(small, 4 * np.eye(len(small)), atol=1e-12)


def test_seeds_and_streams() -> None:
    seeded = initializers.GlorotUniform(seed=3)
    np.testing.assert_array_equal(seeded((4, 4)), seeded((4, 4)))
    free = initializers.GlorotUniform()
    assert (free((4, 4)) != free((4, 4))).any()
    np.testing.assert_array_equal(free((4, 4), stream=Stream("a", 0)), free((4, 4), stream=Stream("a", 0)))
    ls_core.set_seed(1)
    first = free((4, 4))
    ls_core.set_seed(1)
    np.testing.assert_array_equal(free((4, 4)), first)


def test_configurations() -> None:
    for each in (initializers.HeNormal(seed=2), initializers.VarianceScaling(2.0, "fan_out", "uniform"), initializers.STFT("imag")):
        again = deserialize("initializer", serialize(each))
        assert type(again) is type(each)
        assert again.get_config() == each.get_config()


def test_stft_kernels_are_the_discrete_fourier_transform() -> None:
    x = np.random.default_rng(0).normal(size=16)
    real, imag = (initializers.STFT(side, None)((16, 1, 9), dtype="float64")[:, 0] for side in ("real", "imag"))
    wanted = np.fft.rfft(x)
    np.testing.assert_allclose(x @ real, wanted.real, atol=1e-12)
    np.testing.assert_allclose(x @ imag, wanted.imag, atol=1e-12)


@pytest.mark.parametrize(
    "make",
    [
        lambda: initializers.VarianceScaling(-1.0),
        lambda: initializers.VarianceScaling(mode="fan"),
        lambda: initializers.VarianceScaling(distribution="normals"),
        lambda: initializers.Orthogonal()((3,)),
        lambda: initializers.Identity()((3, 3, 3)),
        lambda: initializers.STFT("left"),
        lambda: initializers.STFT(window="kaiser"),
        lambda: initializers.STFT(scaling="none"),
        lambda: initializers.STFT()((3, 2, 4)),
        lambda: initializers.STFT(window=[1.0, 2.0])((3, 1, 4)),
    ],
)
def test_refusals(make: Any) -> None:
    with pytest.raises(ValueError, match="VarianceScaling|Orthogonal|Identity|STFT"):
        make()


def test_weights_lie_in_order() -> None:
    """Whatever the initialiser makes of its numbers: an orthogonal one of more columns than rows is turned."""
    layer = ls_layers.LSTM(8)
    layer.build((None, 3, 4))
    assert all(p.value.flags.c_contiguous for p in layer.parameters())
