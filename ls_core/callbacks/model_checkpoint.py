"""ModelCheckpoint: save the model, or its weights, while it is trained."""

from __future__ import annotations

import contextlib
import os
from typing import Any

from .log_file import require_folder
from .monitor import Monitor
from .trigger import Triggered


class ModelCheckpoint(Triggered):
    """Save the model at the end of each epoch, or every n batches, or whenever it is the best so far.

    Parameters
    ----------
    filepath : str or path
        May hold names of the logs and formats: ``'{epoch:02d}-{val_loss:.2f}.safetensors'``. ``epoch`` and ``batch`` count
        from 1 here.
    monitor : str
        What tells the best, default 'val_loss'.
    verbose : int
        1 says what is saved.
    save_best_only : bool
        Save only when ``monitor`` has improved.
    save_weights_only : bool
        ``model.save_weights`` in place of ``model.save``.
    mode : {'auto', 'min', 'max'}
    save_freq : 'epoch', int or Trigger
        An int counts batches over all epochs.
    initial_value_threshold : float, optional
        What the first value has to beat.
    keep_last : int, optional
        How many of the files that it has written stay; older ones are deleted. Default: all. Needs a template.

    Raises
    ------
    FileNotFoundError
        When the run begins: the folder is missing.
    ValueError
        The template names what the logs do not have, or ``monitor`` does.

    Source: Keras 3, ``keras.callbacks.ModelCheckpoint``; ``keep_last`` is our own.
    """

    def __init__(
        self,
        filepath: Any,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: Any = "epoch",
        initial_value_threshold: float | None = None,
        *,
        keep_last: int | None = None,
    ) -> None:
        super().__init__(save_freq)
        self.filepath = os.fspath(filepath)
        self.watch = Monitor(monitor, mode, best=initial_value_threshold)
        self.verbose = verbose
        self.save_best_only, self.save_weights_only = save_best_only, save_weights_only
        self.keep_last = keep_last
        if keep_last is not None and (keep_last < 1 or "{" not in self.filepath):
            raise ValueError(f"keep_last is 1 or more and wants a path with a name in braces, such as {{epoch:02d}}; got {self.filepath!r}")
        self.written: list[str] = []

    def on_train_begin(self, logs: Any = None) -> None:
        super().on_train_begin(logs)
        self.written = []
        require_folder(self.filepath)
        if os.path.isdir(self.filepath):
            raise IsADirectoryError(f"ModelCheckpoint writes a file, but {self.filepath} is a folder; name a file in it")

    def act(self, epoch: int, batch: int | None, logs: Any) -> None:
        if self.save_best_only:
            value = self.watch.read(logs, self)
            before = self.watch.best
            if value is None or not self.watch.improves(value):
                self._say(epoch, f"{self.watch.monitor} did not improve from {before:.5f}")
                return
        path = self._path(epoch, batch, logs)
        (self.model.save_weights if self.save_weights_only else self.model.save)(path)
        self._say(epoch, f"saved {path}")
        self.written = [*(each for each in self.written if each != path), path]
        if self.keep_last is not None:
            for old in self.written[: -self.keep_last]:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(old)
            self.written = self.written[-self.keep_last :]

    def _path(self, epoch: int, batch: int | None, logs: Any) -> str:
        names = {**dict(logs or {} if "{" in self.filepath else {}), "epoch": epoch + 1, **({} if batch is None else {"batch": batch + 1})}
        try:
            return self.filepath.format(**names)
        except KeyError as problem:
            raise ValueError(f"ModelCheckpoint: the path {self.filepath!r} names {problem}, the logs have {', '.join(names)}") from None

    def _say(self, epoch: int, what: str) -> None:
        if self.verbose:
            print(f"epoch {epoch + 1}: {what}")

    def get_state(self) -> dict[str, Any]:
        return {"trigger": super().get_state(), "best": self.watch.best, "written": self.written}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state["trigger"])
        self.watch.best, self.written = state["best"], state["written"]
