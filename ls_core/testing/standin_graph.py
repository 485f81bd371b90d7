"""CUDA streams, events, memory pools and graphs of the stand-in device, under CuPy's names (``xp.cuda``).

While a stream captures, nothing takes effect: each operation is noted with the memory that it reads and writes, what was written is
put back when the capture ends, and memory that was allocated meanwhile holds NaN. ``Graph.launch`` does the operations again, in
order, on the same memory. As with CUDA

- memory that nobody keeps is gone, and a graph that uses it is wrong: here an error. A pool keeps what a capture took from it;
- a copy from the host is noted with an address where something else lies later: an error at the launch, unless the allocator of
  pinned memory, which CuPy asks before, refuses;
- a wait of the host, and CuPy's own matrix products, are errors; LS' products (``ls_core.matmul``) are not;
- streams don't wait for each other unless an event says so: memory that two of them use without one is an error.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import weakref
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

Operation = Callable[..., Any]


class CUDARuntimeError(RuntimeError):
    """What CuPy raises for an error code of CUDA's."""


class StreamOrderError(AssertionError):
    """Two streams use the same memory and nothing says which comes first, or a graph uses memory that is gone."""


class State:
    """Which stream is current, what it captures, where memory comes from."""

    def __init__(self) -> None:
        self.stream: Stream = Stream(null=True)
        self.inside = False  # an operation runs: those within it belong to it
        self.pool: MemoryPool | None = None
        self.pinned: Operation | None = None
        self.uploaded = False  # by the operation that runs
        self.streams_in_use = False  # another than the null stream has been made
        self.kind: type = object
        self.wrap: Callable[[np.ndarray], Any] = lambda array: array


def owner(a: np.ndarray) -> np.ndarray:
    """The array whose memory ``a`` shows a part of."""
    while isinstance(a.base, np.ndarray):
        a = a.base
    return a


# --- what an operation is noted as --------------------------------------------------------------------------------------------------


class Place:
    """Some memory, and how an array lies in it; it does not keep the memory."""

    __slots__ = ("root", "offset", "shape", "strides", "dtype")

    def __init__(self, a: np.ndarray) -> None:
        root = owner(a)
        self.root = weakref.ref(root)
        self.offset = a.__array_interface__["data"][0] - root.__array_interface__["data"][0]
        self.shape, self.strides, self.dtype = a.shape, a.strides, a.dtype

    def array(self) -> Any:
        root = self.root()
        if root is None:
            raise StreamOrderError(f"the graph uses memory that is gone: that of an array of shape {self.shape}, {self.dtype}")
        flat = root.transpose(np.argsort([-s for s in root.strides], kind="stable")).reshape(-1).view(np.uint8) if root.size else root
        assert not root.size or np.shares_memory(flat, root)
        if not root.size or not all(self.shape):
            return STATE.wrap(np.empty(self.shape, self.dtype))
        part = np.ndarray(self.shape, self.dtype, flat, self.offset, self.strides)
        return STATE.wrap(part)


def _places(value: Any) -> Any:
    """The arguments or results of an operation, with places in place of arrays."""
    if isinstance(value, STATE.kind):
        return Place(value._a)  # type: ignore[attr-defined]
    if type(value) in (list, tuple):
        return type(value)(_places(each) for each in value)
    return {name: _places(each) for name, each in value.items()} if type(value) is dict else value


def _arrays(value: Any) -> Any:
    """The arguments of an operation, with arrays in place of places."""
    if isinstance(value, Place):
        return value.array()
    if type(value) in (list, tuple):
        return type(value)(_arrays(each) for each in value)
    return {name: _arrays(each) for name, each in value.items()} if type(value) is dict else value


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, STATE.kind):
        yield value
    elif type(value) in (list, tuple):
        for each in value:
            yield from _leaves(each)
    elif type(value) is dict:
        yield from _leaves(list(value.values()))


