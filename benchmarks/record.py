"""The kernels that a layer really calls, with the arguments that it gives them: recorded while it runs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

import numpy as np

from ls_core.backend import get_xp, is_array, to_host
from ls_core.gradcheck.subject import is_float, leaves, refill
from ls_core.kernel import Kernel, use_references

from .count import count, owners
from .figure import host_arrays
from .roofline import Work
from .subjects import Pair


@dataclass(frozen=True)
class Call:
    """One call of a kernel: which function answered, and with what."""

    kernel: Kernel
    direction: str
    function: Callable[..., Any]
    args: list[Any]  # as they were before the call
    named: dict[str, Any]
    written: tuple[int, ...]  # arguments that it writes to: an update does, and a backward that uses up what its forward kept
    result: Any = None
    nested: bool = False  # called by another kernel, whose overrides may call it with other arguments or not at all

    @property
    def mutates(self) -> bool:
        """Whether a second call would get other arguments."""
        return bool(self.written)

    @property
    def key(self) -> tuple[str, str]:
        """What the same call has in common in every variant."""
        return self.kernel.__name__, self.direction

    def __call__(self) -> Any:
        """What the function returns, or the arguments that it updated."""
        result = self.function(*self.args, **self.named)
        return self.args if result is None else result


class Fresh:
    """Runs a call that writes to its arguments, each time on copies that ``prepare`` has made."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.ready: list[Call] = []

    def prepare(self, times: int) -> None:
        """Make copies for so many calls."""
        self.ready = [copied(self.call) for _ in range(times)]

    def __call__(self) -> Any:
        return self.ready.pop()()


@contextlib.contextmanager
def recording(calls: list[Call], phase: str) -> Iterator[None]:
    """Within, every call of a kernel is noted, the first of each kernel."""
    known = {call.key for call in calls}
    depth = 0

    def note(self: Kernel, first: Any, *rest: Any, **named: Any) -> Any:
        nonlocal depth
        function = self._table.get(type(first), self.reference)
        direction = "forward" if self.__name__.endswith("_forward") else phase
        depth += 1
        try:
            if (self.__name__, direction) in known:
                return function(first, *rest, **named)
            return noted(self, function, direction, [first, *rest], named)
        finally:
            depth -= 1

    def noted(self: Kernel, function: Callable[..., Any], direction: str, args: list[Any], named: dict[str, Any]) -> Any:
        known.add((self.__name__, direction))
        before = copies(args)
        result = function(*args, **named)
        changed = differing(args, before)
        calls.append(Call(self, direction, function, before if changed else args, named, changed, result, depth > 1))
        return result

    with mock.patch.object(Kernel, "__call__", note):
        yield


def differing(args: list[Any], before: list[Any]) -> tuple[int, ...]:
    """Which arguments are no longer what they were."""
    return tuple(i for i, (a, b) in enumerate(zip(args, before, strict=True)) if not all(map(same, leaves(a), leaves(b))))


def same(a: Any, b: Any) -> bool:
    """Whether two leaves are the same bits; what is no array always is."""
    return not is_array(a) or bool(to_host(get_xp(a).array_equal(a, b)))


def alike(a: Any, b: Any) -> bool:
    """Whether two leaves are the same but for rounding."""
    if not (is_array(a) and is_array(b)):
        return is_array(a) == is_array(b) and bool(a == b)
    a, b = to_host(a), to_host(b)
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-3, atol=1e-3, equal_nan=True))


def record(pair: Pair) -> list[Call]:
    """The kernels of one forward and backward."""
    pair.backward(pair.forward()[1])  # so that what is made at the first call is there
    calls: list[Call] = []
    with recording(calls, "forward"):
        _, cache = pair.forward()
    with recording(calls, "backward"):
        pair.backward(cache)
    return calls


def copies(args: list[Any], dtype: Any = None, host: bool = False) -> list[Any]:
    """Arguments with every array copied, floats in ``dtype``, perhaps as NumPy arrays."""

    def new(leaf: Any) -> Any:
        if not is_array(leaf):
            return leaf
        leaf = to_host(leaf) if host else leaf
        return leaf.astype(dtype) if dtype is not None and is_float(leaf) else leaf.copy()

    made: dict[int, Any] = {}
    for leaf in leaves(args):
        if id(leaf) not in made:
            made[id(leaf)] = new(leaf)
    return list(refill(args, [made[id(leaf)] for leaf in leaves(args)]))


