"""JSONLinesLogger: one JSON object a line for each epoch, or every n steps."""

from __future__ import annotations

import json
import math
from typing import Any

from .log_file import LogFile
from .trigger import Triggered


class JSONLinesLogger(Triggered):
    """Write the numbers of each epoch (or step) as a line of JSON, which can be read while the run goes on.

    Parameters
    ----------
    filename : str or path
    append : bool
        Keep what the file holds; default: begin anew.
    freq : 'epoch', int or Trigger
        When a line is due; an int counts steps.

    Notes
    -----
    A line is ``{"epoch": 0, "loss": ...}``, with ``"batch"`` where it is written within an epoch; both count from 0. NaN
    and infinities, which JSON lacks, stand as strings.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / 'log.jsonl'
    >>> logger = JSONLinesLogger(path)
    >>> logger.on_train_begin()
    >>> logger.on_epoch_end(0, {'loss': 0.5, 'accuracy': float('nan')})
    >>> print(path.read_text(), end='')
    {"epoch": 0, "loss": 0.5, "accuracy": "nan"}
    """

    def __init__(self, filename: Any, append: bool = False, freq: Any = "epoch") -> None:
        super().__init__(freq)
        self.file = LogFile(filename, append)

    def on_train_begin(self, logs: Any = None) -> None:
        super().on_train_begin(logs)
        self.file.begin()

    def act(self, epoch: int, batch: int | None, logs: Any) -> None:
        line = {"epoch": epoch, **({} if batch is None else {"batch": batch}), **{k: as_json(v) for k, v in logs.items()}}
        self.file.write(json.dumps(line, allow_nan=False).encode() + b"\n")

    def get_state(self) -> dict[str, Any]:
        return {"trigger": super().get_state(), "file": self.file.get_state()}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state["trigger"])
        self.file.set_state(state["file"])


def as_json(value: Any) -> Any:
    """A number of the logs as JSON has it."""
    if isinstance(value, (list, tuple)):
        return [as_json(each) for each in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
