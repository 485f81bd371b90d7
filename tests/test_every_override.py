"""No override can be wrong unseen: each is made wrong by one number of one result, and the comparison with the references must fail.

An override that hands a call on to its reference proves nothing by it, so only calls count in which it did the work itself:
those of the benchmarks' layers, at sizes where it pays, and on CUDA those of kernel_rounds.py in the emulator.
"""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any
from unittest import mock

import numpy as np
import pytest

from benchmarks.machine import tier, tiers
from benchmarks.other_subjects import OTHERS
from benchmarks.subjects import SPECS, pass_problem
from ls_core.backend import is_array, to_device, to_host
from ls_core.cuda import OVERRIDES
from ls_core.cuda.overrides import FAMILIES
from ls_core.gradcheck.subject import leaves, refill
from ls_core.kernel import KERNELS, Kernel
from ls_core.testing.cuda_emulator import compiler, cuda_kernels
from ls_core.threads import set_thread_count, thread_count

from .kernel_rounds import ROUNDS, Place, agree, wanted

ELSEWHERE = {
    ("average_pool_forward numba", 1): "its own backward knows the counts; tests/test_accelerated_conv.py compares them",
    ("update_together standin", 1): "what is left for others to update; tests/test_flat_updates.py",
}
TRIES = 6  # of a wrong result: what is kept for the backward is not always needed there


def code_of(function: Any) -> CodeType | None:
    return getattr(function, "__code__", None)


def changed(array: Any) -> Any:
    """A copy with one number changed: clearly, and with the other sign."""
    host = np.array(to_host(array), order="C")
    flat = host.reshape(-1)
    middle = flat.size // 2
    if host.dtype.kind in "iub":
        flat[middle] = 1 - flat[middle]
    else:
        finite = np.abs(flat.astype("float64"))[np.isfinite(flat.astype("float64"))]
        step = 0.3 * finite.max(initial=0.0) + 0.01
        flat[middle] = -float(flat[middle]) - (step if flat[middle] >= 0 else -step)
    return to_device(host, "standin") if type(array) is not np.ndarray and is_array(array) else host


class Watched:
    """Notes the calls that overrides answer themselves; makes one result of one of them wrong."""

    def __init__(self, wrong: str = "", place: int = 0) -> None:
        self.results: dict[str, int] = {}  # how many results each override has that can be changed
        self.wrong, self.place = wrong, place

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        def call(kernel: Kernel, first: Any, *rest: Any, **named: Any) -> Any:
            function = kernel._table.get(type(first), kernel.reference)
            if function is kernel.reference:
                return function(first, *rest, **named)
            return self.answer(kernel, function, [first, *rest], named)

        with mock.patch.object(Kernel, "__call__", call):
            yield

    def answer(self, kernel: Kernel, function: Callable[..., Any], args: list[Any], named: dict[str, Any]) -> Any:
        backend = next(name for name in reversed(kernel.overrides) if kernel.overrides[name] is function)
        others = {code_of(kernel.reference), *(code_of(f) for f in kernel.overrides.values() if f is not function)} - {None}
        key = f"{kernel.__name__} {backend}"
        before = [np.array(to_host(leaf)) for leaf in leaves(args) if is_array(leaf)]
        handed_on = []
        outer = sys.getprofile()

        def watch(frame: FrameType, event: str, argument: Any) -> None:
            if event == "call" and frame.f_code in others:
                first = frame.f_locals.get(frame.f_code.co_varnames[0])  # a part of the rows may well go to the reference
                if getattr(first, "shape", 0) == getattr(args[0], "shape", 0):
                    handed_on.append(key)
            if outer is not None:
                outer(frame, event, argument)

        sys.setprofile(watch)
        try:
            result = function(*args, **named)
        finally:
            sys.setprofile(outer)
        if handed_on:
            return result
        if result is None:
            found = [a for a, b in zip([x for x in leaves(args) if is_array(x)], before, strict=True) if not _same(a, b)]
        else:
            found = [leaf for leaf in leaves(result) if is_array(leaf) and leaf.size]
        plain = isinstance(result, bool)
        self.results[key] = max(self.results.get(key, 0), 1 if plain else len(found))
        if key != self.wrong or self.place >= (1 if plain else len(found)):
            return result
        if plain:
            return not result
        if result is None:
            found[self.place][...] = changed(found[self.place])
            return None
        return refill(result, [changed(leaf) if leaf is found[self.place] else leaf for leaf in leaves(result)])


def _same(a: Any, b: np.ndarray) -> bool:
    return bool(np.array_equal(to_host(a), b, equal_nan=a.dtype.kind == "f"))


