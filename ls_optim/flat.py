"""Layout: small Parameters stand side by side in flat arrays, so that one call of ``update`` changes them all.

::

    buffer.value     | kernel (8, 16) | kernel (16, 3) | bias | bias |      each p.value is a view of its part
    buffer.state m   |                |                |      |      |      and so is each optimizer.state(p)['m']
    gradients        gathered into such an array at each step

A call takes microseconds, however few numbers it gets, and on a GPU a launch; most Parameters are that small. A large one
(``LARGEST``) keeps arrays and a call of its own, for which nothing has to be gathered. Laying out needs one more flat array
at a time: the largest of the buffer's. What lasts is the views alone, nothing stands twice.

Who writes ``p.value = array`` need not know of all this: the identity of the arrays is looked at in each step. An array of the same
kind is copied to the Parameter's place, any other makes a new layout. No two Parameters overlap, whatever they did before.
"""

from __future__ import annotations

import itertools
import operator
import weakref
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ls_core.backend import backend_of, get_xp
from ls_core.parameter import Parameter, RowGradient
from ls_core.types import Array

from .clipping import Gradient, clipped
from .memory import Memory, State

if TYPE_CHECKING:
    from .optimizer import Optimizer

# Numbers of a Parameter that is joined. On NumPy gathering twice as many costs what a call does; on a device this is a guess.
LARGEST: dict[type, int] = {np.ndarray: 1 << 13}
LARGEST_ON_DEVICE = 1 << 18

Terms = tuple[float, float]  # of an update: weight decay and rate multiplier


def side_by_side(arrays: list[Array]) -> tuple[Array, list[Array]]:
    """Copies of the arrays in one flat array -> it, and its part for each of them, of its shape.

    >>> import numpy as np
    >>> flat, (a, b) = side_by_side([np.zeros((2, 2)), np.ones(3)])
    >>> a[1, 1] = 7.0
    >>> flat
    array([0., 0., 0., 7., 1., 1., 1.])
    """
    flat = get_xp(arrays[0]).concatenate(arrays, axis=None)
    ends = itertools.accumulate(array.size for array in arrays)
    return flat, [flat[end - array.size : end].reshape(array.shape) for array, end in zip(arrays, ends, strict=True)]


class Slot:
    """The place of one Parameter in a buffer. It does not keep the Parameter alive."""

    __slots__ = ("parameter", "value", "state", "views", "begin", "end")

    def __init__(self, parameter: Parameter, state: State, end: int) -> None:
        self.parameter = weakref.ref(parameter)
        self.value, self.state, self.views = parameter.value, state, list(state.values())
        self.begin, self.end = end - parameter.size, end

    def holds(self, parameter: Parameter) -> bool:
        """Whether value and state are here; a new value of this kind is brought here first."""
        value = parameter.value
        if value is not self.value:
            if type(value) is not type(self.value) or value.shape != self.value.shape or value.dtype != self.value.dtype:
                return False
            self.value[...] = value
            parameter.value = self.value
        return len(self.state) == len(self.views) and all(map(operator.is_, self.state.values(), self.views))


