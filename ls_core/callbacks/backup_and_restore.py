"""BackupAndRestore: a run that goes on where its process was ended, bit for bit."""

from __future__ import annotations

import os
import shutil
import warnings
from pathlib import Path
from typing import Any

from ..errors import FileError
from .log_file import require_folder
from .monitor import Monitor
from .trigger import Triggered


class BackupAndRestore(Triggered):
    """Write the whole state of the run to one file; the next ``fit`` with that file goes on from there.

    The same script, started again after a crash or ``kill -9``, ends with the same bits as if nothing had happened (on
    the same machine with as many threads): weights, optimiser, schedules, random streams, place in the epoch's order,
    half-accumulated gradients, metrics, History and the other callbacks are all in the file. It is written beside and
    renamed, so whenever the process ends the file is whole. ``assert_resumable`` shows it for a model of your own.

    Parameters
    ----------
    backup_dir : str or path
        The file, such as 'run.ckpt'; in a folder that exists, its file 'training.ckpt'.
    save_freq : 'epoch', int or Trigger
        An int counts batches: a checkpoint within an epoch.
    double_checkpoint : bool
        The same as ``keep_last=2``.
    delete_checkpoint : bool
        Delete the files when the run has come to its end (not when Ctrl-C ended it). Default True.
    keep_last : int
        How many checkpoints stay: the newest under the path itself, older ones as 'run.ckpt.1', 'run.ckpt.2' ... If the
        newest can't be read, the one before is taken, with a warning.
    keep_best : str, optional
        A name of the logs, such as 'val_loss': the checkpoint of the best epoch stays as 'run.ckpt.best', also after the end.

    Raises
    ------
    FileNotFoundError
        When the run begins: the folder is missing.
    FileError, ValueError
        When the run begins: the file is of another model, other data or other callbacks.

    Notes
    -----
    A checkpoint is a model file too: ``load_model('run.ckpt')``. As there, a probe is run again when the run goes on, and
    ``model.loaded_as`` tells what it found: 'identical' where the same bits come. What a loader or generator of your own draws must come
    from ``ls_core.random_stream(name).generator``, asked for where it is drawn (a thread that makes batches ahead has another), to
    be resumed; a generator is run through again up to its place.

    Source: Keras 3, ``keras.callbacks.BackupAndRestore``, which resumes at epochs.

    Examples
    --------
    >>> backup = BackupAndRestore('run.ckpt', save_freq=100, keep_last=2)
    """

    place = 3  # after every other callback has done its part for this batch or epoch

    def __init__(
        self,
        backup_dir: Any,
        save_freq: Any = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
        *,
        keep_last: int = 1,
        keep_best: str | None = None,
    ) -> None:
        super().__init__(save_freq)
        path = Path(os.fspath(backup_dir))
        self.path = path / "training.ckpt" if path.is_dir() else path
        if keep_last < 1:
            raise ValueError(f"BackupAndRestore: keep_last is 1 or more, not {keep_last!r}")
        self.keep_last = max(keep_last, 2 if double_checkpoint else 1)
        self.delete_checkpoint = delete_checkpoint
        self.watch = None if keep_best is None else Monitor(keep_best)

    def on_train_begin(self, logs: Any = None) -> None:
        super().on_train_begin(logs)
        require_folder(self.path)
        for part in self.path.parent.glob(f".{self.path.name}.*.part"):  # of a process that was ended while it wrote
            part.unlink()
        kept = [path for path in self._paths() if path.exists()]
        for i, path in enumerate(kept):
            try:
                self.model.run.restore(path)
                return
            except FileError as problem:
                if i + 1 == len(kept):
                    raise
                warnings.warn(f"{problem}. Going on from the checkpoint before, {kept[i + 1]}", stacklevel=2)

    def _paths(self) -> list[Path]:
        """The newest checkpoint, then the older ones."""
        return [self.path, *(self._beside(str(i)) for i in range(1, self.keep_last))]

    def _beside(self, ending: str) -> Path:
        return self.path.with_name(f"{self.path.name}.{ending}")

    def act(self, epoch: int, batch: int | None, logs: Any) -> None:
        if batch is not None and self.model.stop_training:
            return  # the epoch's end comes next, and a resumed run would not know that it had been broken off
        self._make_room()
        self.model.run.save(self.path)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        value = None if self.watch is None else self.watch.read(logs, self)
        best = self.watch is not None and value is not None and self.watch.improves(value)
        super().on_epoch_end(epoch, logs)
        if best:
            self.model.run.save(self._beside("best"))

    def _make_room(self) -> None:
        """Move each older checkpoint on by one place; the newest stays under its name until the next replaces it."""
        paths = self._paths()
        if self.keep_last == 1 or not self.path.exists() or (paths[1].exists() and self.path.samefile(paths[1])):
            return  # the last: a process was ended between this and the writing
        for i in range(len(paths) - 1, 1, -1):
            if paths[i - 1].exists():
                os.replace(paths[i - 1], paths[i])
        part = self.path.with_name(f".{self.path.name}.older.part")
        try:
            os.link(self.path, part)
        except OSError:  # a file system without links
            shutil.copyfile(self.path, part)
        os.replace(part, paths[1])

    def on_train_end(self, logs: Any = None) -> None:
        if self.delete_checkpoint and not self.model.run.history.interrupted:
            for path in self._paths():
                path.unlink(missing_ok=True)

    def get_state(self) -> dict[str, Any]:
        return {"trigger": super().get_state(), "best": None if self.watch is None else self.watch.best}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state["trigger"])
        if self.watch is not None and state["best"] is not None:
            self.watch.best = state["best"]
