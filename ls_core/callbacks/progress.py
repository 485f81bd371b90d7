"""Progress: a bar on a terminal or in a notebook, one plain line an epoch elsewhere."""

from __future__ import annotations

import importlib.util
import sys
import time
from typing import Any

from .callback import Callback


class ProgressBar(Callback):
    """What ``fit(verbose=...)`` shows.

    ``verbose`` 1 (or 'auto'): a bar on a terminal, or in a notebook that has ipywidgets; otherwise like 2. 2: one line an
    epoch. 0: nothing.
    The bar reads the loss ten times a second at most, so it doesn't hold the device up.
    """

    place = 2

    def __init__(self, verbose: int = 1, stream: Any = None) -> None:
        super().__init__()
        self.verbose = verbose
        self.stream = stream
        self._bar: Any = None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._start = self._shown = time.perf_counter()
        stream = self.stream or sys.stdout
        options = {"total": self.params.get("steps"), "desc": self._title(epoch), "unit": "batch", "leave": False}
        if self.verbose == 1 and stream.isatty():
            from tqdm import tqdm

            self._bar = tqdm(file=stream, **options)
        elif self.verbose == 1 and in_notebook() and importlib.util.find_spec("ipywidgets") is not None:
            from tqdm.notebook import tqdm

            self._bar = tqdm(**options)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._bar is not None:
            self._bar.update(1)
            if time.perf_counter() - self._shown > 0.1:
                self._shown = time.perf_counter()
                self._bar.set_postfix_str(format_logs(logs), refresh=False)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        stream = self.stream or sys.stdout
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        print(f"{self._title(epoch)}  {format_logs(logs)}  {time.perf_counter() - self._start:.1f} s", file=stream, flush=True)

    def on_train_end(self, logs: Any = None) -> None:
        if self._bar is not None:  # interrupted within an epoch
            self._bar.close()
            self._bar = None

    def _title(self, epoch: int) -> str:
        return f"epoch {epoch + 1}/{self.params.get('epochs', '?')}"


def in_notebook() -> bool:
    """Whether this is a Jupyter notebook."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and type(ipython.get_ipython()).__name__ == "ZMQInteractiveShell"


def format_logs(logs: Any) -> str:
    """'loss 0.1234  accuracy 0.9876'

    >>> format_logs({'loss': 0.5, 'learning_rate': 1e-4})
    'loss 0.5000  learning_rate 1.00e-04'
    """
    parts = []
    for name, value in (logs or {}).items():
        try:
            number = float(value)
        except (TypeError, ValueError):
            continue
        parts.append(f"{name} {number:.4f}" if number == 0 or 1e-3 <= abs(number) < 1e4 else f"{name} {number:.2e}")
    return "  ".join(parts)
