"""Dense with compiled products against its reference, on shapes that take them, whatever BLAS there is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from ls_core.threads import set_thread_count, thread_count
from ls_layers.dense import dense_backward, dense_forward

from .tolerances import assert_close

pytest.importorskip("numba")

SHAPES = [((64, 130), 77), ((33, 700), 40), ((300, 20), 300), ((7, 9, 64), 200), ((1200, 65), 33)]


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = thread_count()
    set_thread_count(request.param)
    yield request.param
    set_thread_count(before)


@pytest.fixture(autouse=True)
def tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    from ls_layers.accelerated import dense_compiled, dense_numba

    monkeypatch.setattr(dense_compiled, "BEATS_BLAS", True)
    monkeypatch.setattr(dense_numba, "WORK", 0)
    monkeypatch.setattr(dense_numba, "SHARE", 1 << 12)


def draw(shape: tuple[int, ...], units: int, dtype: str) -> tuple[Any, ...]:
    rng = np.random.default_rng(0)
    W = rng.normal(size=(shape[-1], units)) / shape[-1] ** 0.5
    arrays = rng.normal(size=shape), W, rng.normal(size=units), rng.normal(size=(*shape[:-1], units))
    return tuple(each.astype(dtype) for each in arrays)


def compare(got: Any, wanted: Any, dtype: str) -> None:
    for a, b in zip(got, wanted, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            assert a.dtype == dtype
            assert_close(a, b, dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("shape", "units"), SHAPES, ids=str)
def test_same_as_the_reference(shape: tuple[int, ...], units: int, dtype: str, threads: int) -> None:
    x, W, b, dz = draw(shape, units, dtype)
    compare(dense_forward.overrides["numba"](x, W, b), dense_forward.reference(x, W, b), dtype)
    compare(dense_backward.overrides["numba"](dz, x, W, True, True), dense_backward.reference(dz, x, W, True, True), dtype)


@pytest.mark.parametrize("has_bias", [False, True])
@pytest.mark.parametrize("input_gradient", [False, True])
def test_what_is_left_out(has_bias: bool, input_gradient: bool) -> None:
    x, W, b, dz = draw((64, 130), 77, "float64")
    bias = b if has_bias else None
    compare(dense_forward.overrides["numba"](x, W, bias), dense_forward.reference(x, W, bias), "float64")
    options = has_bias, input_gradient
    compare(dense_backward.overrides["numba"](dz, x, W, *options), dense_backward.reference(dz, x, W, *options), "float64")


def test_views_and_what_nobody_may_write_to() -> None:
    x, W, b, dz = draw((64, 130), 77, "float64")
    for array in (x, W, b, dz):
        array.flags.writeable = False
    turned = np.ascontiguousarray(x.T).T, np.ascontiguousarray(W.T).T, b, np.ascontiguousarray(dz.T).T
    wanted = dense_backward.reference(dz, x, W, True, True)
    for u, V, c, du in ((x, W, b, dz), turned):
        compare(dense_forward.overrides["numba"](u, V, c)[:1], dense_forward.reference(x, W, b)[:1], "float64")
        compare(dense_backward.overrides["numba"](du, u, V, True, True), wanted, "float64")


@pytest.mark.parametrize("dtype", ["float16", "complex128"])
def test_other_types_take_the_reference(dtype: str) -> None:
    x, W, b, dz = draw((64, 130), 77, dtype)
    np.testing.assert_array_equal(dense_forward.overrides["numba"](x, W, b)[0], dense_forward.reference(x, W, b)[0])
    for a, c in zip(dense_backward.overrides["numba"](dz, x, W, True, True), dense_backward.reference(dz, x, W, True, True), strict=True):
        np.testing.assert_array_equal(a, c)
