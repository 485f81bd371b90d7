"""HyperparameterScheduler: a schedule drives any number of the run: a dropout rate, a momentum, the batch size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .callback import Callback


class HyperparameterScheduler(Callback):
    """Set a hyperparameter before each step (or epoch) to what a schedule says.

    Parameters
    ----------
    target : str
        'batch_size'; 'learning_rate'; 'optimizer.momentum' and the like; or a layer's name and one of its attributes:
        'dropout.rate', in nested models 'encoder/dropout.rate'.
    schedule : schedule or callable
        ``schedule(n)``: n counts steps (or epochs) from 0. A batch size is rounded.
    unit : {'step', 'epoch'}
        'batch_size' takes effect with the next batch.

    Raises
    ------
    ValueError
        When the run begins: there is no such hyperparameter.

    Examples
    --------
    >>> from ls_optim.schedules import PolynomialDecay
    >>> less_noise = HyperparameterScheduler('dropout.rate', PolynomialDecay(0.5, 1000, 0.0))
    >>> larger_batches = HyperparameterScheduler('batch_size', lambda epoch: 32 * 2 ** epoch, unit='epoch')
    """

    def __init__(self, target: str, schedule: Callable[[int], float], unit: str = "step") -> None:
        super().__init__()
        if unit not in ("step", "epoch"):
            raise ValueError(f"HyperparameterScheduler: unit is 'step' or 'epoch', not {unit!r}")
        self.target, self.schedule, self.unit = target, schedule, unit
        self.steps = 0

    def on_train_begin(self, logs: Any = None) -> None:
        self.steps = 0
        self._owner, self._name = self._find()
        if getattr(self._owner, self._name, None) is None:
            raise ValueError(f"HyperparameterScheduler: {self._owner!r} has no {self._name!r} that could be set (target {self.target!r})")

    def _find(self) -> tuple[Any, str]:
        if self.target == "batch_size":
            return self.model.run.train, "batch_size"
        path, _, name = self.target.rpartition(".")
        if path in ("", "optimizer"):
            return self.model.optimizer, name
        for layer in self.model._flatten():
            if layer.path == f"{self.model.path}/{path}":
                return layer, name
        known = ", ".join(sorted(layer.path.partition("/")[2] for layer in self.model._flatten() if layer is not self.model))
        raise ValueError(f"HyperparameterScheduler: {self.model} has no layer {path!r} (target {self.target!r}); its layers are {known}")

    def _set(self, count: int) -> None:
        value = self.schedule(count)
        setattr(self._owner, self._name, max(1, round(value)) if self.target == "batch_size" else value)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if self.unit == "epoch":
            self._set(epoch)
        elif self.target == "batch_size":  # a batch is cut before its beginning is announced
            self._set(self.steps)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self.unit == "step" and self.target != "batch_size":
            self._set(self.steps)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.steps += 1
        if self.unit == "step" and self.target == "batch_size":
            self._set(self.steps)

    def get_state(self) -> dict[str, Any]:
        return {"steps": self.steps}

    def set_state(self, state: dict[str, Any]) -> None:
        self.steps = state["steps"]
