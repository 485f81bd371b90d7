"""ParameterStatistics: size and mean of every Parameter and of its gradient, and the size of its update."""

from __future__ import annotations

import json
from typing import Any

from ..backend import get_xp
from ..kernel import kernel
from ..parameter import Parameter, RowGradient
from ..types import Array
from .callback import Callback
from .json_lines_logger import as_json
from .log_file import LogFile
from .trigger import Trigger


@kernel
def norm_and_mean(x: Array) -> Array:
    """(norm, mean) of all numbers in ``x``, as one small array."""
    xp = get_xp(x)
    flat = x.reshape(-1).astype("float64")  # (n,)
    return xp.stack((xp.sqrt((flat * flat).sum()), flat.mean()))  # (2,)


class ParameterStatistics(Callback):
    """Look at every Parameter and its gradient (as it comes from backward, before clipping) every n steps.

    Parameters
    ----------
    every : int or Trigger
        Steps. Default 100.
    filename : str or path, optional
        Also write a line of JSON for each report.

    Attributes
    ----------
    reports : list of dict
        ``{'epoch', 'batch', 'parameters': {path: {'norm', 'mean', 'gradient_norm', 'gradient_mean', 'ratio', 'update_norm',
        'update_ratio'}}}``, the values before the step's update and how far it moved them. The ratios are the gradient's and
        the update's norm over the Parameter's; updates of a thousandth are usual. A Parameter without a gradient has None there.

    Notes
    -----
    Only a step that reports waits for the device; nothing is written to a gradient. What the optimiser remembers of a Parameter
    (momentum, variance ...) is ``optimizer.state(parameter)``.
    """

    def __init__(self, every: Any = 100, filename: Any = None) -> None:
        super().__init__()
        self.trigger = Trigger.of(every)
        self.file = None if filename is None else LogFile(filename)
        self.reports: list[dict[str, Any]] = []

    def on_train_begin(self, logs: Any = None) -> None:
        self.trigger.reset()
        self.reports = []
        if self.file is not None:
            self.file.begin()
        self._found: list[tuple[Parameter, Array, Array, Array]] = []
        self.model.gradient_watchers = (*self.model.gradient_watchers, self._watch)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch

    def _watch(self, parameters: list[Parameter]) -> None:
        if self.trigger.after_step():
            watched = [p for p in parameters if p.size and p.dtype.kind == "f"]
            self._found = [(p, norm_and_mean(p.value), _of_gradient(p.grad), p.value.copy()) for p in watched]

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if not self._found:
            return
        rows = {
            p.path: _row(value, gradient, None if gradient is None else norm_and_mean(p.value - before))
            for p, value, gradient, before in self._found
        }
        self._found = []
        self.reports.append({"epoch": self._epoch, "batch": batch, "parameters": rows})
        if self.file is not None:
            plain = {path: {name: as_json(value) for name, value in row.items()} for path, row in rows.items()}
            self.file.write(json.dumps({"epoch": self._epoch, "batch": batch, "parameters": plain}).encode() + b"\n")

    def on_train_end(self, logs: Any = None) -> None:
        self.model.gradient_watchers = tuple(watch for watch in self.model.gradient_watchers if watch != self._watch)

    def get_state(self) -> dict[str, Any]:
        return {"trigger": self.trigger.get_state(), "reports": self.reports, "file": None if self.file is None else self.file.get_state()}

    def set_state(self, state: dict[str, Any]) -> None:
        self.trigger.set_state(state["trigger"])
        self.reports = state["reports"]
        if self.file is not None and state["file"] is not None:
            self.file.set_state(state["file"])


def _of_gradient(gradient: Any) -> Array:
    """(norm, mean) of a gradient; a RowGradient's other rows are zeros."""
    if not isinstance(gradient, RowGradient):
        return None if gradient is None else norm_and_mean(gradient)
    rows, table = gradient.values.shape[0], gradient.shape[0]
    found = norm_and_mean(gradient.values) if rows else None
    return None if found is None else found * get_xp(found).asarray([1.0, rows / table])


def _row(value: Array, gradient: Array, update: Array) -> dict[str, Any]:
    norm, mean = value.tolist()
    gradient_norm, gradient_mean = (None, None) if gradient is None else gradient.tolist()
    update_norm = None if update is None else update.tolist()[0]
    return {
        "norm": norm,
        "mean": mean,
        "gradient_norm": gradient_norm,
        "gradient_mean": gradient_mean,
        "ratio": _over(gradient_norm, norm),
        "update_norm": update_norm,
        "update_ratio": _over(update_norm, norm),
    }


def _over(part: float | None, norm: float) -> float | None:
    return None if part is None or norm == 0 else part / norm
