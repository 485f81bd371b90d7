"""Adam, SGD and RMSprop with overrides against their references: sizes around the blocks, row gradients, threads, odd types."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import ls_core
from ls_core import Parameter
from ls_core.parameter import RowGradient
from ls_core.threads import set_thread_count, thread_count
from ls_optim import SGD, Adam, AdamW, Optimizer, RMSprop
from ls_optim.accelerated.updates_numpy import BLOCK, LEAST
from ls_optim.adam import adam_update
from ls_optim.rmsprop import rmsprop_update
from ls_optim.sgd import sgd_update

from .tolerances import assert_close

TIERS = ["numpy", "numba"]
# The update, the number of state arrays (None for one that is left out), its constants.
KINDS: dict[str, tuple[Any, list[bool], tuple[Any, ...]]] = {
    "adam": (adam_update, [True, True, False], (0.01, 0.9, 0.99, 1e-7, 3)),
    "amsgrad": (adam_update, [True, True, True], (0.01, 0.9, 0.99, 1e-7, 3)),
    "sgd": (sgd_update, [False], (0.1, 0.0, False)),
    "momentum": (sgd_update, [True], (0.1, 0.9, False)),
    "nesterov": (sgd_update, [True], (0.1, 0.9, True)),
    "rmsprop": (rmsprop_update, [True, False, False], (0.01, 0.9, 0.0, 1e-7)),
    "rmsprop_centered": (rmsprop_update, [True, True, False], (0.01, 0.9, 0.0, 1e-7)),
    "rmsprop_momentum": (rmsprop_update, [True, False, True], (0.01, 0.9, 0.9, 1e-7)),
    "rmsprop_both": (rmsprop_update, [True, True, True], (0.01, 0.9, 0.9, 1e-7)),
}
SHAPES = [(), (0,), (1,), (7, 3), (BLOCK,), (BLOCK + 1,), (3 * LEAST + 5,)]


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = thread_count()
    set_thread_count(request.param)
    yield request.param
    set_thread_count(before)


def override(kind: str, tier: str) -> Callable[..., None]:
    if tier == "numba":
        pytest.importorskip("numba")
    return KINDS[kind][0].overrides[tier]  # type: ignore[no-any-return]


def draw(kind: str, shape: tuple[int, ...], dtype: str) -> tuple[Any, list[Any]]:
    """value, and state; the squares' means exceed the squares of the means, and some of them their maximum so far."""
    rng = np.random.default_rng(3)
    value = rng.normal(size=shape).astype(dtype)
    return value, [
        rng.uniform(low, low + 0.5, size=shape).astype(dtype) if there else None
        for low, there in zip((4, 1, 1), KINDS[kind][1], strict=False)
    ]


