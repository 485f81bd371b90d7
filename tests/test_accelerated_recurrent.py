"""SimpleRNN, LSTM and GRU with overrides against their references: larger shapes, masks, truncation, threads, odd types."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import ls_core
from ls_core.kernel import Kernel
from ls_core.threads import set_thread_count, thread_count
from ls_layers.gru import gru_backward, gru_forward
from ls_layers.lstm import lstm_backward, lstm_forward
from ls_layers.simple_rnn import simple_rnn_backward, simple_rnn_forward

from .tolerances import assert_close

KINDS: dict[str, tuple[Kernel, Kernel, int, int]] = {  # forward, backward, states, gates
    "simple_rnn": (simple_rnn_forward, simple_rnn_backward, 1, 1),
    "gru": (gru_forward, gru_backward, 1, 3),
    "lstm": (lstm_forward, lstm_backward, 2, 4),
}
SHAPES = [(1, 1, 1, 1), (16, 1, 1, 1), (17, 5, 4, 6), (7, 4, 33, 17), (32, 50, 40, 96), (67, 9, 128, 128)]  # B, T, I, U
CASES = [(kind, tier) for kind in KINDS for tier in ("numpy", "numba") if (kind, tier) != ("simple_rnn", "numpy")]  # which has no override


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = thread_count()
    set_thread_count(request.param)
    yield request.param
    set_thread_count(before)


def overrides(kind: str, tier: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    if tier == "numba":
        pytest.importorskip("numba")
    forward, backward, _, _ = KINDS[kind]
    return forward.overrides[tier], backward.overrides[tier]


def draw(kind: str, shape: tuple[int, ...], dtype: str, masked: bool, bias: bool) -> tuple[Any, ...]:
    _, _, states, gates = KINDS[kind]
    B, T, I, n = shape
    rng = np.random.default_rng([B, T, I, n])

    def normal(*size: int) -> Any:
        return (rng.normal(size=size) * 0.5).astype(dtype)

    b = normal(2, 3 * n) if kind == "gru" else normal(gates * n)
    W, U = normal(I, gates * n) / I**0.5, normal(n, gates * n) / n**0.5  # larger ones make the recurrence chaotic
    forward = normal(B, T, I), *(normal(B, n) for _ in range(states)), W, U, b if bias else None
    return (*forward, rng.random((B, T)) < 0.7 if masked else None), tuple(normal(B, n) for _ in range(states)), normal(B, T, n)


def flat(result: Any) -> list[Any]:
    return [each for part in result for each in (flat(part) if isinstance(part, tuple) else [part])]


def compare(got: Any, wanted: Any, dtype: str) -> None:
    for a, b in zip(flat(got), flat(wanted), strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            assert a.dtype == b.dtype
            assert_close(a, b, dtype)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("kind", "tier"), CASES)
def test_same_as_the_reference(kind: str, tier: str, shape: tuple[int, ...], dtype: str, masked: bool, threads: int) -> None:
    forward, backward = overrides(kind, tier)
    slow_forward, slow_backward, _, _ = KINDS[kind]
    given, d_states, dy = draw(kind, shape, dtype, masked, bias=True)
    W, U, mask = given[-4], given[-3], given[-1]
    wanted, got = slow_forward.reference(*given), forward(*given)
    compare(got[:-1], wanted[:-1], dtype)
    for dhs, truncate, dx in ((dy.transpose(1, 0, 2), None, True), (None, 3, False)):
        options = (W, U, mask, True, truncate, dx)
        compare(backward(*d_states, dhs, got[-1], *options), slow_backward.reference(*d_states, dhs, wanted[-1], *options), dtype)


@pytest.mark.parametrize(("kind", "tier"), CASES)
def test_without_bias_and_with_views(kind: str, tier: str) -> None:
    """x time first and every other column of a wider array; weights that nobody may write to."""
    forward, backward = overrides(kind, tier)
    slow_forward, slow_backward, _, _ = KINDS[kind]
    given, d_states, dy = draw(kind, (17, 5, 4, 3), "float64", True, bias=False)
    wanted = slow_forward.reference(*given)
    wide = np.zeros((17, 5, 8))
    wide[..., ::2] = given[0]
    time_first = np.ascontiguousarray(given[0].transpose(1, 0, 2)).transpose(1, 0, 2)
    for array in given[1:-2]:
        array.flags.writeable = False
    options = (given[-4], given[-3], given[-1], False, None, True)
    back = slow_backward.reference(*d_states, dy.transpose(1, 0, 2), wanted[-1], *options)
    assert back[-1] is None
    for x in (wide[..., ::2], time_first):
        x.flags.writeable = False
        got = forward(x, *given[1:])
        compare(got[:-1], wanted[:-1], "float64")
        compare(backward(*d_states, np.ascontiguousarray(dy.transpose(1, 0, 2)), got[-1], *options), back, "float64")


@pytest.mark.parametrize(("kind", "tier"), CASES)
def test_nothing_that_was_given_changes(kind: str, tier: str) -> None:
    forward, backward = overrides(kind, tier)
    given, d_states, dy = draw(kind, (19, 4, 5, 7), "float32", True, bias=True)
    result = forward(*given)
    dhs = dy.transpose(1, 0, 2)
    arrays = [a for a in (*given, *d_states, dy, *flat(result)) if a is not None]
    before = [a.copy() for a in arrays]
    backward(*d_states, dhs, result[-1], given[-4], given[-3], given[-1], True, None, True)
    for a, b in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("kind", "tier"), CASES)
@pytest.mark.parametrize("dtype", ["float16", "complex128"])
def test_other_types_take_the_reference(kind: str, tier: str, dtype: str) -> None:
    forward, backward = overrides(kind, tier)
    slow_forward, slow_backward, _, _ = KINDS[kind]
    given, d_states, dy = draw(kind, (16, 4, 5, 6), dtype, False, bias=True)
    wanted, got = slow_forward.reference(*given), forward(*given)
    options = (given[-4], given[-3], None, True, None, True)
    compare(got, wanted, dtype)
    dhs = dy.transpose(1, 0, 2)
    compare(backward(*d_states, dhs, got[-1], *options), slow_backward.reference(*d_states, dhs, wanted[-1], *options), dtype)


@pytest.mark.parametrize("kind", ["GRU", "LSTM", "SimpleRNN"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_stays_in_its_row(kind: str, value: float) -> None:
    import ls_layers

    ls_core.set_seed(0)
    layer = getattr(ls_layers, kind)(20)
    x = np.ones((19, 3, 4), "float32")
    clean = layer(x)
    x[18, 1, 2] = value
    y = layer(x)
    np.testing.assert_array_equal(y[:18], clean[:18])
    assert (y[18] != clean[18]).any()
    assert np.isnan(y[18]).any() or np.isinf(value)  # infinity may be but the end of a gate
