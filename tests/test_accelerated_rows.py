"""Adding up rows that share an id, compiled, against the reference: every thread count, odd ids, empty rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from ls_core.parameter import sum_rows
from ls_core.threads import set_thread_count, thread_count

from .tolerances import assert_close

pytest.importorskip("numba")


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    from ls_core.accelerated import rows_numba

    monkeypatch.setattr(rows_numba, "LEAST", 8)
    before = thread_count()
    set_thread_count(request.param)
    yield request.param
    set_thread_count(before)


@pytest.mark.parametrize("kind", ["int32", "int64", "uint8"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize(("count", "highest"), [(0, 5), (1, 0), (40, 5), (300, 200), (100, 10**7)])
@pytest.mark.parametrize("shape", [(), (3,), (4, 5), (0,)], ids=str)
def test_same_as_the_reference(shape: tuple[int, ...], count: int, highest: int, dtype: str, kind: str, threads: int) -> None:
    rng = np.random.default_rng(0)
    ids = rng.integers(0, min(highest, 255 if kind == "uint8" else highest) + 1, count).astype(kind)
    values = rng.normal(size=(count, *shape)).astype(dtype)
    (rows, sums), (wanted_rows, wanted) = sum_rows.overrides["numba"](ids, values), sum_rows.reference(ids, values)
    np.testing.assert_array_equal(rows, wanted_rows)
    assert rows.dtype == ids.dtype
    assert sums.dtype == values.dtype
    assert_close(sums, wanted, dtype)


def test_negative_ids_and_views() -> None:
    rng = np.random.default_rng(0)
    ids = rng.integers(-9, 9, 60)[::2]
    values = rng.normal(size=(4, 30)).T
    for given in (ids, abs(ids)):
        (rows, sums), (wanted_rows, wanted) = sum_rows.overrides["numba"](given, values), sum_rows.reference(given, values)
        np.testing.assert_array_equal(rows, wanted_rows)
        assert_close(sums, wanted)
