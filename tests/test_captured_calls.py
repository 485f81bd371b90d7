"""What a captured step asks of CuPy, call by call; draws by keys on the device; what looking for changes costs."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import ls_core
from ls_core.cuda import graph
from ls_core.random import KeyedDraws, drawing_by_keys, random_stream, set_keys, uniform_by_key
from ls_core.testing import standin_graph
from ls_core.testing.standin import STANDIN, draws_by_key

from .test_captured_steps import noisy

CUDA = standin_graph.CUDA


@pytest.fixture(autouse=True)
def _device() -> Iterator[None]:
    with draws_by_key(), ls_core.use_backend("standin"):
        yield


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls of ``xp.cuda``, in order: 'side' is the stream that captures, 'main' the current one."""
    found: list[str] = []

    def name(stream: Any) -> str:
        return "main" if stream is standin_graph.Stream.null else "side"

    def note(owner: Any, method: str, text: Any) -> None:
        plain = getattr(owner, method)

        def call(*args: Any, **named: Any) -> Any:
            found.append(text(*args, **named))
            return plain(*args, **named)

        monkeypatch.setattr(owner, method, call)

    note(standin_graph.Stream, "record", lambda self, event=None: f"{name(self)}.record")
    note(standin_graph.Stream, "wait_event", lambda self, event: f"{name(self)}.wait_event")
    note(standin_graph.Stream, "__enter__", lambda self: f"with {name(self)}")
    note(standin_graph.Stream, "__exit__", lambda self, *_: f"end {name(self)}")
    note(standin_graph.Stream, "begin_capture", lambda self, mode=None: f"{name(self)}.begin_capture(mode={mode})")
    note(standin_graph.Stream, "end_capture", lambda self: f"{name(self)}.end_capture")
    note(standin_graph.Graph, "launch", lambda self, stream=None: f"launch on {name(stream or CUDA.get_current_stream())}")
    note(CUDA, "Event", lambda disable_timing=False: f"Event(disable_timing={disable_timing})")
    note(CUDA, "using_allocator", lambda allocator: f"using_allocator({type(allocator.__self__).__name__}.{allocator.__name__})")
    refuses = standin_graph.PINNED.malloc
    note(CUDA, "set_pinned_memory_allocator", lambda each: "pinned: the pool's" if each is refuses else "pinned: refused")
    return found


BEFORE = ["Event(disable_timing=True)", "main.record", "side.wait_event", "with side", "using_allocator(MemoryPool.malloc)"]
AFTER = ["end side", "Event(disable_timing=True)", "side.record", "main.wait_event"]


def test_the_calls_of_each_step(calls: list[str]) -> None:
    model, x, y = noisy()
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=True)
    graph._stream(CUDA)  # once for the thread
    captured = ["pinned: refused", "side.begin_capture(mode=None)", "side.end_capture", "pinned: the pool's"]
    for wanted in ([*BEFORE, *AFTER], [*BEFORE, *AFTER], [*BEFORE, *captured, *AFTER, "launch on main"], ["launch on main"]):
        calls.clear()
        model.train_on_batch(x, y)
        assert calls == wanted


def test_the_calls_where_a_capture_fails(calls: list[str]) -> None:
    model, x, y = noisy()
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=True)
    for _ in range(graph.WARM_UP):
        model.train_on_batch(x, y)
    layer = model.layers[0]
    layer.__dict__["forward"] = lambda *x, **options: type(layer).forward(layer, x[0] @ (x[0].T @ x[0]) * 0.01, **options)
    calls.clear()
    with pytest.warns(UserWarning, match="ls_core.matmul"):
        model.train_on_batch(x, y)
    assert calls == [*BEFORE, "pinned: refused", "side.begin_capture(mode=None)", "side.end_capture", "pinned: the pool's", *AFTER]


def test_every_name_is_cupys() -> None:
    """What ls_core/cuda/graph.py asks CuPy for."""
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    assert cupy.cuda.MemoryPool.malloc
    assert cupy.cuda.using_allocator
    assert cupy.cuda.set_pinned_memory_allocator
    assert cupy.get_default_pinned_memory_pool().malloc
    assert cupy.cuda.get_current_stream
    assert cupy.cuda.runtime.getDevice
    for kind, names in (("Stream", "record wait_event begin_capture end_capture __enter__"), ("Graph", "launch"), ("Event", "record")):
        assert all(hasattr(getattr(cupy.cuda, kind), each) for each in names.split())
    assert cupy.cuda.MemoryPointer.mem is not None
    assert cupy.ndarray.data is not None