class Run:
    """Neighbours in a buffer that one call updates: all have a gradient, and the same terms."""

    def __init__(self, buffer: Buffer, slots: list[Slot], terms: Terms) -> None:
        here = slice(slots[0].begin, slots[-1].end)
        self.slots = slots
        self.decay, self.multiplier = terms
        self.value: Array = buffer.value[here]
        self.kept: State = {name: flat[here] for name, flat in buffer.state.items()}
        self.state = dict(self.kept)  # for update

    def update(self, optimizer: Optimizer, work: dict[Parameter, Gradient], factors: dict[Parameter, Any], rate: float) -> None:
        """One call for all of them, by their gradients, which it takes out of ``work``, times their factors."""
        parameters: list[Any] = [slot.parameter() for slot in self.slots]
        gradients, factor = [work.pop(p) for p in parameters], factors.get(parameters[0])
        if optimizer.clipnorm:  # each has a factor of its own
            gradients, factor = [clipped(g, factors[p], None) for p, g in zip(parameters, gradients, strict=True)], None
        flat = gradients[0].reshape(-1) if len(gradients) == 1 else get_xp(self.value).concatenate(gradients, axis=None)
        flat = clipped(flat, factor, optimizer.clipvalue)
        optimizer.update_arrays(self.value, flat, self.state, rate * self.multiplier, self.decay)
        self._settle()

    def _settle(self) -> None:
        """Bring home what ``update`` put into ``state`` in place of the arrays that it got."""
        if self.state.keys() != self.kept.keys():  # then each Parameter gets its part, for a new layout
            for slot in self.slots:
                part = slice(slot.begin - self.slots[0].begin, slot.end - self.slots[0].begin)
                for name, given in self.state.items():
                    flat = getattr(given, "shape", None) == self.value.shape
                    slot.state[name] = given[part].reshape(slot.value.shape).copy() if flat else given
                for name in self.kept.keys() - self.state.keys():
                    del slot.state[name]
            return
        for name, array in self.kept.items():
            if self.state[name] is not array:
                array[...] = self.state[name]
                self.state[name] = array


class Buffer:
    """The values of several Parameters in one flat array, and each array of their state in another."""

    def __init__(self, parameters: list[Parameter], states: list[State]) -> None:
        self.value, views = side_by_side([p.value for p in parameters])
        for parameter, view in zip(parameters, views, strict=True):
            parameter.value = view
        self.state: State = {}
        for name in states[0]:
            self.state[name], views = side_by_side([state[name] for state in states])
            for state, view in zip(states, views, strict=True):
                state[name] = view
        ends = itertools.accumulate(p.size for p in parameters)
        self.slots = [Slot(*each) for each in zip(parameters, states, ends, strict=True)]
        self.count, self.gaps = len(parameters), False
        self.average: Array = None
        self.averages: list[Array] = []  # its parts
        self._terms: list[Terms | None] = []
        self._runs: list[Run] = []

    def runs(self, terms: list[Terms | None]) -> list[Run]:
        """The slots' runs, where each has these terms; None: it has no dense gradient."""
        if terms != self._terms:  # else as in the last step
            self._terms, self._runs = terms, []
            found: list[tuple[Terms, list[Slot]]] = []
            for slot, each in zip(self.slots, terms, strict=True):
                if each is None:
                    continue
                if found and found[-1][0] == each and found[-1][1][-1].end == slot.begin:
                    found[-1][1].append(slot)
                else:
                    found.append((each, [slot]))
            self._runs = [Run(self, slots, each) for each, slots in found]
        return self._runs

    def join_averages(self, members: list[Parameter], memory: Memory) -> bool:
        """Bring the moving averages of all members together; whether that can be."""
        found = [memory.find("average", p) for p in members]
        if self.average is None or not all(map(operator.is_, found, self.averages)):
            if any(type(a) is not type(self.value) or a.dtype != self.value.dtype for a in found):
                return False
            self.average, self.averages = side_by_side(found)
            memory.average.update(zip(members, self.averages, strict=True))
        return True


def fits(gradient: Gradient, value: Array) -> bool:
    """Whether a gradient is an array like the value."""
    return not isinstance(gradient, RowGradient) and bool(gradient.dtype == value.dtype and gradient.shape == value.shape)


def may_join(optimizer: Optimizer, parameter: Parameter, gradient: Gradient) -> bool:
    """Whether a Parameter with this gradient can be updated along with others, and is small enough to gain by it."""
    value = parameter.value
    return bool(
        value.size <= LARGEST.get(type(value), LARGEST_ON_DEVICE)
        and optimizer.is_elementwise(parameter)
        and fits(gradient, value)
        and value.flags.c_contiguous
        and all(type(a) is type(value) and a.shape == value.shape and a.dtype == value.dtype for a in optimizer.state(parameter).values())
        and type(value) is backend_of(value).array_type  # no array that somebody derived from it, such as one in a file
    )


