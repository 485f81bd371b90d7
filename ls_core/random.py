"""Seeded, named random streams: what one part draws never moves another part's numbers.

A stream is named after its use (``'sequential/dropout/mask'``, ``'fit/shuffle'``). Its numbers depend on
the seed and the name alone, so results do not depend on the order of unrelated calls. All state
lives on the host; a device backend counts from one key per draw.

A thread that makes batches before they are used draws ahead (``drawing_ahead``): from copies of the streams, whose states the
streams take on when the batch is used. So the streams stand where they would without the thread, however far it has come.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import threading
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np

from .backend import backend_of, current_backend
from .kernel import kernel
from .types import Array, DType

_seed = 0
_streams: dict[str, Stream] = {}
_counters: dict[str, int] = {}
_thread = threading.local()  # .ahead: this thread's Ahead, where it draws ahead


class Stream:
    """One named stream of random numbers."""

    def __init__(self, name: str, seed: int) -> None:
        digest = hashlib.sha256(name.encode()).digest()
        words = [int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4)]
        self.name = name
        self._generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *words])))

    @property
    def generator(self) -> np.random.Generator:
        """A plain ``numpy.random.Generator``. Ask for it where you draw: in a thread that draws ahead it is another one."""
        ahead: Ahead | None = getattr(_thread, "ahead", None)
        return self._generator if ahead is None else ahead.generator_of(self)

    def uniform(self, shape: tuple[int, ...], dtype: DType = np.float32, like: Array = None) -> Array:
        """Uniform numbers in [0, 1), on the backend of ``like`` (default: the current one)."""
        backend = current_backend() if like is None else backend_of(like)
        return backend.uniform(self.generator, shape, dtype)

    def normal(self, shape: tuple[int, ...], dtype: DType = np.float32, like: Array = None) -> Array:
        """Standard normal numbers; on a device by Box and Muller from two uniform draws."""
        backend = current_backend() if like is None else backend_of(like)
        if backend.name == "numpy":
            return self.generator.standard_normal(shape).astype(dtype, copy=False)
        xp = backend.xp
        radius = xp.sqrt(-2.0 * xp.log(1.0 - backend.uniform(self.generator, shape, np.float64)))
        angle = 6.283185307179586 * backend.uniform(self.generator, shape, np.float64)
        return (radius * xp.cos(angle)).astype(dtype)

    def keep_mask(self, shape: tuple[int, ...], rate: float, like: Array) -> Array:
        """A dropout mask: 1/(1 - rate) with probability 1 - rate, else 0; dtype and backend of ``like``."""
        return keep_scaled(self.uniform(shape, like=like), rate, like.dtype)


@kernel
def keep_scaled(drawn: Array, rate: float, dtype: DType) -> Array:
    """1/(1 - rate) where the number drawn from [0, 1) is at least ``rate``, else 0; an array of ``dtype``."""
    return (drawn >= rate).astype(dtype) * (1.0 / (1.0 - rate) if rate < 1 else 0.0)


def set_seed(seed: int) -> None:
    """Seed every random stream of LS and start the numbering of models anew.

    >>> set_seed(7); a = random_stream('x').generator.random()
    >>> set_seed(7); _ = random_stream('y').generator.random(); b = random_stream('x').generator.random()
    >>> a == b
    True
    """
    global _seed
    if not 0 <= int(seed) < 2**64:
        raise ValueError(f"a seed is an integer from 0 to 2**64 - 1, not {seed!r}")
    _seed = int(seed)
    _streams.clear()
    _counters.clear()


def random_stream(name: str, seed: int | None = None) -> Stream:
    """The stream called ``name``, begun on first use and continued afterwards.

    With a ``seed`` it begins with numbers that depend on that and on the last part of the name alone.
    """
    ahead: Ahead | None = getattr(_thread, "ahead", None)
    stream = _streams.get(name) or (None if ahead is None else ahead.begun.get(name))
    if stream is None:
        stream = Stream(name, _seed) if seed is None else Stream(name.rpartition("/")[2], seed)
        (_streams if ahead is None else ahead.begun)[name] = stream
    return stream


def forget_streams(path: str) -> None:
    """Let the streams of the layer at ``path`` begin again (a new layer with a seed of its own)."""
    for name in [name for name in _streams if name.rpartition("/")[0] == path]:
        del _streams[name]


def count_name(name: str) -> str:
    """``name`` the first time since ``set_seed``, then ``name_1``, ``name_2`` ..."""
    number = _counters.get(name, 0)
    _counters[name] = number + 1
    return f"{name}_{number}" if number else name


def get_random_state() -> dict[str, Any]:
    """Everything that is needed to draw the same numbers again; plain JSON types."""
    streams = {name: stream.generator.bit_generator.state for name, stream in _streams.items()}
    return {"seed": _seed, "counters": dict(_counters), "streams": streams}


def set_random_state(state: dict[str, Any], leave: Collection[str] = ()) -> None:
    """Return to what ``get_random_state`` described; the streams named in ``leave`` stay as they are.

    A stream that somebody holds stays that same object, so what draws from it goes on from the state too.
    """
    global _seed
    _seed = state["seed"]
    _counters.clear()
    _counters.update(state["counters"])
    for name in [name for name in _streams if name not in state["streams"] and name not in leave]:
        del _streams[name]
    for name, inner in state["streams"].items():
        if name not in leave:
            random_stream(name).generator.bit_generator.state = inner


def stream_states(paths: Collection[str]) -> dict[str, Any]:
    """The states of the streams that the layers at ``paths`` draw from."""
    return {name: stream.generator.bit_generator.state for name, stream in _streams.items() if name.rpartition("/")[0] in paths}


def set_stream_states(paths: Collection[str], states: dict[str, Any]) -> None:
    """Return to what ``stream_states(paths)`` gave; a stream that had not begun then begins anew."""
    for name in [name for name in _streams if name.rpartition("/")[0] in paths and name not in states]:
        del _streams[name]
    for name, inner in states.items():
        random_stream(name).generator.bit_generator.state = inner


@contextlib.contextmanager
def same_random_numbers() -> Iterator[None]:
    """Inside, numbers are drawn as usual; afterwards the streams stand where they stood before."""
    state = get_random_state()
    try:
        yield
    finally:
        set_random_state(state)


# --- drawing ahead -----------------------------------------------------------------------------------


class Ahead:
    """The copies of the streams that a thread draws from."""

    def __init__(self) -> None:
        self.begun: dict[str, Stream] = {}  # streams that were first asked for in this thread
        self._copies: dict[Stream, np.random.Generator] = {}

    def generator_of(self, stream: Stream) -> np.random.Generator:
        """The copy of that stream's generator, made when the thread first draws from it."""
        if stream not in self._copies:
            self._copies[stream] = copy.deepcopy(stream._generator)
        return self._copies[stream]

    def get_state(self) -> Any:
        """Where the copies stand: what ``catch_up`` takes."""
        return dict(self.begun), [(stream, generator.bit_generator.state) for stream, generator in self._copies.items()]


@contextlib.contextmanager
def drawing_ahead() -> Iterator[Ahead]:
    """Inside, this thread draws from copies of the streams."""
    _thread.ahead = Ahead()
    try:
        yield _thread.ahead
    finally:
        _thread.ahead = None


def catch_up(state: Any) -> None:
    """Bring the streams to where the copies of a thread stood."""
    begun, states = state
    begun = {stream: _streams.setdefault(name, stream) for name, stream in begun.items()}
    for stream, inner in states:
        begun.get(stream, stream)._generator.bit_generator.state = inner
