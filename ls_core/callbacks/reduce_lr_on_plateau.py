"""ReduceLROnPlateau: a smaller learning rate when a number no longer improves."""

from __future__ import annotations

from typing import Any

from .callback import Callback
from .monitor import Monitor


class ReduceLROnPlateau(Callback):
    """Multiply the learning rate by ``factor`` when ``monitor`` has not improved for ``patience`` epochs.

    Parameters
    ----------
    monitor : str
        A name of the logs, default 'val_loss'.
    factor : float
        Below 1.
    patience : int
    verbose : int
        1 says when the rate falls.
    mode : {'auto', 'min', 'max'}
    min_delta : float
        What counts as an improvement, default 1e-4.
    cooldown : int
        Epochs after a reduction that are not counted.
    min_lr : float
        The rate falls no lower.

    Notes
    -----
    The logs, and so the History, get 'learning_rate'.

    Source: Keras 3, ``keras.callbacks.ReduceLROnPlateau``.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0 < factor < 1:
            raise ValueError(f"ReduceLROnPlateau: factor is between 0 and 1, not {factor!r}")
        self.watch = Monitor(monitor, mode, min_delta)
        self.factor, self.patience, self.verbose = factor, patience, verbose
        self.cooldown, self.min_lr = cooldown, min_lr
        self.on_train_begin()

    def on_train_begin(self, logs: Any = None) -> None:
        self.watch.reset()
        self.wait = self.resting = 0

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        optimizer = self.model.optimizer
        logs["learning_rate"] = rate = optimizer.learning_rate
        value = self.watch.read(logs, self)
        if value is None:
            return
        if self.resting:
            self.resting -= 1
            self.wait = 0
        if self.watch.improves(value):
            self.wait = 0
        elif not self.resting:
            self.wait += 1
            if self.wait >= self.patience and rate > self.min_lr:
                optimizer.learning_rate = max(rate * self.factor, self.min_lr)
                self.wait, self.resting = 0, self.cooldown
                if self.verbose:
                    print(f"epoch {epoch + 1}: {self.watch.monitor} did not improve, the learning rate is {optimizer.learning_rate:g} now")

    def get_state(self) -> dict[str, Any]:
        return {"best": self.watch.best, "wait": self.wait, "resting": self.resting}

    def set_state(self, state: dict[str, Any]) -> None:
        self.watch.best, self.wait, self.resting = state["best"], state["wait"], state["resting"]
