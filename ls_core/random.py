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
import math
import threading
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np

from .backend import Backend, backend_of, current_backend, get_xp
from .kernel import kernel
from .types import Array, DType

_seed = 0
_streams: dict[str, Stream] = {}
_counters: dict[str, int] = {}
_thread = threading.local()  # .ahead: this thread's Ahead, where it draws ahead; .keyed: its KeyedDraws


class Stream:
    """One named stream of random numbers."""

    def __init__(self, name: str, seed: int) -> None:
        digest = hashlib.sha256(name.encode()).digest()
        words = [int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4)]
        self.name = name
        self.found_by: tuple[str, int | None] | None = None  # what random_stream was asked for
        self._generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *words])))

    @property
    def generator(self) -> np.random.Generator:
        """A plain ``numpy.random.Generator``. Ask for it where you draw: in a thread that draws ahead it is another one."""
        keyed: KeyedDraws | None = getattr(_thread, "keyed", None)
        if keyed is not None and keyed.keys is not None:
            raise RuntimeError(f"random stream '{self.name}' draws on the host, and a captured step can't do that again")
        ahead: Ahead | None = getattr(_thread, "ahead", None)
        return self._generator if ahead is None else ahead.generator_of(self)

    def uniform(self, shape: tuple[int, ...], dtype: DType = np.float32, like: Array = None) -> Array:
        """Uniform numbers in [0, 1), on the backend of ``like`` (default: the current one)."""
        return self._uniform(current_backend() if like is None else backend_of(like), shape, dtype)

    def normal(self, shape: tuple[int, ...], dtype: DType = np.float32, like: Array = None) -> Array:
        """Standard normal numbers; on a device by Box and Muller from two uniform draws."""
        backend = current_backend() if like is None else backend_of(like)
        if backend.name == "numpy":
            return self.generator.standard_normal(shape).astype(dtype, copy=False)
        xp = backend.xp
        radius = xp.sqrt(-2.0 * xp.log(1.0 - self._uniform(backend, shape, np.float64)))
        angle = 6.283185307179586 * self._uniform(backend, shape, np.float64)
        return (radius * xp.cos(angle)).astype(dtype)

    def _uniform(self, backend: Backend, shape: tuple[int, ...], dtype: DType) -> Array:
        keyed: KeyedDraws | None = getattr(_thread, "keyed", None)
        if keyed is None or backend.name == "numpy":
            return backend.uniform(self.generator, shape, dtype)
        return keyed.uniform(self, backend, shape, dtype)

    def key(self) -> int:
        """The 64-bit key of a device's next draw, as a signed number."""
        return int(self.generator.integers(0, 2**64, dtype=np.uint64).astype(np.int64))

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
        stream.found_by = name, seed
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
    keyed: KeyedDraws | None = getattr(_thread, "keyed", None)
    if keyed is not None and keyed.keys is not None:
        return {"turns": dict(keyed.turns)}
    return {name: stream.generator.bit_generator.state for name, stream in _streams.items() if name.rpartition("/")[0] in paths}


def set_stream_states(paths: Collection[str], states: dict[str, Any]) -> None:
    """Return to what ``stream_states(paths)`` gave; a stream that had not begun then begins anew."""
    keyed: KeyedDraws | None = getattr(_thread, "keyed", None)
    if keyed is not None and keyed.keys is not None:
        keyed.turns = {**keyed.turns, **{n: states["turns"].get(n, 0) for n in keyed.turns if n.rpartition("/")[0] in paths}}
        return
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


# --- drawing by keys that lie on the device ------------------------------------------------------------


class KeyedDraws:
    """A device's draws by keys that lie there, for a step that is captured: the numbers are those of the same step uncaptured.

    Parameters
    ----------
    keys : int64 array (n,), optional
        One for each draw; ``fill`` gives them the keys of the next step. Without it each draw takes a key of its own at once.
    """

    def __init__(self, keys: Array = None) -> None:
        self.keys = keys
        self.draws: list[Stream] = []  # whose turn it was
        self.turns: dict[str, int] = {}  # by stream: how many draws there have been
        self._places: dict[tuple[str, int], int] = {}  # of the draws, among the keys

    def uniform(self, stream: Stream, backend: Backend, shape: tuple[int, ...], dtype: DType) -> Array:
        """``Stream.uniform`` on a device."""
        if self.keys is None:
            self.draws.append(stream)
            key = backend.xp.empty(1, dtype="int64")
            set_keys(key, [stream.key()])
            return uniform_by_key(key, 0, shape, dtype)
        name = stream.name if stream.found_by is None else stream.found_by[0]
        turn = self.turns.get(name, 0)
        self.turns[name] = turn + 1
        place = self._places.setdefault((name, turn), len(self.draws))  # a Recompute draws the same numbers again
        if place == len(self.draws):
            if place == len(self.keys):
                raise RuntimeError(f"random stream '{stream.name}' draws more often than in the steps before")
            self.draws.append(stream)
        return uniform_by_key(self.keys, place, shape, dtype)

    def fill(self) -> None:
        """Put the keys of the next step on the device, nothing being copied from the host's memory."""
        set_keys(self.keys, [(s if s.found_by is None else random_stream(*s.found_by)).key() for s in self.draws])


@contextlib.contextmanager
def drawing_by_keys(draws: KeyedDraws) -> Iterator[None]:
    """Inside, this thread's draws on a device are made by ``draws``."""
    _thread.keyed = draws
    try:
        yield
    finally:
        _thread.keyed = None


@kernel
def set_keys(keys: Array, values: list[int]) -> None:
    """keys[i] = values[i], signed numbers of 64 bits."""
    for i, value in enumerate(values):
        keys[i] = value


@kernel
def uniform_by_key(keys: Array, place: int, shape: tuple[int, ...], dtype: DType) -> Array:
    """Numbers in [0, 1) by the key at that place: those that a device's ``Backend.uniform`` draws by it (SplitMix64)."""
    xp = get_xp(keys)
    u64, wide = xp.uint64, np.dtype(dtype) == np.float64
    z = xp.arange(1, math.prod(shape) + 1, dtype="uint64") * u64(0x9E3779B97F4A7C15) + keys[place].view("uint64")
    z = (z ^ (z >> u64(30))) * u64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> u64(27))) * u64(0x94D049BB133111EB)
    z = z ^ (z >> u64(31))
    drawn = (z >> u64(11)).astype("float64") * 2.0**-53 if wide else (z >> u64(40)).astype("float32") * 2.0**-24
    return drawn.reshape(shape).astype(dtype, copy=False)


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
