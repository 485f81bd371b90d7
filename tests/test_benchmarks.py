"""The benchmarks can't lie: what is wrong, cold, unsynchronised or above the roofline is refused; operations are counted right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.clock import Clock
from benchmarks.figure import Figure, Refused, matches
from benchmarks.measure import Subject, measure, measure_in_turn
from benchmarks.roofline import Roofline, Work
from ls_core.testing.standin import STANDIN

QUICK: dict[str, Any] = {"seconds": 0.01, "least": 10}
X = np.arange(12.0, dtype=np.float32).reshape(3, 4)
SLOW = Roofline("fake", 1, {"float32": 1e9, "float64": 1e9}, {1000: 1e9, 10**6: 1e8}, 1e8)


class Time:
    """A time that passes when a kernel says so: the tests are the same on a busy machine."""

    now = 0.0

    def perf_counter(self) -> float:
        self.now += 1e-8
        return self.now

    process_time = perf_counter

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def pass_until(self, moment: float) -> None:
        self.now = max(self.now, moment)


CLOCK = Time()


@pytest.fixture
def slow_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.measure.time", CLOCK)


def doubled(seconds: float = 2e-4) -> np.ndarray:
    CLOCK.now += seconds
    return X * 2


def subject(run: Any, **options: Any) -> Subject:
    return Subject("fake", run, matches([X * 2]), **options)


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("slow_time")
def test_an_honest_kernel_is_measured() -> None:
    figure = measure(subject(doubled, work=Work(12, 0, 96)), SLOW, **QUICK)
    assert figure.samples >= 10
    assert (figure.p10, figure.median, figure.p90) == pytest.approx((2e-4, 2e-4, 2e-4), rel=1e-3)
    assert figure.gflops == pytest.approx(12 / figure.median * 1e-9)
    assert figure.gbytes == pytest.approx(96 / figure.median * 1e-9)
    assert figure.share == pytest.approx(96 / 1e9 / figure.median)
    assert figure.bound == "memory"
    assert figure.device is None
    assert figure.cpu == pytest.approx(2e-4, rel=1e-3)
    assert figure.as_json()["median_ms"] == figure.median * 1e3


@pytest.mark.usefixtures("slow_time")
@pytest.mark.parametrize(("lead", "expected"), [(0.0, 6e-4), (0.01, 2e-4)])
def test_a_lead_outlasts_the_threads_of_the_one_before(lead: float, expected: float) -> None:
    """Each of two takes three times as long for 5 ms after the other's turn, whose threads still ask for work."""
    last = {"name": "", "since": 0.0}

    def run(name: str) -> np.ndarray:
        if last["name"] != name:
            last.update(name=name, since=CLOCK.now)
        return doubled(6e-4 if CLOCK.now < last["since"] + 5e-3 else 2e-4)

    pair = [subject(lambda: run("a"), lead=lead), subject(lambda: run("b"), lead=lead)]
    for figure in measure_in_turn(pair, **QUICK):
        assert isinstance(figure, Figure)
        assert figure.median == pytest.approx(expected, rel=1e-3)


@pytest.mark.usefixtures("slow_time")
@pytest.mark.parametrize(
    ("result", "why"),
    [
        (X * np.float32(2.001), "differs from the reference by"),
        (X[:2] * 2, "differs from the reference by inf"),
        (np.full_like(X, np.nan), "inf"),
        ((X * 2, X), "2 arrays came, the reference gives 1"),
    ],
)
def test_a_wrong_kernel_is_refused_before_it_is_timed(result: Any, why: str) -> None:
    calls = []

    def run() -> Any:
        calls.append(1)
        return result

    with pytest.raises(Refused, match=why) as refusal:
        measure(subject(run), **QUICK)
    assert refusal.value.reason == "wrong"
    assert len(calls) == 1


@pytest.mark.usefixtures("slow_time")
def test_a_kernel_that_is_right_only_when_it_is_checked_is_refused() -> None:
    calls = []

    def run() -> np.ndarray:
        calls.append(1)
        return doubled() if len(calls) == 1 else X

    with pytest.raises(Refused, match="wrong: between the first call and the last"):
        measure(subject(run), **QUICK)


def test_on_the_real_clock() -> None:
    figure = measure(Subject("product", lambda: X @ X.T, matches([X @ X.T])), **QUICK)
    assert 0 < figure.p10 <= figure.median <= figure.p90


@pytest.mark.usefixtures("slow_time")
def test_without_a_warm_up_nothing_is_reported() -> None:
    with pytest.raises(Refused, match="no warm-up") as refusal:
        measure(subject(doubled), warm_up=0, **QUICK)
    assert refusal.value.reason == "not warmed up"


@pytest.mark.usefixtures("slow_time")
def test_a_kernel_that_is_still_warming_up_is_refused() -> None:
    calls = []

    def run() -> np.ndarray:  # each call a little faster than the one before
        calls.append(1)
        return doubled(4e-3 * 0.985 ** len(calls))

    with pytest.raises(Refused, match="ms at first") as refusal:
        measure(subject(run), warm_up=1, tries=1, seconds=0.0, least=40)
    assert refusal.value.reason == "not warmed up"