def copied(call: Call, dtype: Any = None, host: bool = False) -> Call:
    """``call`` on copies of its arguments."""
    return replace(call, args=copies(call.args, dtype, host))


def compared(direction: str, result: Any) -> list[np.ndarray]:
    """What every variant must give: a forward may keep anything it likes beside its output, which comes first."""
    found = host_arrays(result)
    return found[:1] if direction == "forward" else found


def reused(call: Call) -> bool:
    """Whether two results that are held at once are in the same memory, and it is no argument's."""
    if call.mutates:
        return False
    first, second = ([leaf for leaf in leaves(call()) if is_array(leaf)][: 1 if call.direction == "forward" else None] for _ in range(2))
    return bool((owners(first) & owners(second)) - owners([call.args, call.named]))


def truth(call: Call) -> list[np.ndarray]:
    """What the reference gives in float64 for these arguments."""
    exact = replace(copied(call, np.float64, host=True), function=call.kernel.reference)
    with use_references():  # the kernels within it too
        return compared(call.direction, exact())


@dataclass(frozen=True)
class Truth:
    """What the reference gives for a call: in float64, for these numbers and for others in the same arrays; its dtypes; its work."""

    expected: list[np.ndarray]
    others: list[np.ndarray] | None
    dtypes: list[str]
    work: Work
    call: Call

    def is_of(self, call: Call) -> bool:
        """Whether ``call`` asks for the same: one that a layer makes does, one that another kernel makes may differ by variant."""
        if not call.nested:
            return True
        pairs = list(zip(leaves(call.args), leaves(self.call.args), strict=False))
        return len(leaves(call.args)) == len(leaves(self.call.args)) and all(alike(a, b) for a, b in pairs)


def truth_of(call: Call, shortcut: float) -> Truth:
    """From the reference's own call."""
    others = None
    if changeable(call):
        with other_numbers(call):
            others = truth(call)
    given = call.args if call.result is None else call.result
    dtypes = [a.dtype.name for a in compared(call.direction, given)]
    return Truth(truth(call), others, dtypes, work_of(call, shortcut), call)


def changeable(call: Call) -> list[Any]:
    """The arrays of a call that may hold other numbers for a moment: floats of their own.

    Of a backward the first argument: what a forward kept means something else in each variant.
    """

    def plain(a: Any) -> bool:
        own = is_array(a) and is_float(a) and a.size > 0 and getattr(a.flags, "writeable", True) and all(a.strides)
        return bool(own)

    given = [] if call.mutates else call.args if call.direction == "forward" else call.args[:1]
    return [a for a in given if plain(a)]


@contextlib.contextmanager
def other_numbers(call: Call, factor: float = 0.5) -> Iterator[None]:
    """Within, arguments hold other numbers in the same memory: who gives a result from before gives a wrong one."""
    arrays = changeable(call)
    kept = [array.copy() for array in arrays]
    for array in arrays:
        array *= factor
    try:
        yield
    finally:
        for array, numbers in zip(reversed(arrays), reversed(kept), strict=True):  # two may be views of the same numbers
            array[...] = numbers


def work_of(call: Call, shortcut: float) -> Work:
    """What the reference must compute and move for these arguments."""
    named = call.named
    return count(lambda *args: call.kernel.reference(*args, **named), *copies(call.args, host=True), shortcut=shortcut)


def work_of_step(step: Callable[[], Any], shortcut: float = 1.0) -> Work:
    """The operations of all kernels in a step, which must run on the references; bytes are not added up."""
    counted: list[Work] = []
    inside = False

    def note(self: Kernel, first: Any, *rest: Any, **named: Any) -> Any:
        nonlocal inside
        if inside:  # a kernel that another one calls is counted with it
            return self.reference(first, *rest, **named)
        inside = True
        try:
            before = copies([first, *rest])
            counted.append(count(lambda *args: self.reference(*args, **named), *before))
            return self.reference(first, *rest, **named)
        finally:
            inside = False

    with mock.patch.object(Kernel, "__call__", note):
        step()
    return Work(sum(w.flops for w in counted), sum(w.products for w in counted), 0.0, "float32", shortcut)
