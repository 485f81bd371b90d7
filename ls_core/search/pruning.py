"""PruningCallback: tell a trial each epoch's number, and end the run where the study has seen enough."""

from __future__ import annotations

from typing import Any

from ..callbacks.callback import Callback
from ..callbacks.monitor import Monitor
from .study import import_optuna


class PruningCallback(Callback):
    """Report a number of the logs to an Optuna trial after every epoch; a trial without prospects ends.

    The run ends in order (the other callbacks' ``on_train_end`` are called), then ``optuna.TrialPruned`` is raised,
    which ``study.optimize`` and ``ls_core.search`` understand.

    Parameters
    ----------
    trial : optuna.trial.Trial
    monitor : str
        A name of the logs; the study's direction says whether more of it is better.

    Raises
    ------
    optuna.TrialPruned
        At the end of ``fit``.
    """

    place = 4  # the last of all, since it raises

    def __init__(self, trial: Any, monitor: str = "val_loss") -> None:
        super().__init__()
        self.trial = trial
        self.watch = Monitor(monitor)

    def on_train_begin(self, logs: Any = None) -> None:
        self.pruned_after: int | None = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        value = self.watch.read(logs, self)
        if value is None:
            return
        self.trial.report(value, epoch)
        if self.trial.should_prune():
            self.pruned_after = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Any = None) -> None:
        if self.pruned_after is not None:
            raise import_optuna().TrialPruned(f"pruned after epoch {self.pruned_after + 1}")
