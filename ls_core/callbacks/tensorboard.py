"""TensorBoard: curves and histograms as event files, which the tensorboard package shows."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from .callback import Callback
from .event_file import EventFile
from .trigger import Trigger


class TensorBoard(Callback):
    """Write losses, metrics and histograms of the weights for ``tensorboard --logdir logs``; needs no package itself.

    Parameters
    ----------
    log_dir : str or path
        Gets the folders 'train' and 'validation'.
    histogram_freq : int
        Every so many epochs the histograms of all weights; 0: none.
    write_graph : bool
        Keras has it; LS writes no graph.
    write_images : bool
        Only False.
    write_steps_per_second : bool
        Also the speed of each epoch.
    update_freq : 'epoch', 'batch', int or Trigger
        Also the numbers so far within an epoch, every so many batches.
    profile_batch, embeddings_freq : int
        Only 0.
    embeddings_metadata : None
    writer : tensorboardX.SummaryWriter, optional
        Write into this one (the extra 'tensorboardx') in place of ``log_dir``, beside the figures, embeddings or texts that you
        add to it yourself. The tags then begin with 'train/' and 'validation/'. It stays open.

    Raises
    ------
    TypeError
        ``writer`` is no SummaryWriter.

    Notes
    -----
    Names are Keras': 'epoch_loss' over epochs, 'batch_loss' over batches, 'evaluation_loss_vs_iterations', '<path>/histogram'.
    A run that ``BackupAndRestore`` resumes continues its files. A ``writer`` begins a file of its own, so what it wrote
    between the checkpoint and the crash stands there twice.

    Source: Keras 3, ``keras.callbacks.TensorBoard``; ``writer`` is our own.
    """

    def __init__(
        self,
        log_dir: Any = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: Any = "epoch",
        profile_batch: Any = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: Any = None,
        *,
        writer: Any = None,
    ) -> None:
        super().__init__()
        for name, value in (("write_images", write_images), ("profile_batch", profile_batch), ("embeddings_freq", embeddings_freq)):
            if value:
                raise ValueError(f"TensorBoard: LS writes scalars and histograms; leave {name} at its default, not {value!r}")
        if writer is not None and not (hasattr(writer, "add_scalar") and hasattr(writer, "add_histogram")):
            raise TypeError(
                f"TensorBoard: writer is a tensorboardX.SummaryWriter, not {writer!r}; pip install 'ls-engine[tensorboardx]' brings it"
            )
        self.log_dir, self.writer = Path(os.fspath(log_dir)), writer
        self.histogram_freq, self.write_steps_per_second = histogram_freq, write_steps_per_second
        self.trigger = None if update_freq == "epoch" else Trigger.of(update_freq)
        self._open()

    def _open(self) -> None:
        names = ("train", "validation")
        self.files: dict[str, Any]
        if self.writer is None:
            self.files = {name: EventFile(self.log_dir / name) for name in names}
        else:
            self.files = {name: _PartOfWriter(self.writer, name) for name in names}
        self.batches = 0

    def _write(self, file: str, step: int, names: str, logs: Any) -> None:
        """One event with every number of ``logs``; ``names`` has a brace for the name."""
        numbers = {names.format(name): value for name, value in (logs or {}).items() if isinstance(value, (int, float))}
        if numbers:
            self.files[file].scalars(step, numbers)

    def on_train_begin(self, logs: Any = None) -> None:
        self._open()
        if self.trigger is not None:
            self.trigger.reset()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._began, self._batches_before = time.perf_counter(), self.batches

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.batches += 1
        if self.trigger is not None and self.trigger.after_step(logs):
            self._write("train", self.batches, "batch_{}", logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        train = {name: value for name, value in (logs or {}).items() if not name.startswith("val_")}
        train["learning_rate"] = self.model.optimizer.learning_rate
        if self.write_steps_per_second:
            train["steps_per_second"] = (self.batches - self._batches_before) / max(time.perf_counter() - self._began, 1e-9)
        self._write("train", epoch, "epoch_{}", train)
        held_out = {name.removeprefix("val_"): value for name, value in (logs or {}).items() if name.startswith("val_")}
        self._write("validation", epoch, "epoch_{}", held_out)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self.files["train"].histograms(epoch, {f"{p.path}/histogram": p.numpy() for p in self.model.parameters() if p.size})
        if self.writer is not None:
            self.writer.flush()

    def on_test_end(self, logs: Any = None) -> None:
        if self.model.optimizer is not None:
            self._write("validation", self.model.optimizer.iterations, "evaluation_{}_vs_iterations", logs)

    def get_state(self) -> dict[str, Any]:
        return {
            "batches": self.batches,
            "trigger": None if self.trigger is None else self.trigger.get_state(),
            "files": {name: file.get_state() for name, file in self.files.items()},
        }

    def set_state(self, state: dict[str, Any]) -> None:
        self.batches = state["batches"]
        if self.trigger is not None and state["trigger"] is not None:
            self.trigger.set_state(state["trigger"])
        for name, file in self.files.items():
            file.set_state(state["files"][name])


class _PartOfWriter:
    """What an EventFile does, done by a SummaryWriter under tags that begin with ``name``."""

    def __init__(self, writer: Any, name: str) -> None:
        self.writer, self.name = writer, name

    def scalars(self, step: int, numbers: dict[str, float]) -> None:
        for tag, number in numbers.items():
            self.writer.add_scalar(f"{self.name}/{tag}", number, step)

    def histograms(self, step: int, arrays: dict[str, Any]) -> None:
        for tag, array in arrays.items():
            self.writer.add_histogram(f"{self.name}/{tag}", array, step)

    def get_state(self) -> dict[str, Any]:
        return {"size": None}

    def set_state(self, state: dict[str, Any]) -> None:
        """A SummaryWriter can't go back."""
