"""Products of compiled kernels: every edge of the blocks, turned or not, a part of c, added to what is there."""

from __future__ import annotations

import numpy as np
import pytest

from .tolerances import assert_close

pytest.importorskip("numba")

SHAPES = [(1, 1, 1), (5, 7, 3), (8, 16, 32), (13, 260, 37), (300, 20, 270), (16, 300, 600), (3, 0, 4), (0, 3, 4)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_product(shape: tuple[int, int, int], dtype: str, rng: np.random.Generator) -> None:
    from ls_layers.accelerated.products import product

    M, K, N = shape
    a, b = rng.normal(size=(M, K)).astype(dtype), rng.normal(size=(K, N)).astype(dtype)
    wanted = a.astype("float64") @ b.astype("float64")
    for a_turned, b_turned in ((False, False), (False, True), (True, False), (True, True)):
        left, right = (np.ascontiguousarray(each.T) if turned else each for each, turned in ((a, a_turned), (b, b_turned)))
        c = np.full((M, N), np.nan, dtype)
        product(c, left, a_turned, right, b_turned, 0, M, 0, N, 0, K, False)
        assert_close(c, wanted, dtype)
        product(c, left, a_turned, right, b_turned, 0, M, 0, N, 0, K, True)
        assert_close(c, 2 * wanted, dtype)


def test_a_part_of_a_product_leaves_the_rest_alone(rng: np.random.Generator) -> None:
    from ls_layers.accelerated.products import product

    a, b = rng.normal(size=(20, 30)), rng.normal(size=(30, 50))
    c = np.full((20, 50), 7.0)
    product(c, a, False, b, False, 3, 17, 5, 41, 10, 20, False)
    wanted = np.full((20, 50), 7.0)
    wanted[3:17, 5:41] = a[3:17, 10:20] @ b[10:20, 5:41]
    assert_close(c, wanted)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_stays_visible(value: float) -> None:
    from ls_layers.accelerated.products import product

    a, b, c = np.ones((9, 4), "float32"), np.ones((4, 40), "float32"), np.empty((9, 40), "float32")
    a[8, 2] = value
    product(c, a, False, b, False, 0, 9, 0, 40, 0, 4, False)
    assert np.isfinite(c[:8]).all()
    assert not np.isfinite(c[8]).any()