class Layout:
    """The buffers of one optimiser. A copy of it (by ``copy``, in another process) is empty, and so laid out anew."""

    def __init__(self) -> None:
        self.buffers: list[Buffer] = []

    def __reduce__(self) -> tuple[Any, ...]:
        return Layout, ()

    def runs(self, optimizer: Optimizer, gradients: Mapping[Parameter, Gradient]) -> list[Run]:
        """What can be updated together; Parameters that may be joined and have no place yet are laid out first."""
        if len(gradients) < 2 and not self.buffers:
            return []
        runs, placed, gaps = self._runs(optimizer, gradients)
        if not gaps and len(placed) == len(gradients):
            return runs
        joined = [p for p, gradient in gradients.items() if p in placed or may_join(optimizer, p, gradient)]
        if gaps or len(joined) > max(1, len(placed)):
            self._lay_out(optimizer, joined)
            runs, _, _ = self._runs(optimizer, gradients)
        return runs

    def _runs(self, optimizer: Optimizer, gradients: Mapping[Parameter, Gradient]) -> tuple[list[Run], set[Parameter], bool]:
        """-> runs, the Parameters in them, whether they stand beside parts that are nobody's any more."""
        runs, placed, gaps = [], set(), False
        for buffer in self.buffers:
            terms: list[Terms | None] = []
            left: list[Slot] = []
            for slot in buffer.slots:
                parameter, term = slot.parameter(), None
                gradient = None if parameter is None else gradients.get(parameter)
                if parameter is None or (gradient is not None and not slot.holds(parameter)):
                    left.append(slot)
                elif gradient is not None and fits(gradient, slot.value):
                    placed.add(parameter)
                    term = optimizer.decay_of(parameter), optimizer.rate_multiplier(parameter)
                terms.append(term)
            runs += buffer.runs(terms)
            if left:
                buffer.slots, buffer.gaps = [slot for slot in buffer.slots if slot not in left], True
            gaps = gaps or (buffer.gaps and any(terms))
        self.buffers = [buffer for buffer in self.buffers if buffer.slots]
        return runs, placed, gaps

    def _lay_out(self, optimizer: Optimizer, parameters: list[Parameter]) -> None:
        """Join these; whoever else is in a buffer and still at home there stays."""
        moving = set(parameters)
        for buffer in self.buffers:
            buffer.slots = [s for s in buffer.slots if (p := s.parameter()) is not None and p not in moving and s.holds(p)]
        self.buffers = [buffer for buffer in self.buffers if buffer.slots]
        groups: dict[Any, list[Parameter]] = {}
        for parameter in parameters:
            kind = type(parameter.value), parameter.dtype, tuple(optimizer.state(parameter))
            groups.setdefault(kind, []).append(parameter)
        for group in groups.values():
            # Equal terms together, for one run; odd sizes last, so that the others begin where vectors of numbers are read well.
            group.sort(key=lambda p: (optimizer.decay_of(p), optimizer.rate_multiplier(p), p.size % 16 > 0))
            self.buffers.append(Buffer(group, [optimizer.state(p) for p in group]))

    def average(self, parameters: Iterable[Parameter], memory: Memory, share: float) -> Iterable[Parameter]:
        """Move the joined moving averages by a share of the way to their values; -> the Parameters that are left to do."""
        left = dict.fromkeys(parameters)
        for buffer in self.buffers:
            members = [p for s in buffer.slots if (p := s.parameter()) is not None and p in left and p.value is s.value]
            if len(members) == buffer.count and buffer.join_averages(members, memory):
                buffer.average += (buffer.value - buffer.average) * share
                for p in members:
                    del left[p]
        return left


__all__ = ["Buffer", "Layout", "Run", "side_by_side"]
