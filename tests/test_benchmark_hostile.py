"""Kernels that cheat get no figure: they leave work out, keep results, use another's memory, round, or finish later."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from benchmarks.figure import Refused, matches
from benchmarks.kernels import Variant, subjects_of
from benchmarks.measure import Subject, measure
from benchmarks.record import compared
from benchmarks.subjects import SPECS
from ls_core.kernel import KERNELS, Kernel

WHERE = [Variant("reference", "references"), Variant("numpy", "numpy")]
SIGMOID = next(spec for spec in SPECS if spec.name == "sigmoid")
FORWARD = next(k for k in KERNELS.values() if k.__name__ == "sigmoid_forward")
BACKWARD = next(k for k in KERNELS.values() if k.__name__ == "sigmoid_backward")
kept: dict[int, Any] = {}


class Lazy(np.ndarray):
    """Computes when somebody looks."""


def stops_early(x: Any) -> Any:
    y, _ = FORWARD.reference(x[: len(x) // 2])
    whole = np.empty_like(x)
    whole[: len(x) // 2] = y
    whole[len(x) // 2 :] = 0.5
    return whole, whole


def keeps_results(x: Any) -> Any:
    if id(x) not in kept:
        kept[id(x)] = FORWARD.reference(x)
    return kept[id(x)]


def uses_the_memory_of_its_input(x: Any) -> Any:
    y, _ = FORWARD.reference(x)
    x[...] = y
    return x, x


def uses_it_where_nobody_needs_it(x: Any) -> Any:
    y, saved = FORWARD.reference(x)
    x[...] = x.round(6)
    return y, saved


def rounds(x: Any) -> Any:
    y, _ = FORWARD.reference(x.astype(np.float16))
    return y.astype(x.dtype), y.astype(x.dtype)


def returns_less(x: Any) -> Any:
    y, saved = FORWARD.reference(x)
    return y.astype(np.float16), saved


def computes_later(x: Any) -> Any:
    y, saved = FORWARD.reference(x)
    return y.view(Lazy), saved


def writes_to_dy(dy: Any, y: Any) -> Any:
    dy *= y
    dy *= 1 - y
    return dy


@pytest.fixture
def patched() -> Iterator[Callable[[Kernel, Any], None]]:
    changed = []

    def patch(kernel: Kernel, function: Any) -> None:
        changed.append(kernel)
        kernel.overrides["numpy"] = function

    yield patch
    for kernel in changed:
        del kernel.overrides["numpy"]
        kernel._fill()
    kept.clear()


@pytest.mark.parametrize(
    ("kernel", "function", "why"),
    [
        (FORWARD, stops_early, "of the whole pass"),
        (FORWARD, keeps_results, "for other numbers in the same arrays array 0 differs"),
        (FORWARD, uses_the_memory_of_its_input, "of the whole pass"),
        (FORWARD, uses_it_where_nobody_needs_it, "writes to its argument 0"),
        (FORWARD, rounds, "of the whole pass"),
        (FORWARD, returns_less, "array 0 is float16, the reference gives float32"),
        (FORWARD, computes_later, "a Lazy came, which may compute when it is read"),
        (BACKWARD, writes_to_dy, "of the whole pass"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_an_override_that_cheats(kernel: Kernel, function: Any, why: str, patched: Any) -> None:
    patched(kernel, function)
    found, refused = subjects_of(SIGMOID, "small", WHERE)
    here = [s for each in found.values() for s in each if s.labels["function"] is function]
    for subject in here:
        with pytest.raises(Refused) as refusal:
            measure(subject, seconds=0.01)
        refused.append((subject.name, refusal.value))
    assert refused
    assert {r.reason for _, r in refused} == {"wrong"}
    assert any(why in str(r) for _, r in refused), refused


def test_the_honest_one_is_measured() -> None:
    found, refused = subjects_of(SIGMOID, "small", WHERE)
    assert not refused
    assert measure(found["sigmoid_forward", "forward"][0], seconds=0.01).median > 0


def test_a_thread_that_goes_on_after_the_call_is_caught() -> None:
    """On the processor nothing says that a result isn't complete but the result."""
    x = np.linspace(0, 1, 10_000, dtype=np.float32)
    calls = []

    def run() -> np.ndarray:
        calls.append(1)
        y = np.zeros_like(x)
        if len(calls) == 1:
            y[...] = x * 2
            return y

        def fill() -> None:
            time.sleep(0.02)
            y[...] = x * 2

        threading.Thread(target=fill).start()
        return y

    with pytest.raises(Refused, match="differs from the reference") as refusal:
        measure(Subject("later", run, matches([x * 2])), seconds=0.01)
    assert refusal.value.reason == "wrong"


def test_a_result_that_is_wrong_now_and_then_is_caught() -> None:
    x = np.linspace(0, 1, 100, dtype=np.float32)
    calls = []

    def run() -> np.ndarray:  # right at first, for the warm-up, and at every thousandth call
        calls.append(1)
        return x * 2 if len(calls) < 5 or len(calls) % 1000 == 0 else x * 2.01

    with pytest.raises(Refused, match="wrong"):
        measure(Subject("seldom", run, matches([x * 2])), seconds=0.01)


def test_a_scalar_that_is_wrong_is_seen() -> None:
    """What a forward gives comes first, though NumPy made it no array."""
    verify = matches([np.asarray(np.float32(2))], lambda result: compared("forward", result))
    assert verify((np.float32(2), np.zeros(3))) is None
    assert "differs" in str(verify((np.float32(2.1), np.float32(2))))
