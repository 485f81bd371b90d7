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
