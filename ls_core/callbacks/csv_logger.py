"""CSVLogger: one line of a CSV file for each epoch."""

from __future__ import annotations

import csv
import io
from typing import Any

from .callback import Callback
from .log_file import LogFile


class CSVLogger(Callback):
    """Write the numbers of each epoch to a CSV file, which can be read while the run goes on.

    Parameters
    ----------
    filename : str or path
    separator : str
    append : bool
        Keep what the file holds, as for a run that continues another; default: begin anew. A run that
        ``BackupAndRestore`` resumes continues its file in any case.

    Notes
    -----
    The columns are 'epoch' and the names of the first epoch, sorted; where these have no validation, also their
    'val_' names, since a later epoch may bring them. What is missing is 'NA'.

    Source: Keras 3, ``keras.callbacks.CSVLogger``.
    """

    def __init__(self, filename: Any, separator: str = ",", append: bool = False) -> None:
        super().__init__()
        self.separator = separator
        self.file = LogFile(filename, append)
        self.names: list[str] = []

    def on_train_begin(self, logs: Any = None) -> None:
        self.file.begin()
        self.names = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs = logs or {}
        lines: list[list[Any]] = []
        if not self.names:
            self.names = sorted(logs)
            if not any(name.startswith("val_") for name in self.names):
                self.names += [f"val_{name}" for name in self.names]
            if self.file.is_empty():
                lines.append(["epoch", *self.names])
        lines.append([epoch, *(_cell(logs.get(name, "NA")) for name in self.names)])
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=self.separator).writerows(lines)
        self.file.write(text.getvalue().encode())

    def get_state(self) -> dict[str, Any]:
        return {"names": self.names, "file": self.file.get_state()}

    def set_state(self, state: dict[str, Any]) -> None:
        self.names = state["names"]
        self.file.set_state(state["file"])


def _cell(value: Any) -> Any:
    return f'"[{", ".join(map(str, value))}]"' if isinstance(value, (list, tuple)) else value
