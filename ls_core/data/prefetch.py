"""prefetch: a thread makes the next batches while the current one is used."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from ..random import catch_up, drawing_ahead

_END = object()


def prefetch(batches: Iterable[Any], ahead: int = 2) -> Iterator[Any]:
    """The same batches, made up to ``ahead`` of them in advance by a thread.

    What is raised while a batch is made is raised here, after the batches before it. The thread ends with
    the loop: when the batches do, at an error, and when the loop is left early. What it draws from ``random_stream``s counts when
    the batch is given out, so the streams stand as they would without it.

    >>> list(prefetch(iter([1, 2, 3])))
    [1, 2, 3]
    """
    if ahead < 1:
        raise ValueError(f"prefetch makes at least one batch ahead, not {ahead!r}")
    ready: queue.Queue[tuple[Any, Any, BaseException | None]] = queue.Queue(ahead)
    left = threading.Event()

    def put(item: tuple[Any, Any, BaseException | None]) -> bool:
        while not left.is_set():
            try:
                ready.put(item, timeout=0.05)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        with drawing_ahead() as drawn:
            try:
                for batch in batches:
                    if not put((batch, drawn.get_state(), None)):
                        return
                put((_END, drawn.get_state(), None))
            except BaseException as error:
                put((_END, drawn.get_state(), error))
            finally:
                close = getattr(batches, "close", None)
                if close is not None:
                    close()

    thread = threading.Thread(target=work, name="ls-prefetch", daemon=True)
    thread.start()
    try:
        while True:
            batch, state, error = ready.get()
            catch_up(state)
            if error is not None:
                raise error
            if batch is _END:
                return
            yield batch
    finally:
        left.set()
        thread.join()
