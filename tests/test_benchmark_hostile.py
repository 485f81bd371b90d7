"""Kernels that cheat get no figure: they leave work out, keep results, use another's memory, round, or finish later."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import kernels
from benchmarks.figure import Refused, matches
from benchmarks.kernels import Variant, subjects_of
from benchmarks.measure import Subject, measure
from benchmarks.record import compared
from benchmarks.report import Report
from benchmarks.subjects import SPECS
from ls_core.kernel import KERNELS, Kernel

WHERE = [Variant("reference", "references"), Variant("numpy", "numpy")]
SIGMOID = next(spec for spec in SPECS if spec.name == "sigmoid")
FORWARD = next(k for k in KERNELS.values() if k.__name__ == "sigmoid_forward")
BACKWARD = next(k for k in KERNELS.values() if k.__name__ == "sigmoid_backward")
kept: dict[Any, Any] = {}


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
    return tuple(a.copy() for a in kept[id(x)])


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


def has_one_buffer(x: Any) -> Any:
    y = kept.setdefault(x.size, np.empty_like(x))
    y[...] = FORWARD.reference(x)[0]
    return y, y.copy()


def remembers_numbers(x: Any) -> Any:
    """Right for every numbers, but it computes them once."""
    key = x[::8].tobytes()
    if key not in kept:
        kept[key] = FORWARD.reference(x), time.sleep(2e-3)
    return tuple(a.copy() for a in kept[key][0])


def forgets_what_backward_needs(x: Any) -> Any:
    kept[0] = kept.get(0, 0) + 1
    y, saved = FORWARD.reference(x)
    return y, saved if kept[0] < 20 else np.zeros_like(saved)


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
        (FORWARD, returns_less, "array 0 of the whole pass is float16, the reference gives float32"),
        (FORWARD, computes_later, "a Lazy came, which may compute when it is read"),
        (FORWARD, has_one_buffer, "its result is in the memory of the result before"),
        (FORWARD, remembers_numbers, "ms when they come again"),
        (FORWARD, forgets_what_backward_needs, "after it was timed array 1 of the whole pass"),
        (BACKWARD, writes_to_dy, "of the whole pass"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_an_override_that_cheats(kernel: Kernel, function: Any, why: str, patched: Any, tmp_path: Path) -> None:
    patched(kernel, function)
    report = Report("kernels", 1, True, kernels.COLUMNS, rooflines=False)
    kernels.measure_spec(report, SIGMOID, "small", WHERE, 0.01)
    assert report.finish(str(tmp_path / "k.json")) == 1
    content = json.loads((tmp_path / "k.json").read_text(encoding="utf-8"))
    refused = [r for r in content["refused"] if r["variant"] == "numpy"]
    assert {r["layer"] for r in refused} == {"sigmoid"}
    assert {r["reason"] for r in refused} == {"remembered" if function is remembers_numbers else "wrong"}
    assert any(why in r["why"] for r in refused), refused
    assert not [f for f in content["figures"] if (f["kernel"], f["variant"]) == (kernel.__name__, "numpy")]


def test_the_honest_one_is_measured() -> None:
    found = subjects_of(SIGMOID, "small", WHERE)
    assert not found.refused
    assert measure(found.subjects["sigmoid_forward", "forward"][0], seconds=0.01).median > 0


def test_without_its_reference_nothing_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FORWARD, "reference", lambda x: 1 / 0)
    found = subjects_of(SIGMOID, "tiny", WHERE)
    assert [str(r) for _, r, _ in found.refused] == ["failed: ZeroDivisionError: division by zero"]
    assert not found.subjects


def test_what_gives_no_array_is_not_compared() -> None:
    """Nothing could be seen to be wrong: ids are checked by the override for NumPy alone, and an update is many kernels' work."""
    embedding = subjects_of(next(spec for spec in SPECS if spec.name == "Embedding"), "tiny", WHERE)
    assert {kernel for kernel, _ in embedding.subjects} == {"embedding_forward", "embedding_backward", "sum_rows"}
    adam = subjects_of(next(spec for spec in SPECS if spec.name == "Adam"), "tiny", WHERE)
    assert {kernel for kernel, _ in adam.subjects} == {"adam_update"}


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


def test_a_thread_that_ends_before_the_result_is_compared_is_caught() -> None:
    """Comparing takes as long as the thread still works."""
    x = np.linspace(0, 1, 10_000, dtype=np.float32)
    calls = []

    def run() -> np.ndarray:
        calls.append(1)
        y = np.zeros_like(x)
        np.multiply(x[:7000], 2, out=y[:7000])
        rest = threading.Thread(target=lambda: (time.sleep(1e-3), np.multiply(x[7000:], 2, out=y[7000:])))
        rest.start()
        if len(calls) < 10:
            rest.join()
        return y

    def verify(result: np.ndarray) -> str | None:
        time.sleep(5e-3)
        return matches([x * 2])(result)

    with pytest.raises(Refused, match="a result changed after the clock had stopped") as refusal:
        measure(Subject("soon", run, verify), seconds=0.01)
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
