"""A pool of threads for blocks of work: NumPy and compiled kernels let go of the interpreter's lock, so blocks run side by side.

While blocks run, BLAS keeps to one thread in each, because two layers of threads only wait for each other. How many threads
there are: ``LS_THREADS``, else the limit that is set for BLAS (``OMP_NUM_THREADS`` and its like), else the cores of this process.
"""

from __future__ import annotations

import itertools
import os
import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from .blas import blas_threads

_inside = threading.local()


def _wanted() -> int:
    for variable in ("LS_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        value = os.environ.get(variable, "")
        if value.isdigit() and int(value) > 0:
            return int(value)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_count = _wanted()


def thread_count() -> int:
    """How many threads ``run_blocks`` uses."""
    return _count


def set_thread_count(count: int) -> None:
    """Use ``count`` threads from now on. Sums are split by it, so results keep their bits for one count only."""
    global _count
    if count < 1:
        raise ValueError(f"a thread count is 1 or more, not {count}")
    _count = count


def split(rows: int, least: int = 1) -> list[tuple[int, int]]:
    """``rows`` as one contiguous (begin, end) for each thread, each of ``least`` rows or more.

    >>> set_thread_count(2); split(9), split(9, least=6)
    ([(0, 4), (4, 9)], [(0, 9)])
    """
    parts = max(1, min(_count, rows // max(least, 1)))
    edges = [rows * i // parts for i in range(parts + 1)]
    return list(itertools.pairwise(edges))


def run_blocks(function: Callable[..., Any], blocks: list[tuple[int, int]]) -> None:
    """Call ``function(begin, end)`` for every block, the first one in this thread; returns when all are done.

    An exception in any block is raised here. Called from within a block it runs in turn.
    """
    if len(blocks) == 1 or getattr(_inside, "busy", False):
        for begin, end in blocks:
            function(begin, end)
        return
    _start_workers(len(blocks) - 1)
    done: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
    with blas_threads(1):
        for begin, end in blocks[1:]:
            _jobs.put((function, begin, end, done))
        failure: BaseException | None = None
        _inside.busy = True
        try:
            function(*blocks[0])
        except BaseException as problem:
            failure = problem
        finally:
            _inside.busy = False
        for _ in blocks[1:]:
            failure = done.get() or failure
    if failure is not None:
        raise failure


class Task:
    """A call that some thread makes once."""

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self._call: Any = (function, args)
        self._claim, self._done = threading.Lock(), threading.Lock()
        self._done.acquire()  # until it is done; an Event takes ten times as long to make
        self._failure: BaseException | None = None

    def run(self, *_: int) -> None:
        """Make the call, unless a thread has begun it."""
        if not self._claim.acquire(blocking=False):
            return
        function, args = self._call
        try:
            function(*args)
        except BaseException as problem:
            self._failure = problem
        self._call = None  # a task that is done keeps no arrays alive
        self._done.release()

    def wait(self) -> None:
        """Return when the call is made; it is made here if no thread has begun it. Its exception is raised."""
        self.run()
        with self._done:
            pass
        if self._failure is not None:
            raise self._failure


class Tasks:
    """Calls that the pool's other threads make while this one goes on; on leaving, all are made.

    With one thread, and within a block or another ``Tasks``, they are made when they are waited for.

    >>> squares: list[int] = []
    >>> with Tasks() as tasks:
    ...     task = tasks.add(lambda k: squares.append(k * k), 7)
    ...     task.wait()
    >>> squares
    [49]
    """

    def __init__(self) -> None:
        self._tasks: list[Task] = []
        self._returned: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        self._alone = True
        self._handed = 0

    def __enter__(self) -> Tasks:
        self._alone = _count == 1 or getattr(_inside, "busy", False)
        if not self._alone:
            _start_workers(_count - 1)
            self._blas = blas_threads(1)
            self._blas.__enter__()
            _inside.busy = True
        return self

    def add(self, function: Callable[..., Any], *args: Any) -> Task:
        """Have ``function(*args)`` called."""
        task = Task(function, *args)
        self._tasks.append(task)
        if not self._alone:
            self._handed += 1
            _jobs.put((task.run, 0, 0, self._returned))
        return task

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if error is None:
                for task in self._tasks:
                    task.run()
        finally:
            for task in self._tasks:
                task._claim.acquire(blocking=False)  # what nobody has begun is dropped if the block failed
            for _ in range(self._handed):
                self._returned.get()
            if not self._alone:
                _inside.busy = False
                self._blas.__exit__(None, None, None)
        if error is None:
            for task in self._tasks:
                task.wait()


_jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()
_workers: list[threading.Thread] = []
_lock = threading.Lock()


def _start_workers(wanted: int) -> None:
    if len(_workers) < wanted:
        with _lock:
            while len(_workers) < wanted:
                worker = threading.Thread(target=_work, name="ls-block", daemon=True)
                worker.start()
                _workers.append(worker)


def _work() -> None:
    _inside.busy = True
    while True:
        function, begin, end, done = _jobs.get()
        failure: BaseException | None = None
        try:
            function(begin, end)
        except BaseException as problem:
            failure = problem
        del function  # a worker that waits for its next block keeps no arrays alive
        done.put(failure)
        del failure


def _forget_workers() -> None:
    """After a fork the child has none of the parent's threads."""
    global _jobs
    _workers.clear()
    _jobs = queue.SimpleQueue()
    _inside.busy = False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_workers)
