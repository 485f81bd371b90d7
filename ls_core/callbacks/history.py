"""History: what fit returns; ``history`` maps each name to one number an epoch."""

from __future__ import annotations

from typing import Any

from .callback import Callback


class History(Callback):
    """The curve of every loss and metric.

    Attributes
    ----------
    epoch : list of int
    history : dict of str to list of float
    interrupted : bool
        True where Ctrl-C ended the run.
    """

    place = 1

    def __init__(self) -> None:
        super().__init__()
        self.epoch: list[int] = []
        self.history: dict[str, list[float]] = {}
        self.interrupted = False

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)

    def get_state(self) -> dict[str, Any]:
        return {"epoch": list(self.epoch), "history": {k: list(v) for k, v in self.history.items()}}

    def set_state(self, state: dict[str, Any]) -> None:
        self.epoch = list(state["epoch"])
        self.history = {k: list(v) for k, v in state["history"].items()}

    def plot(self, path: str) -> None:
        """Draw the learning curves, training and validation together, as a PNG at ``path``."""
        from ..plots import plot_history

        plot_history(self, path)