def compare(kind: str, tier: str, value: Any, state: list[Any], grad: Any, dtype: str) -> None:
    constants = KINDS[kind][2]
    wanted, wanted_state = value.copy(), [None if a is None else a.copy() for a in state]
    update = override(kind, tier)
    for _ in range(2):
        KINDS[kind][0].reference(wanted, grad, *wanted_state, *constants)
        update(value, grad, *state, *constants)
    for a, b in zip((value, *state), (wanted, *wanted_state), strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            assert a.dtype == dtype
            assert_close(a, b, dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tier", TIERS)
def test_same_as_the_reference(kind: str, tier: str, shape: tuple[int, ...], dtype: str, threads: int) -> None:
    value, state = draw(kind, shape, dtype)
    grad = np.random.default_rng(1).normal(size=shape).astype(dtype)
    before = grad.copy()
    compare(kind, tier, value, state, grad, dtype)
    np.testing.assert_array_equal(grad, before)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("kind", KINDS)
def test_blocks_have_the_bits_of_the_reference(kind: str, dtype: str, threads: int) -> None:
    # joined Parameters may be more than a block where each alone is less
    value, state = draw(kind, (3 * LEAST + 5,), dtype)
    grad = np.random.default_rng(1).normal(size=value.shape).astype(dtype)
    wanted, wanted_state = value.copy(), [None if a is None else a.copy() for a in state]
    KINDS[kind][0].reference(wanted, grad, *wanted_state, *KINDS[kind][2])
    override(kind, "numpy")(value, grad, *state, *KINDS[kind][2])
    for a, b in zip((value, *state), (wanted, *wanted_state), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "rows", [[], [0], [4, 1, 1999], [*range(0, 2000, 3)], [*range(2000)]], ids=["none", "first", "unsorted", "third", "all"]
)
@pytest.mark.parametrize("shape", [(2000, 100), (2000,), (2000, 2, 3)], ids=str)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tier", TIERS)
def test_a_row_gradient_is_its_dense_gradient(kind: str, tier: str, shape: tuple[int, ...], rows: list[int], threads: int) -> None:
    value, state = draw(kind, shape, "float64")
    grad = RowGradient(np.array(rows, int), np.random.default_rng(1).normal(size=(len(rows), *shape[1:])), shape)
    compare(kind, tier, value, state, grad, "float64")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tier", TIERS)
def test_views_are_updated_in_place(kind: str, tier: str) -> None:
    wide, state = draw(kind, (6, 8), "float64")
    grad = np.random.default_rng(1).normal(size=(4, 6)).T
    untouched = wide[:, 1::2].copy()
    compare(kind, tier, wide[:, ::2], [None if a is None else a[:, ::2] for a in state], grad, "float64")
    np.testing.assert_array_equal(wide[:, 1::2], untouched)


@pytest.mark.parametrize("kind", ["adam", "amsgrad", "momentum", "rmsprop_both"])
@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_what_is_no_number_stays_visible(kind: str, tier: str, number: float) -> None:
    value, state = draw(kind, (40,), "float32")
    grad = np.zeros(40, "float32")
    grad[17] = number
    with np.errstate(invalid="ignore"):  # inf / inf
        override(kind, tier)(value, grad, *state, *KINDS[kind][2])
    assert not np.isfinite(value[17])
    assert np.isfinite(value).sum() == 39


@pytest.mark.parametrize("make", [Adam, AdamW, lambda **o: SGD(0.1, momentum=0.9, **o), RMSprop], ids=["Adam", "AdamW", "SGD", "RMSprop"])
def test_rows_and_dense_gradients_train_alike(make: Callable[..., Optimizer]) -> None:
    rng = np.random.default_rng(0)
    start = rng.normal(size=(50, 8))
    tables = [Parameter(start.copy(), name="table") for _ in range(2)]
    optimizers = [make(lazy_rows=False, clipnorm=1.0) for _ in range(2)]
    for _ in range(4):
        rows = rng.permutation(50)[:9]
        gradient = RowGradient(rows, rng.normal(size=(9, 8)).astype("float32"), (50, 8))
        for table, optimizer, given in zip(tables, optimizers, (gradient, gradient.to_dense()), strict=True):
            table.accumulate(given)
            optimizer.apply([table])
    assert_close(tables[0].value, tables[1].value)


def test_an_update_of_ones_own_gets_arrays() -> None:
    class Doubled(Adam):
        def update(self, value: Any, grad: Any, state: Any, rate: float) -> None:
            assert isinstance(grad, np.ndarray)
            super().update(value, grad * 2, state, rate)

    table = Parameter(np.ones((3, 2)))
    table.accumulate(RowGradient(np.array([1]), np.ones((1, 2)), (3, 2)))
    Doubled(0.5, epsilon=1e-20, lazy_rows=False).apply([table])
    assert_close(table.value, np.array([[1.0, 1.0], [0.5, 0.5], [1.0, 1.0]]))


def test_references_alone_take_row_gradients() -> None:
    table = Parameter(np.ones((3, 2)))
    table.accumulate(RowGradient(np.array([1]), np.ones((1, 2)), (3, 2)))
    with ls_core.use_references():
        SGD(0.5, lazy_rows=False).apply([table])
    assert table.value[:, 0].tolist() == [1.0, 0.5, 1.0]
