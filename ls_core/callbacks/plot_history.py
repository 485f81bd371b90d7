"""PlotHistory: the learning curves as a picture that grows with the run."""

from __future__ import annotations

from typing import Any

from .log_file import require_folder
from .trigger import Triggered


class PlotHistory(Triggered):
    """Draw the learning curves to a PNG after each epoch (needs the extra 'plots').

    Parameters
    ----------
    path : str or path
    freq : 'epoch' or Trigger
        ``Trigger(every=5)`` draws every fifth epoch; the last one is drawn in any case.
    title : str, optional

    Raises
    ------
    FileNotFoundError
        When the run begins: the folder is missing.
    """

    place = 2  # after the History has the epoch

    def __init__(self, path: Any, freq: Any = "epoch", title: str | None = None) -> None:
        super().__init__(freq)
        self.path, self.title = path, title

    def on_train_begin(self, logs: Any = None) -> None:
        super().on_train_begin(logs)
        require_folder(self.path)

    def act(self, epoch: int, batch: int | None, logs: Any) -> None:
        self._draw()

    def on_train_end(self, logs: Any = None) -> None:
        self._draw()

    def _draw(self) -> None:
        from ..plots import plot_history

        if self.model.run.history.epoch:
            plot_history(self.model.run.history, self.path, self.title)
