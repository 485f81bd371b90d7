"""matmul by the pool of threads: every way to split products, batches, views, types, out=, and what BLAS is left with."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from ls_core import products
from ls_core.blas import blas_threads, can_set_blas_threads
from ls_core.products import matmul, multiply_all
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
            got = matmul(left, right)
            assert got.dtype == dtype
            assert_close(got, a @ b)


BATCHES = [
    ((4, 5, 6), (4, 6, 7)),
    ((1, 30, 6), (1, 6, 40)),
    ((3, 1, 5, 6), (2, 6, 7)),
    ((1, 4, 5, 6), (3, 1, 6, 7)),
    ((5, 6), (4, 6, 7)),
    ((7, 5, 6), (6, 2)),
    ((0, 5, 6), (6, 2)),
    ((4, 5, 0), (4, 0, 3)),
    ((2, 3, 5, 6), (6,)),
    ((6,), (3, 6, 2)),
    ((6,), (6,)),
]


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "complex128", "int64", "bool"])
@pytest.mark.parametrize(("left", "right"), BATCHES)
def test_batches(left: tuple[int, ...], right: tuple[int, ...], dtype: str, rng: np.random.Generator) -> None:
    a, b = (rng.normal(size=size).astype(dtype) for size in (left, right))
    wanted = np.matmul(a, b)
    for x in (a, np.ascontiguousarray(a.swapaxes(0, -1)).swapaxes(0, -1), np.repeat(a, 2, axis=-1)[..., ::2]):
        got = matmul(x, b)
        assert (got.dtype, got.shape) == (wanted.dtype, wanted.shape)
        assert_close(got, wanted)


def test_out(rng: np.random.Generator) -> None:
    a, b = rng.normal(size=(30, 20)), rng.normal(size=(20, 50))
    for out in (np.empty((30, 50)), np.empty((50, 30)).T, np.empty((30, 100))[:, ::2]):
        assert matmul(a, b, out=out) is out
        assert_close(out, a @ b)


def test_lists_and_what_does_not_fit(rng: np.random.Generator) -> None:
    assert matmul(np.eye(2), [[1, 2], [3, 4]]).tolist() == matmul([[1, 2], [3, 4]], np.eye(2)).tolist() == [[1, 2], [3, 4]]
    for left, right in [((30, 20), (30, 50)), ((4, 5, 6), (4, 5, 7)), ((4, 5, 6), (3, 6, 7)), ((2, 3), ())]:
        with pytest.raises(ValueError, match="mismatch|dimensions|broadcast"):
            matmul(np.ones(left), np.ones(right))


def test_several_at_once(rng: np.random.Generator) -> None:
    pairs = [(rng.normal(size=(M, K)), rng.normal(size=(K, N))) for M, K, N in SHAPES]
    for got, (a, b) in zip(multiply_all(*pairs), pairs, strict=True):
        assert_close(got, a @ b)


def test_two_types_and_read_only(rng: np.random.Generator) -> None:
    a, b = rng.normal(size=(30, 20)).astype("float32"), rng.normal(size=(20, 50))
    a.flags.writeable = b.flags.writeable = False
    assert matmul(a, b).dtype == np.float64
    assert_close(matmul(a, b), a @ b)


def test_bfloat16_as_numpy(rng: np.random.Generator) -> None:
    pytest.importorskip("ml_dtypes", reason="bfloat16 needs ml_dtypes, the extra bf16")
    for left, right in (((2, 3), (3, 4)), ((60, 70), (70, 50)), ((4, 60, 70), (4, 70, 50))):
        a, b = (rng.normal(size=size).astype("bfloat16") for size in (left, right))
        assert matmul(a, b).dtype == np.matmul(a, b).dtype
        assert_close(matmul(a, b), np.matmul(a, b), "float32")


def test_within_a_block_and_always_the_same_bits(rng: np.random.Generator) -> None:
    a, b = rng.normal(size=(60, 70)).astype("float32"), rng.normal(size=(70, 50)).astype("float32")
    wanted, found = matmul(a, b), {}
    run_blocks(lambda i, j: found.update({i: matmul(a, b)}), [(0, 1), (1, 2)])
    assert all((each == wanted).all() for each in found.values())


@pytest.mark.skipif(not can_set_blas_threads(), reason="this BLAS can't be told how many threads to use")
def test_blas_keeps_its_threads_for_others(rng: np.random.Generator) -> None:
    from ls_core.blas import _function

    count = _function("get_num_threads")
    assert count is not None
    with blas_threads(2):
        matmul(rng.normal(size=(60, 70)), rng.normal(size=(70, 50)))
        assert count() == 2