# --- draws --------------------------------------------------------------------------------------------------------------------------


def split_mix(key: int, n: int) -> list[int]:
    """SplitMix64 of key + 1 ... key + n, in Python's integers."""
    found = []
    for i in range(1, n + 1):
        z = (key + i * 0x9E3779B97F4A7C15) % 2**64
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
        found.append(z ^ (z >> 31))
    return found


@pytest.mark.parametrize("key", [0, 1, 2**63, 2**64 - 1, 0x123456789ABCDEF])
def test_numbers_by_key(key: int) -> None:
    """The formula of the kernels that CuPy is given in ls_core/backend.py."""
    keys = np.zeros(3, "int64")
    set_keys(keys, [0, key - 2**64 if key >= 2**63 else key])
    numbers = split_mix(key, 12)
    wide, single = uniform_by_key(keys, 1, (3, 4), np.float64), uniform_by_key(keys, 1, (3, 4), np.float32)
    assert wide.ravel().tolist() == [(z >> 11) * 2.0**-53 for z in numbers]
    assert single.dtype == np.float32
    assert single.ravel().tolist() == [(z >> 40) * 2.0**-24 for z in numbers]
    assert uniform_by_key(keys, 1, (12,), np.float16).dtype == np.float16


def test_draws_are_those_of_the_backend() -> None:
    def draw() -> list[Any]:
        like = ls_core.to_device(np.zeros(1, "float32"))
        streams = [random_stream(name) for name in ("a", "b", "a")]
        return [ls_core.to_host(part).tolist() for s in streams for part in (s.uniform((4,), like=like), s.normal((3,), like=like))]

    ls_core.set_seed(3)
    wanted = [draw(), draw()]
    ls_core.set_seed(3)
    with drawing_by_keys(KeyedDraws()) as _:
        first = draw()
    draws = KeyedDraws(STANDIN.xp.zeros(9, dtype="int64"))
    with drawing_by_keys(draws):
        like = ls_core.to_device(np.zeros(1, "float32"))
        for name in ("a", "b", "a"):
            random_stream(name).uniform((4,), like=like)
            random_stream(name).normal((3,), like=like)
    draws.fill()
    assert first == wanted[0]
    draws.turns.clear()
    with drawing_by_keys(draws):
        assert draw() == wanted[1]


def test_what_is_not_drawn_by_key() -> None:
    """On NumPy, and in another thread, draws are as ever; on the host they are an error."""
    import threading

    draws = KeyedDraws(STANDIN.xp.zeros(1, dtype="int64"))
    with drawing_by_keys(draws):
        with pytest.raises(RuntimeError, match="random stream 'host' draws on the host"):
            _ = random_stream("host").generator
        found: list[float] = []
        thread = threading.Thread(target=lambda: found.append(random_stream("host").generator.random()))
        thread.start()
        thread.join()
    assert len(found) == 1


# --- copies and costs -----------------------------------------------------------------------------------------------------------------


def test_a_pickle_and_a_copy_are_empty() -> None:
    model, x, y = noisy()
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=True)
    for _ in range(4):
        model.train_on_batch(x, y)
    for twin in (copy.deepcopy(model._graphs), pickle.loads(pickle.dumps(model._graphs))):
        assert twin is not None
        assert twin._steps == {}


def test_everything_that_a_layer_holds_is_watched() -> None:
    model, x, _ = noisy()
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=True)
    model._prepare((ls_core.to_device(x[:1]),), training=True)
    watch = graph.Watch(model)
    assert watch.unchanged(model)
    for layer in model.layers:
        for name, value in list(vars(layer).items()):
            vars(layer)[name] = object()
            assert not watch.unchanged(model), (layer, name)
            assert watch.changes() == f"'{name}' of {layer}" or name == "name"
            vars(layer)[name] = value
        vars(layer)["another"] = 1
        assert not watch.unchanged(model)
        watch.put_back()
        assert watch.unchanged(model)
    for parameter in model.parameters():
        value, parameter.value = parameter.value, parameter.value.copy()
        assert watch.changes() == f"parameter '{parameter.path}'"
        watch.put_back()
        assert parameter.value is value
