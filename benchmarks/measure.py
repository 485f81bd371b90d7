"""Times that can't lie: a figure is checked, warmed up, synchronised and below the roofline, or it is refused.

    figure = measure(Subject("relu", run, verify=matches(expected)), roofline)

What is timed is one call of ``run``. Its first result is verified before anything else happens, and so is the last one that
was timed. Subjects that are measured together take turns, so that a slow moment of the machine meets all of them; each
sample follows untimed calls, so that the caches hold what that subject left there: one, or as many as fill ``lead`` seconds.
Threads of a library that has had its turn (OpenMP's, OpenBLAS') keep a core busy for up to 100 ms while they wait for more work.
Libraries with threads take their turns with a lead that outlasts this; a user has but one of them in a program.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ls_core.backend import backend_of, is_array
from ls_core.gradcheck.subject import leaves
from ls_core.threads import thread_count

from .clock import HOST, Clock
from .figure import Figure, Refused, arrival, matches
from .roofline import Roofline, Work

MARGIN = 1.05  # how far above the roofline a figure may lie: the roofline is a measurement too
SAMPLE = 4e-4  # seconds that one sample lasts at least; short calls are repeated
LEAD = 0.12  # seconds of untimed calls that outlast another library's threads: OpenBLAS' go to sleep 100 ms after their last work
THREADED = 1 << 19  # operations from which on libraries use several threads
LOOK = 0.05  # of the samples have their result compared as soon as the clock has stopped, beside the first and the last
PEEK = 64  # numbers of each result that are noted when the clock stops, and must be the same later
REMEMBERED = 1.5  # how much longer a call with numbers that were never there may take than a second one with them


@dataclass
class Subject:
    """Something to time: ``run`` makes one call; ``verify`` says what is wrong with its result, or None."""

    name: str
    run: Callable[[], Any]
    verify: Callable[[Any], str | None]
    work: Work | None = None
    clock: Clock = HOST
    wait: Callable[[Any], Any] = arrival  # brings some of the result to the host, which can't happen before it is there
    around: Callable[[], AbstractContextManager[Any]] = nullcontext  # what must be switched on while it runs
    prepare: Callable[[int], None] = lambda calls: None  # before so many calls, untimed
    labels: dict[str, Any] = field(default_factory=dict)
    lead: float = 0.0  # seconds of untimed calls before a sample, which then lasts half as long or more; without ``prepare``
    change: Callable[[float], AbstractContextManager[Any]] | None = None  # within, the arguments are multiplied by a number


def lead_of(work: Work) -> float:
    """The lead of something that takes turns with others: large enough, and one of them uses threads.

    >>> lead_of(Work(1e9, 1e9, 1e6)) == (LEAD if thread_count() > 1 else 0.0), lead_of(Work(1e4, 0, 1e4))
    (True, 0.0)
    """
    return LEAD if work.flops > THREADED and thread_count() > 1 else 0.0


@dataclass
class _Sample:
    wall: float
    cpu: float
    launch: float
    device: float | None
    arrival: float  # from when the clock stopped until the result was on the host
    noted: list[tuple[Any, Any, Any]]  # (array, where, the numbers there when the clock stopped)

    def moved(self) -> str | None:
        """What is wrong where a result changed after the clock had stopped."""
        late = any(not np.array_equal(array.flat[where], numbers, equal_nan=True) for array, where, numbers in self.noted)
        self.noted = []
        return "a result changed after the clock had stopped: something still worked on it" if late else None


@dataclass
class _Start:
    """What is known before the first sample."""

    first: float  # seconds of the very first call
    calls: int  # in a sample
    arrival: float  # until a result is on the host that was finished before


def _noted(result: Any) -> list[tuple[Any, Any, Any]]:
    """Some numbers of each array that is complete when it is there: NumPy's, of floats."""
    found = []
    for array in leaves(result):
        if type(array) is np.ndarray and array.dtype.kind == "f" and array.size:
            where = np.random.randint(array.size, size=PEEK)
            found.append((array, where, array.flat[where]))
    return found