class Recording:
    """What a stream has been given since it began to capture."""

    def __init__(self) -> None:
        self.nodes: list[tuple[Operation, Any, Any, list[tuple[int, Place]]]] = []
        self.before: dict[int, tuple[np.ndarray, np.ndarray]] = {}  # memory of others, and what it held
        self.made: dict[int, weakref.ref[np.ndarray]] = {}
        self.invalid = False

    def run(self, operation: Operation, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        for each in _leaves([args, named]):
            root = owner(each._a)
            if not self._made(root) and id(root) not in self.before:
                self.before[id(root)] = root, root.copy()
        given = _places(args), _places(named)
        STATE.inside, STATE.uploaded = True, False
        try:
            result = operation(*args, **named)
        finally:
            STATE.inside = False
        fresh = []
        for i, each in enumerate(_leaves([result])):
            root = owner(each._a)
            if not self._made(root) and id(root) not in self.before:
                self.made[id(root)] = weakref.ref(root)
                if STATE.pool is not None:
                    STATE.pool.held.append(root)
                fresh.append((i, Place(each._a)))
        self.nodes.append((_gone if STATE.uploaded else operation, *given, fresh))
        return result

    def _made(self, root: np.ndarray) -> bool:
        found = self.made.get(id(root))
        return found is not None and found() is root

    def end(self) -> Graph:
        for root, held in self.before.values():
            root[...] = held
        for reference in self.made.values():
            root_made = reference()
            if root_made is not None:
                spoil(root_made)
        if self.invalid:
            raise CUDARuntimeError("cudaErrorStreamCaptureInvalidated: operation failed due to a previous error during capture")
        return Graph(self.nodes)


def _gone(*_: Any, **__: Any) -> Any:
    raise StreamOrderError("the graph copies from memory of the host that holds other things by now")


def spoil(a: np.ndarray) -> None:
    """What memory holds that nobody has written to: NaN, and numbers that are no places."""
    if a.dtype.kind == "b":
        a[...] = True
    elif a.dtype.kind in "iu":
        a[...] = np.iinfo(a.dtype).max // 3
    else:
        a[...] = np.nan


def recorded(operation: Operation) -> Operation:
    """An operation on arrays of the device, which a capturing stream notes."""

    @functools.wraps(operation)
    def call(*args: Any, **named: Any) -> Any:
        if STATE.inside:
            return operation(*args, **named)
        recording = STATE.stream.recording
        if recording is not None:
            return recording.run(operation, args, named)
        result = operation(*args, **named)
        if STATE.streams_in_use:
            STATE.stream.use_memory(_leaves([args, named, result]))
        return result

    return call


def waits(what: str) -> None:
    """The host is about to wait for the device."""
    if STATE.stream.recording is not None:
        raise RuntimeError(f"the current stream is capturing, so synchronous API calls are disallowed ({what})")


def multiplies(name: str) -> None:
    """CuPy is about to call cuBLAS; or, for ``ls_core.matmul``, whose reference runs here, LS is."""
    if STATE.stream.recording is None:
        return
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals["__name__"].startswith("ls_core.testing.standin"):
        frame = frame.f_back
    if frame.f_globals["__name__"] != "ls_core.products":
        raise NotImplementedError(f"calling cuBLAS API during stream capture is currently unsupported ({name})")


def uploads(nbytes: int) -> None:
    """CuPy is about to copy from the host, by way of pinned memory."""
    if STATE.pinned is not None:
        STATE.pinned(nbytes)
    STATE.uploaded = True


# --- xp.cuda ------------------------------------------------------------------------------------------------------------------------


class Event:
    """A place in a stream's work."""

    def __init__(self, block: bool = False, disable_timing: bool = False, interprocess: bool = False) -> None:
        self.seen: dict[Stream, int] = {}

    def record(self, stream: Stream | None = None) -> None:
        stream = STATE.stream if stream is None else stream
        self.seen = {**stream.seen, stream: stream.count}


class Stream:
    """Work in order; work of two streams in any order, but for events."""

    null: Stream

    def __init__(self, null: bool = False, ptds: bool = False, non_blocking: bool = False) -> None:
        self.ptr = 0 if null else id(self)
        self.recording: Recording | None = None
        self.count = 0  # of operations
        self.seen: dict[Stream, int] = {}  # how far other streams' work is known to be done when this one's next begins
        self._outer: list[Stream] = []
        if not null:
            assert non_blocking, "a stream that waits for the null stream can't capture beside it"
            STATE.streams_in_use = True

    def __enter__(self) -> Stream:
        self._outer.append(STATE.stream)
        STATE.stream = self
        return self

    def __exit__(self, *_: Any) -> None:
        STATE.stream = self._outer.pop()

    def record(self, event: Event | None = None) -> Event:
        event = event or Event()
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        for stream, count in event.seen.items():
            self.seen[stream] = max(count, self.seen.get(stream, 0))

    def synchronize(self) -> None:
        if self.recording is not None:
            self.recording.invalid = True
            raise CUDARuntimeError("cudaErrorStreamCaptureUnsupported: operation not permitted when stream is capturing")
        from .standin_array import synced

        synced("synchronize")

    def begin_capture(self, mode: int | None = None) -> None:
        if self.ptr == 0:
            raise RuntimeError("cannot capture on the default (legacy) stream")
        if self.recording is not None:
            raise CUDARuntimeError("cudaErrorIllegalState: the operation cannot be performed in the present state")
        self.recording = Recording()

    def end_capture(self) -> Graph:
        recording, self.recording = self.recording, None
        if recording is None:
            raise CUDARuntimeError("cudaErrorIllegalState: the operation cannot be performed in the present state")
        return recording.end()

    def is_capturing(self) -> bool:
        return self.recording is not None

    def use_memory(self, arrays: Iterator[Any]) -> None:
        """Note that this stream's next operation uses the arrays; an error where another stream may do so at the same time."""
        self.count += 1
        for each in arrays:
            root = owner(each._a)
            key = id(root)
            reference, stream, count = _used.get(key, (None, self, 0))
            if reference is not None and reference() is root and stream is not self and self.seen.get(stream, 0) < count:
                raise StreamOrderError(f"two streams use the memory of an array of shape {each.shape}, and no event lies between")
            _used[key] = weakref.ref(root), self, self.count


_used: dict[int, tuple[Any, Stream, int]] = {}  # memory, and who used it last


class Graph:
    """The operations of a capture."""

    def __init__(self, nodes: list[Any]) -> None:
        self.nodes = nodes

    def launch(self, stream: Stream | None = None) -> None:
        with contextlib.nullcontext() if stream is None else stream:
            if STATE.stream.recording is not None:
                raise NotImplementedError("a graph within a graph")
            for operation, args, named, fresh in self.nodes:
                given, options = _arrays(args), _arrays(named)
                STATE.inside = True
                try:
                    results = list(_leaves([operation(*given, **options)]))
                finally:
                    STATE.inside = False
                used = list(_leaves([given, options]))
                for i, place in fresh:
                    target = place.array()
                    target._a[...] = results[i]._a
                    used.append(target)
                STATE.stream.use_memory(iter(used))

    def upload(self, stream: Stream | None = None) -> None:
        pass


class MemoryPool:
    """Memory that a capture took from it stays as long as the pool."""

    def __init__(self, allocator: Any = None) -> None:
        self.held: list[np.ndarray] = []

    def malloc(self, size: int) -> Any:
        raise NotImplementedError("arrays of the stand-in device take their memory themselves")

    def total_bytes(self) -> int:
        return sum(each.nbytes for each in self.held)


@contextlib.contextmanager
def using_allocator(allocator: Any = None) -> Iterator[None]:
    previous, STATE.pool = STATE.pool, allocator.__self__
    try:
        yield
    finally:
        STATE.pool = previous


def set_pinned_memory_allocator(allocator: Any = None) -> None:
    STATE.pinned = allocator


STATE = State()
Stream.null = STATE.stream

CUDA = SimpleNamespace(
    Event=Event,
    Graph=Graph,
    MemoryPool=MemoryPool,
    Stream=Stream,
    get_current_stream=lambda: STATE.stream,
    runtime=SimpleNamespace(getDevice=lambda: 0),
    set_pinned_memory_allocator=set_pinned_memory_allocator,
    using_allocator=using_allocator,
)

PINNED = SimpleNamespace(malloc=lambda size: None)

__all__ = ["CUDA", "PINNED", "StreamOrderError", "recorded"]
