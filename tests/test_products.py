"""Products by the pool of threads: every way to split them, views, types, and what BLAS is left with."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from ls_core import products
from ls_core.blas import blas_threads, can_set_blas_threads
from ls_core.products import multiply, multiply_all
from ls_core.threads import run_blocks, set_thread_count, thread_count

from .tolerances import assert_close

SHAPES = [(1, 1, 1), (0, 3, 4), (3, 0, 4), (64, 300, 40), (40, 300, 64), (33, 7, 100), (100, 1, 3)]


@pytest.fixture(params=[1, 2, 3], autouse=True)
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("SMALL", "SHARE"):  # so that small products are split
        monkeypatch.setattr(products, name, 1)
    before = thread_count()
    set_thread_count(request.param)
    yield
    set_thread_count(before)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "complex128", "int64"])
@pytest.mark.parametrize("shape", SHAPES)
def test_as_numpy(shape: tuple[int, int, int], dtype: str, rng: np.random.Generator) -> None:
    M, K, N = shape
    a, b = (rng.normal(size=size).astype(dtype) for size in ((M, K), (K, N)))
    for left in (a, np.ascontiguousarray(a.T).T, np.repeat(a, 2, axis=1)[:, ::2]):
        for right in (b, np.ascontiguousarray(b.T).T):
            got = multiply(left, right)
            assert got.dtype == dtype
            assert_close(got, a @ b)


def test_several_at_once(rng: np.random.Generator) -> None:
    pairs = [(rng.normal(size=(M, K)), rng.normal(size=(K, N))) for M, K, N in SHAPES]
    for got, (a, b) in zip(multiply_all(*pairs), pairs, strict=True):
        assert_close(got, a @ b)


def test_two_types_and_read_only(rng: np.random.Generator) -> None:
    a, b = rng.normal(size=(30, 20)).astype("float32"), rng.normal(size=(20, 50))
    a.flags.writeable = b.flags.writeable = False
    assert multiply(a, b).dtype == np.float64
    assert_close(multiply(a, b), a @ b)


def test_within_a_block_and_always_the_same_bits(rng: np.random.Generator) -> None:
    a, b = rng.normal(size=(60, 70)).astype("float32"), rng.normal(size=(70, 50)).astype("float32")
    wanted, found = multiply(a, b), {}
    run_blocks(lambda i, j: found.update({i: multiply(a, b)}), [(0, 1), (1, 2)])
    assert all((each == wanted).all() for each in found.values())


@pytest.mark.skipif(not can_set_blas_threads(), reason="this BLAS can't be told how many threads to use")
def test_blas_keeps_its_threads_for_others(rng: np.random.Generator) -> None:
    from ls_core.blas import _function

    count = _function("get_num_threads")
    assert count is not None
    with blas_threads(2):
        multiply(rng.normal(size=(60, 70)), rng.normal(size=(70, 50)))
        assert count() == 2