def _sample(subject: Subject, calls: int) -> tuple[_Sample, Any]:
    clock = subject.clock
    subject.prepare(calls + 1)
    end = time.perf_counter() + subject.lead
    subject.run()
    clock.synchronize()
    while time.perf_counter() < end:
        subject.run()
        clock.synchronize()
    mark = clock.event() if clock.event else None
    cpu, began = time.process_time(), time.perf_counter()
    for _ in range(calls):
        result = subject.run()
    launched = time.perf_counter()
    end_mark = clock.event() if clock.event else None
    clock.synchronize()
    ended, cpu_ended = time.perf_counter(), time.process_time()
    noted = _noted(result)
    waited = time.perf_counter()
    subject.wait(result)
    arrival = time.perf_counter() - waited
    device = clock.elapsed(mark, end_mark) / calls if clock.elapsed else None
    return _Sample((ended - began) / calls, (cpu_ended - cpu) / calls, (launched - began) / calls, device, arrival, noted), result


def _check_settled(walls: Sequence[float]) -> None:
    """Raise where the first half of the samples was clearly slower than the second: something was still warming up."""
    half = len(walls) // 2
    early, late = np.sort(walls[:half]), np.sort(walls[half:])
    if np.quantile(early, 0.25) > 1.1 * np.quantile(late, 0.75):
        raise Refused("not warmed up", f"{np.median(early) * 1e3:.3g} ms at first, {np.median(late) * 1e3:.3g} ms later")


def _check_synchronised(subject: Subject, start: _Start, samples: Sequence[_Sample], result: Any) -> None:
    on_device = [backend_of(leaf).name for leaf in leaves(result) if is_array(leaf) and backend_of(leaf).name != "numpy"]
    if on_device and subject.clock.event is None:
        raise Refused("unsynchronised", f"the result lives on {on_device[0]!r}, and the clock can't see that device's work")
    wall = np.median([s.wall for s in samples])
    whole = wall * start.calls
    missed = np.quantile([s.arrival for s in samples], 0.25) - start.arrival  # work that runs on does so in every sample
    if missed > max(0.1 * whole, 5e-5):
        raise Refused("unsynchronised", f"{missed * 1e3:.3g} ms of work ran on after the clock had stopped at {whole * 1e3:.3g} ms")
    if samples[0].device is not None:
        device = np.median([s.device for s in samples])
        if device > MARGIN * wall + 1e-5:
            raise Refused("unsynchronised", f"the device worked {device * 1e3:.3g} ms, the clock saw {wall * 1e3:.3g} ms")


def _share(subject: Subject, roofline: Roofline | None, seconds: float) -> tuple[float | None, str | None]:
    """(share of the roofline, what bounds); raises above it."""
    if roofline is None or subject.work is None:
        return None, None
    least = roofline.seconds(subject.work, with_shortcuts=True)
    if least > MARGIN * seconds:
        raise Refused(
            "above the roofline",
            f"{seconds * 1e3:.3g} ms, and this machine needs {least * 1e3:.3g} ms at least ({roofline.describe(subject.work)})",
        )
    return roofline.seconds(subject.work) / seconds, roofline.bound(subject.work)


def _figure(subject: Subject, start: _Start, samples: list[_Sample], result: Any, roofline: Roofline | None) -> Figure:
    walls = [s.wall for s in samples]
    _check_settled(walls)
    _check_synchronised(subject, start, samples, result)
    with subject.around():
        problem = subject.verify(result)
    if problem:
        raise Refused("wrong", f"after {len(samples) * start.calls} calls {problem}")
    p10, median, p90 = (float(q) for q in np.quantile(walls, (0.1, 0.5, 0.9)))
    busy = median if samples[0].device is None else float(np.median([s.device for s in samples]))
    share, bound = _share(subject, roofline, busy)
    cpu, launch = (float(np.median([getattr(s, name) for s in samples])) for name in ("cpu", "launch"))
    device = None if samples[0].device is None else busy
    times = (median, p10, p90, cpu, launch, device, start.first)
    return Figure(subject.name, *times, len(samples), start.calls, subject.work, share, bound, subject.labels)


def _begin(subject: Subject, warm_up: int, seconds: float) -> _Start:
    """Verify the first call, warm up, and see how long a result takes to arrive that is surely there."""
    subject.prepare(1)
    began = time.perf_counter()
    result = subject.run()
    subject.clock.synchronize()
    first = time.perf_counter() - began
    problem = subject.verify(result)
    if problem:
        raise Refused("wrong", problem)
    if warm_up < 1:
        raise Refused("not warmed up", "no warm-up call was asked for")
    spent, done, end = 0.0, 0, time.perf_counter() + 0.2 * seconds
    while done < warm_up or (time.perf_counter() < end and done < 1000):
        subject.prepare(1)
        began = time.perf_counter()
        subject.wait(subject.run())
        spent += time.perf_counter() - began
        done += 1
    each = spent / done
    _check_computed(subject)
    arrivals = []
    for _ in range(5 if each < 5e-3 else 2):
        subject.prepare(1)
        result = subject.run()
        time.sleep(2 * each + 1e-5)
        began = time.perf_counter()
        subject.wait(result)
        arrivals.append(time.perf_counter() - began)
    lasting = max(SAMPLE, subject.lead / 2)
    return _Start(first, max(1, min(1000, round(lasting / max(each, 1e-9)))), float(np.median(arrivals)))


