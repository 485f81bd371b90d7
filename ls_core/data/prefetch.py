"""prefetch: a thread makes the next batches while the current one is used."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Any

_END = object()


def prefetch(batches: Iterable[Any], ahead: int = 2) -> Iterator[Any]:
    """The same batches, made up to ``ahead`` of them in advance by a thread.

    What is raised while a batch is made is raised here, after the batches before it. The thread ends with
    the loop: when the batches do, at an error, and when the loop is left early.

    >>> list(prefetch(iter([1, 2, 3])))
    [1, 2, 3]
    """
    if ahead < 1:
        raise ValueError(f"prefetch makes at least one batch ahead, not {ahead!r}")
    ready: queue.Queue[tuple[Any, BaseException | None]] = queue.Queue(ahead)
    left = threading.Event()

    def put(item: tuple[Any, BaseException | None]) -> bool:
        while not left.is_set():
            try:
                ready.put(item, timeout=0.05)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for batch in batches:
                if not put((batch, None)):
                    return
            put((_END, None))
        except BaseException as error:
            put((_END, error))
        finally:
            close = getattr(batches, "close", None)
            if close is not None:
                close()

    thread = threading.Thread(target=work, name="ls-prefetch", daemon=True)
    thread.start()
    try:
        while True:
            batch, error = ready.get()
            if error is not None:
                raise error
            if batch is _END:
                return
            yield batch
    finally:
        left.set()
        thread.join()
