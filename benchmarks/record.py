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
from ls_core.kernel import Kernel

from .count import count
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
    mutates: bool  # whether it writes to arguments: an update does, and a backward that uses up what its forward kept
    result: Any = None

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

    def note(self: Kernel, first: Any, *rest: Any, **named: Any) -> Any:
        function = self._table.get(type(first), self.reference)
        direction = "forward" if self.__name__.endswith("_forward") else phase
        if (self.__name__, direction) in known:
            return function(first, *rest, **named)
        known.add((self.__name__, direction))
        args = [first, *rest]
        before = copies(args)
        result = function(*args, **named)
        changed = not all(same(a, b) for a, b in zip(leaves(args), leaves(before), strict=True))
        calls.append(Call(self, direction, function, before if changed else args, named, changed, result))
        return result

    with mock.patch.object(Kernel, "__call__", note):
        yield


def same(a: Any, b: Any) -> bool:
    """Whether two leaves are the same bits; what is no array always is."""
    return not is_array(a) or bool(to_host(get_xp(a).array_equal(a, b)))


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
    found = [to_host(leaf) for leaf in leaves(result) if is_array(leaf)]
    return found[:1] if direction == "forward" else found


def truth(call: Call) -> list[np.ndarray]:
    """What the reference gives in float64 for these arguments."""
    exact = replace(copied(call, np.float64, host=True), function=call.kernel.reference)
    return compared(call.direction, exact())


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