@pytest.mark.usefixtures("slow_time")
def test_a_kernel_that_becomes_warm_is_measured_again() -> None:
    calls = []

    def run() -> np.ndarray:
        calls.append(1)
        return doubled(4e-3 if len(calls) < 15 else 1e-3)

    figure = measure(subject(run), warm_up=1, tries=3, seconds=0.0, least=10)
    assert figure.median == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.usefixtures("slow_time")
def test_above_the_roofline_is_refused() -> None:
    work = Work(flops=1e9, products=1e9, nbytes=96)  # a second's work for this machine
    with pytest.raises(Refused, match="this machine needs 1e") as refusal:
        measure(subject(doubled, work=work), SLOW, **QUICK)
    assert refusal.value.reason == "above the roofline"
    with pytest.raises(Refused, match="0.99 MB at 1 GB/s"):
        measure(subject(doubled, work=Work(0, 0, 9.9e5)), SLOW, **QUICK)


@pytest.mark.usefixtures("slow_time")
def test_the_roofline_is_measured_again_before_anything_is_refused() -> None:
    better = Roofline("fake", 1, {"float32": 1e15}, {1000: 1e9, 10**6: 1e8}, 1e8)
    doubtful = Roofline("fake", 1, {"float32": 1e9}, {1000: 1e9, 10**6: 1e8}, 1e8, lambda: better)
    figure = measure(subject(doubled, work=Work(1e9, 1e9, 96)), doubtful, **QUICK)
    assert doubtful.peak["float32"] == 1e15
    assert figure.bound == "compute"


@pytest.mark.usefixtures("slow_time")
def test_a_shortcut_may_pass_the_roofline_of_the_products() -> None:
    work = Work(flops=4e5, products=4e5, nbytes=96, shortcut=4.0)  # 0.4 ms as it is defined, 0.1 ms by the shortcut
    figure = measure(subject(lambda: doubled(2.5e-4), work=work), SLOW, **QUICK)
    assert figure.share is not None
    assert figure.share > 0.5


@pytest.mark.usefixtures("slow_time")
def test_what_fails_is_refused_and_the_others_are_measured() -> None:
    def fails() -> Any:
        raise ZeroDivisionError("no")

    broken, good = measure_in_turn([subject(fails), subject(doubled)], **QUICK)
    assert isinstance(broken, Refused)
    assert str(broken) == "failed: ZeroDivisionError: no"
    assert not isinstance(good, Refused)


# --- devices -----------------------------------------------------------------------------------------------------------


class Device:
    """Something that computes in the background, with a clock that can be told to forget to wait."""

    def __init__(self) -> None:
        self.free = 0.0  # when it will have done all

    def launch(self, seconds: float) -> Late:
        CLOCK.now += 1e-5
        self.free = max(self.free, CLOCK.now) + seconds
        return Late(self, self.free)

    def wait(self) -> None:
        CLOCK.pass_until(self.free)


class Late:
    """A result that is there later."""

    def __init__(self, device: Device, ready: float) -> None:
        self.device, self.ready = device, ready

    def get(self) -> np.ndarray:
        CLOCK.pass_until(self.ready)
        return X * 2


def late_subject(clock: Clock, device: Device, seconds: float = 1e-3) -> Subject:
    return Subject("late", lambda: device.launch(seconds), matches([X * 2], lambda r: [r.get()]), clock=clock, wait=lambda r: r.get())


@pytest.mark.usefixtures("slow_time")
def test_a_clock_that_does_not_wait_is_caught() -> None:
    device = Device()
    with pytest.raises(Refused, match="ran on after the clock had stopped") as refusal:
        measure(late_subject(Clock(), device), **QUICK)
    assert refusal.value.reason == "unsynchronised"


@pytest.mark.usefixtures("slow_time")
def test_a_clock_that_waits_is_believed() -> None:
    device = Device()
    figure = measure(late_subject(Clock(device.wait, lambda: max(device.free, CLOCK.now), lambda a, b: b - a), device), **QUICK)
    assert figure.median == pytest.approx(1e-3, rel=0.02)
    assert figure.launch == pytest.approx(1e-5, rel=0.01)
    assert figure.device == pytest.approx(1e-3, rel=0.02)


@pytest.mark.usefixtures("slow_time")
def test_a_device_that_worked_longer_than_the_clock_saw_is_caught() -> None:
    clock = Clock(lambda: None, lambda: 0.0, lambda a, b: 1.0)
    with pytest.raises(Refused, match="the device worked 500 ms") as refusal:
        measure(subject(doubled, clock=clock), **QUICK)
    assert refusal.value.reason == "unsynchronised"


@pytest.mark.usefixtures("slow_time")
def test_a_result_on_a_device_needs_a_clock_for_it() -> None:
    with pytest.raises(Refused, match="lives on 'standin'") as refusal:
        measure(Subject("fake", lambda: STANDIN.to_device(doubled()), matches([X * 2])), **QUICK)
    assert refusal.value.reason == "unsynchronised"
