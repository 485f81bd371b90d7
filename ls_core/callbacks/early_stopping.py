"""EarlyStopping: end a run when a number no longer improves."""

from __future__ import annotations

import sys
from typing import Any

from .callback import Callback
from .monitor import Monitor


class EarlyStopping(Callback):
    """Stop when ``monitor`` has not improved by ``min_delta`` for ``patience`` epochs.

    Parameters
    ----------
    monitor : str
        A name of the logs, default 'val_loss'.
    min_delta : float
    patience : int
        Epochs without improvement that are still borne.
    verbose : int
        1 says at which epoch the run ended.
    mode : {'auto', 'min', 'max'}
    baseline : float, optional
        A value that must be beaten for the patience to begin anew.
    restore_best_weights : bool
        Return to the weights of the best epoch at the end.
    start_from_epoch : int
        Epochs before this one do not count.

    Source: Keras 3, ``keras.callbacks.EarlyStopping``.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__()
        self.watch = Monitor(monitor, mode, min_delta)
        self.patience = patience
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self.on_train_begin()

    def on_train_begin(self, logs: Any = None) -> None:
        self.wait = 0
        self.stopped_epoch = 0
        self.best_epoch = 0
        self.best_weights: Any = None
        self.watch.reset()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        value = self.watch.read(logs, self)
        if value is None or epoch < self.start_from_epoch:
            return
        self.wait += 1
        if self.restore_best_weights and self.best_weights is None:
            self.best_weights, self.best_epoch = self.model.get_weights(), epoch
        if self.watch.improves(value):
            self.best_epoch = epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self.watch.beats(value, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Any = None) -> None:
        if self.stopped_epoch and self.verbose:
            print(f"stopped after epoch {self.stopped_epoch + 1}: {self.watch.monitor} did not improve", file=sys.stdout)
        if self.restore_best_weights and self.best_weights is not None:
            self.model.set_weights(self.best_weights)
            if self.verbose:
                print(f"the weights are those of epoch {self.best_epoch + 1}", file=sys.stdout)

    def get_state(self) -> dict[str, Any]:
        names = ("wait", "best_epoch", "stopped_epoch", "best_weights")
        return {"best": self.watch.best, **{name: getattr(self, name) for name in names}}

    def set_state(self, state: dict[str, Any]) -> None:
        self.watch.best = state["best"]
        for name in state.keys() - {"best"}:
            setattr(self, name, state[name])
