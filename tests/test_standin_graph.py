"""The stand-in device's streams and graphs do as CUDA's: nothing takes effect while a stream captures, a launch does it again."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import ls_core
from ls_core.testing.standin import STANDIN
from ls_core.testing.standin_graph import StreamOrderError

xp: Any = STANDIN.xp
cuda = xp.cuda


def device(value: Any) -> Any:
    return ls_core.to_device(np.asarray(value), "standin")


@contextlib.contextmanager
def beside(stream: Any) -> Iterator[None]:
    """On the stream, in order with what the current one does before and after."""
    main = cuda.get_current_stream()
    stream.wait_event(main.record())
    try:
        with stream:
            yield
    finally:
        main.wait_event(stream.record())


def capture(work: Callable[[], Any], pool: Any = None) -> tuple[Any, Any]:
    """-> the graph of ``work``, what it returned."""
    pool, stream = pool or cuda.MemoryPool(), cuda.Stream(non_blocking=True)
    with beside(stream), cuda.using_allocator(pool.malloc):
        stream.begin_capture()
        try:
            result = work()
        finally:
            graph = stream.end_capture()
    graph.pool = pool
    return graph, result


def host(x: Any) -> np.ndarray:
    return ls_core.to_host(x)


def test_nothing_takes_effect_before_the_launch_and_each_launch_does_it_all_again() -> None:
    x, total = device([1.0, 2.0, 3.0]), device([0.0, 0.0, 0.0])

    def work() -> Any:
        nonlocal total
        y = (x.reshape(3, 1) * 2.0 + xp.ones((3, 1), dtype="float64")).sum(axis=1)
        total += y
        total[0] = 7.0
        return y, y[::-1]

    graph, (y, turned) = capture(work)
    assert host(total).tolist() == [0, 0, 0]
    assert np.isnan(host(y)).all()
    graph.launch()
    assert host(y).tolist() == [3, 5, 7] == host(turned)[::-1].tolist()
    assert host(total).tolist() == [7, 5, 7]
    x[...] = device([10.0, 20.0, 30.0])
    graph.launch()
    assert host(y).tolist() == [21, 41, 61]
    assert host(total).tolist() == [7, 46, 68]


@pytest.mark.parametrize(
    "work",
    [
        lambda x: xp.add.at(x, device_ids, xp.ones(2, dtype="float64")),
        lambda x: xp.multiply(x, 2.0, out=x),
        lambda x: xp.copyto(x, x[::-1].copy()),
        lambda x: x.fill(4.0),
        lambda x: x.sort(),
        lambda x: x.__setitem__(device_ids, x[device_ids] * 3.0),
        lambda x: x.__imul__(2.0),
        lambda x: x.T.__iadd__(1.0),
        lambda x: xp.put_along_axis(x, device_ids, xp.zeros(2, dtype="float64"), 0),
    ],
)
def test_what_is_written_in_place(work: Callable[[Any], Any]) -> None:
    start = np.array([3.0, 1.0, 2.0])
    wanted, x = device(start), device(start)
    graph, _ = capture(lambda: work(x))
    assert host(x).tolist() == start.tolist()
    for _ in range(2):
        work(wanted)
        graph.launch()
        assert host(x).tolist() == host(wanted).tolist()


device_ids = device([0, 2])


@pytest.mark.parametrize(
    "work",
    [lambda x: float(x.sum()), lambda x: x.get(), lambda x: bool(x[0] > 0), lambda x: xp.unique(x), lambda x: x[x > 1], lambda x: repr(x)],
)
def test_waiting_for_the_device_is_an_error(work: Callable[[Any], Any]) -> None:
    x = device([1.0, 2.0])
    with pytest.raises(RuntimeError, match="the current stream is capturing"):
        capture(lambda: work(x))
    work(x)


def test_waiting_for_the_stream_spoils_the_capture() -> None:
    stream = cuda.Stream(non_blocking=True)
    with stream:
        stream.begin_capture()
        with pytest.raises(RuntimeError, match="cudaErrorStreamCaptureUnsupported"):
            stream.synchronize()
        with pytest.raises(RuntimeError, match="cudaErrorStreamCaptureInvalidated"):
            stream.end_capture()
    assert not stream.is_capturing()


@pytest.mark.parametrize(
    "work",
    [
        lambda x: x @ x,
        lambda x: xp.matmul(x, x),
        lambda x: x.dot(x),
        lambda x: xp.tensordot(x, x, axes=1),
        lambda x: xp.einsum("ij,jk", x, x),
    ],
)
def test_cupys_products_are_refused(work: Callable[[Any], Any]) -> None:
    x = device(np.ones((2, 2)))
    with pytest.raises(NotImplementedError, match="calling cuBLAS API during stream capture"):
        capture(lambda: work(x))
    graph, y = capture(lambda: ls_core.matmul(x, x))
    graph.launch()
    assert host(y).tolist() == host(x @ x).tolist()


UPLOADS: dict[str, Callable[[Any], Any]] = {
    "to_device": lambda x: x + device([1.0, 2.0]),
    "asarray": lambda x: x + xp.asarray(np.ones(2)),
    "a list": lambda x: x + xp.array([1.0, 2.0]),
    "indices": lambda x: x[[1, 0]],
    "many arrays": lambda x: xp.concatenate([x] * 9),
}


@pytest.mark.parametrize("name", UPLOADS)
def test_copies_from_the_host(name: str) -> None:
    """The allocator of pinned memory may refuse them; unless it does, the graph reads what lies there later."""
    x = device([1.0, 2.0])

    def refuse(size: int) -> Any:
        raise MemoryError("no copies")

    cuda.set_pinned_memory_allocator(refuse)
    try:
        with pytest.raises(MemoryError, match="no copies"):
            capture(lambda: UPLOADS[name](x))
    finally:
        cuda.set_pinned_memory_allocator(xp.get_default_pinned_memory_pool().malloc)
    graph, _ = capture(lambda: UPLOADS[name](x))
    with pytest.raises(StreamOrderError, match="memory of the host"):
        graph.launch()


def test_a_number_of_the_host_stays_what_it_was() -> None:
    x, factor = device([1.0, 2.0]), [3.0]
    graph, y = capture(lambda: x * factor[0] + xp.asarray(factor[0]))
    factor[0] = 100.0
    graph.launch()
    assert host(y).tolist() == [6, 9]


def test_memory_that_nobody_keeps_is_gone() -> None:
    x = device([1.0, 2.0])
    graph, y = capture(lambda: x + 1.0)
    del x
    gc.collect()
    with pytest.raises(StreamOrderError, match="memory that is gone"):
        graph.launch()

    x = device([1.0, 2.0])
    graph, y = capture(lambda: (x * 2.0) + 1.0)  # what lies between belongs to the pool
    graph.launch()
    assert host(y).tolist() == [3, 5]
    graph.pool.held.clear()
    with pytest.raises(StreamOrderError, match="memory that is gone"):
        graph.launch()


def test_streams_need_events_between_them() -> None:
    x, stream = device([1.0, 2.0]), cuda.Stream(non_blocking=True)
    x += 1.0
    with stream, pytest.raises(StreamOrderError, match="no event lies between"):
        x += 1.0
    y = device([1.0])
    y += 1.0
    with beside(stream):
        y += 1.0
    y += 1.0
    with stream:
        z = device([1.0])
    with pytest.raises(StreamOrderError):
        z + 1.0


def test_an_error_within_leaves_everything_as_it_was() -> None:
    x = device([1.0, 2.0])

    def work() -> None:
        x.fill(0.0)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        capture(work)
    assert host(x).tolist() == [1, 2]


def test_only_a_stream_of_ones_own_captures() -> None:
    with pytest.raises(RuntimeError, match="default"):
        cuda.get_current_stream().begin_capture()
    with pytest.raises(RuntimeError, match="IllegalState"):
        cuda.Stream(non_blocking=True).end_capture()


def test_the_names_are_cupys() -> None:
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    for name, thing in vars(cuda).items():
        theirs = getattr(cupy.cuda, name)
        if isinstance(thing, type):
            assert {each for each in vars(thing) if each in vars(theirs) or not each.startswith("_")} - {
                "held",
                "recording",
                "seen",
                "count",
                "nodes",
                "use_memory",
                "null",
            } <= set(dir(theirs)), name
    assert callable(cupy.get_default_pinned_memory_pool().malloc)