class Proof:
    """Which results of which overrides were noticed when they were wrong, and how often each was tried."""

    def __init__(self) -> None:
        self.noticed: set[tuple[str, int]] = set()
        self.tried: Counter[tuple[str, int]] = Counter()

    def run(self, run: Callable[[], Any], problem: Callable[[Any], str | None]) -> set[tuple[str, int]]:
        """Run once as it is, which must be right; then once for each result that was not noticed so far. -> what there is."""
        watched = Watched()
        with watched():
            fault = problem(run())
        assert fault is None, fault
        found = [(key, place) for key, results in watched.results.items() for place in range(results)]
        for each in found:
            if each in self.noticed or self.tried[each] == TRIES:
                continue
            self.tried[each] += 1
            try:
                with Watched(*each)():
                    fault = problem(run())
            except Exception as noticed:
                fault = str(noticed)
            if fault is not None:
                self.noticed.add(each)
        return set(found)

    def conclude(self, asked: set[str], where: str) -> None:
        """Raise AssertionError for what nobody would notice, and for what was never called."""
        unseen = [f"result {place} of {key}" for key, place in sorted(set(self.tried) - self.noticed - set(ELSEWHERE))]
        assert not unseen, f"nobody would notice if it were wrong: {unseen}"
        missing = sorted(asked - {key for key, _ in self.noticed})
        assert not missing, f"nothing in {where} is answered by {missing} itself: add a row"

    def finished(self, keys: set[str]) -> bool:
        """Whether there is nothing to be tried for these overrides."""
        return all((key, 0) in self.noticed for key in keys) and not [
            e for e in set(self.tried) - self.noticed - set(ELSEWHERE) if e[0] in keys
        ]


def rounds(proof: Proof, backend: str, seeds: int) -> None:
    """Those of kernel_rounds.py, on a backend; again with other numbers where something went unnoticed."""
    tried: dict[str, set[tuple[str, int]]] = {}
    for seed in range(seeds):
        for name, (run, types) in ROUNDS.items():
            if seed and tried[name] <= proof.noticed:
                continue
            dtype = types[0]
            expected = wanted(name, dtype, seed)

            def problem(found: Any, expected: Any = expected, dtype: str = dtype) -> str | None:
                try:
                    agree(found, expected, dtype)
                except AssertionError as difference:
                    return str(difference)
                return None

            tried[name] = proof.run(lambda run=run, dtype=dtype, seed=seed: run(Place(backend, dtype, seed)), problem)


@pytest.fixture
def threads() -> Iterator[None]:
    before = thread_count()
    set_thread_count(2)
    yield
    set_thread_count(before)


@pytest.mark.slow
@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("name", [name for name in tiers() if name != "references"])
def test_on_the_processor(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "numba":
        from ls_layers.accelerated import dense_compiled

        monkeypatch.setattr(dense_compiled, "BEATS_BLAS", True)  # whatever BLAS there is
    proof = Proof()
    asked = {f"{kernel.__name__} {name}" for kernel in KERNELS.values() if name in kernel.overrides}
    with tier(name):
        rounds(proof, "numpy", 2)
    for size in ("small", "medium"):
        for spec in (*SPECS, *OTHERS):
            with tier("references"), Asked() as called:
                pair = spec.prepare(spec.shapes[size])
                expected = pair.outcome()
            here = asked & {f"{each} {name}" for each in called}
            if not proof.finished(here):
                with tier(name):
                    pair = spec.prepare(spec.shapes[size])
                    proof.run(pair.outcome, lambda found, expected=expected: pass_problem(found, expected))
    proof.conclude(asked, "benchmarks/subjects.py, other_subjects.py and kernel_rounds.py")


class Asked:
    """The names of the kernels that are called within."""

    def __enter__(self) -> set[str]:
        self.names: set[str] = set()

        def call(kernel: Kernel, first: Any, *rest: Any, **named: Any) -> Any:
            self.names.add(kernel.__name__)
            return kernel._table.get(type(first), kernel.reference)(first, *rest, **named)

        self.patch = mock.patch.object(Kernel, "__call__", call)
        self.patch.start()
        return self.names

    def __exit__(self, *problem: object) -> None:
        self.patch.stop()


@pytest.mark.slow
@pytest.mark.skipif(compiler() is None, reason="no C++ compiler: g++ (or $CXX) runs the CUDA sources on the CPU")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_on_cuda() -> None:
    for family in FAMILIES:
        __import__(family)
    proof = Proof()
    with cuda_kernels():
        rounds(proof, "standin", 4)
    proof.conclude({f"{kernel.__name__} standin" for kernel, _ in OVERRIDES}, "kernel_rounds.py")