def _check_computed(subject: Subject) -> None:
    """Raise where numbers that were there before are answered much faster than new ones: results are remembered."""

    def once(factor: float, seconds: list[float]) -> None:
        assert subject.change is not None
        with subject.change(factor):
            subject.clock.synchronize()
            began = time.perf_counter()
            subject.wait(subject.run())
            subject.clock.synchronize()
            seconds.append(time.perf_counter() - began)

    if subject.change is None:
        return
    new: list[float] = []
    known: list[float] = []
    for i in range(24):
        factor = 1 - (i + 1) / 64
        once(factor, new)
        once(factor, known)
        if i % 2:  # memory that is handed out again may be as good as new at every other call
            once(factor, [])
        if i >= 5 and min(new) <= REMEMBERED * min(known) + 1e-5:
            return
    raise Refused("remembered", f"{min(new) * 1e3:.3g} ms for new numbers, {min(known) * 1e3:.3g} ms when they come again")


def measure_in_turn(
    subjects: Sequence[Subject], roofline: Roofline | None = None, seconds: float = 0.3, warm_up: int = 3, least: int = 10, tries: int = 3
) -> list[Figure | Refused]:
    """A Figure for each subject, or why there is none; ``seconds`` is the time for each, ``least`` the fewest samples.

    What is not warmed up, unsynchronised or above the roofline is taken again (``tries`` times at most), the roofline too.
    """
    found: list[Figure | Refused] = [Refused("not measured", s.name) for s in subjects]
    ready: dict[int, _Start] = {}
    for i, subject in enumerate(subjects):
        try:
            with subject.around():
                ready[i] = _begin(subject, warm_up, seconds)
        except Refused as refusal:
            found[i] = refusal
        except Exception as problem:
            found[i] = Refused("failed", f"{type(problem).__name__}: {problem}")
    waiting = list(ready)
    look = random.Random()
    for attempt in range(tries):
        taken: dict[int, list[_Sample]] = {i: [] for i in waiting}
        results: dict[int, Any] = {}
        faults: dict[int, str | None] = dict.fromkeys(waiting)
        collecting = gc.isenabled()
        gc.disable()
        try:
            end = time.perf_counter() + seconds * len(waiting)
            while waiting and (len(taken[waiting[0]]) < least or (time.perf_counter() < end and len(taken[waiting[0]]) < 1000)):
                for i in waiting:
                    if taken[i]:  # the others have had their turns since
                        faults[i] = faults[i] or taken[i][-1].moved()
                    results[i] = None  # so that its memory can be used again, as in a program's loop
                    with subjects[i].around():
                        sample, results[i] = _sample(subjects[i], ready[i].calls)
                        if faults[i] is None and (not taken[i] or look.random() < LOOK):  # nobody can know when it is looked at
                            faults[i] = subjects[i].verify(results[i])
                    taken[i].append(sample)
        finally:
            if collecting:
                gc.enable()
        again = []
        for i in waiting:
            try:
                fault = faults[i] or taken[i][-1].moved()
                if fault:
                    raise Refused("wrong", f"between the first call and the last {fault}")
                found[i] = _figure(subjects[i], ready[i], taken[i], results[i], roofline)
            except Refused as refusal:
                found[i] = refusal
                if refusal.reason != "wrong":  # a busy machine may have been the reason
                    again.append(i)
        waiting = again
        if not waiting:
            break
        if roofline is not None and attempt + 1 < tries and any(_above(found[i]) for i in waiting):
            roofline.again()
    return found


def _above(figure: Figure | Refused) -> bool:
    return isinstance(figure, Refused) and figure.reason == "above the roofline"


def measure(subject: Subject, roofline: Roofline | None = None, **how: Any) -> Figure:
    """The Figure of one subject.

    Raises
    ------
    Refused
        It is wrong, not warmed up, unsynchronised or above the roofline.
    """
    (found,) = measure_in_turn([subject], roofline, **how)
    if isinstance(found, Refused):
        raise found
    return found


__all__ = ["LEAD", "Figure", "Refused", "Subject", "lead_of", "matches", "measure", "measure_in_turn"]
