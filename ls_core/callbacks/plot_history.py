"""PlotHistory: the learning curves as a picture that grows with the run."""

from __future__ import annotations

import io
from typing import Any

from .log_file import require_folder
from .progress import in_notebook
from .trigger import Triggered


class PlotHistory(Triggered):
    """Draw the learning curves after each epoch, to a PNG or below a notebook's cell (needs the extra 'plots').

    Parameters
    ----------
    path : str or path, optional
        Default: the notebook shows the picture, and draws it anew each time.
    freq : 'epoch' or Trigger
        ``Trigger(every=5)`` draws every fifth epoch; the last one is drawn in any case.
    title : str, optional

    Raises
    ------
    FileNotFoundError
        When the run begins: the folder is missing.
    ValueError
        When the run begins: there is neither a path nor a notebook.
    """

    place = 2  # after the History has the epoch

    def __init__(self, path: Any = None, freq: Any = "epoch", title: str | None = None) -> None:
        super().__init__(freq)
        self.path, self.title = path, title

    def on_train_begin(self, logs: Any = None) -> None:
        super().on_train_begin(logs)
        self._shown: Any = None
        if self.path is not None:
            require_folder(self.path)
        elif not in_notebook():
            raise ValueError("PlotHistory shows its picture in a notebook; elsewhere give it a path: PlotHistory('curves.png')")

    def act(self, epoch: int, batch: int | None, logs: Any) -> None:
        self._draw()

    def on_train_end(self, logs: Any = None) -> None:
        self._draw()

    def _draw(self) -> None:
        from ..plots import history_figure, plot_history

        history = self.model.run.history
        if history.epoch and self.path is not None:
            plot_history(history, self.path, self.title)
        elif history.epoch:
            self._show(history_figure(history, self.title))

    def _show(self, figure: Any) -> None:
        from IPython.display import Image, display

        png = io.BytesIO()
        figure.savefig(png, format="png", dpi=80)
        if self._shown is None:
            self._shown = display(Image(png.getvalue()), display_id=True)
        else:
            self._shown.update(Image(png.getvalue()))
