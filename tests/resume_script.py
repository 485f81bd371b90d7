"""A training run that a test ends with SIGKILL and starts again.

``python -m tests.resume_script FOLDER SAVE_FREQ [WHERE COUNT]``: with WHERE it ends itself, at the COUNT-th call of a function
that writing a checkpoint goes through. SAVE_FREQ is '2' (batches), 'epoch', or 'prefetched': 2 as well, with a thread
that makes batches ahead and draws noise for them.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np

import ls_core
from ls_core.callbacks import BackupAndRestore, Callback, CSVLogger, EarlyStopping
from ls_core.data import ArrayDataset, DataLoader
from ls_layers import BatchNormalization, Dense, Dropout
from ls_optim import Adam
from ls_optim.schedules import CosineDecay


class Noisy(ArrayDataset):
    """Draws while a batch is made."""

    def take(self, indices: np.ndarray) -> Any:
        x, y = super().take(indices)
        return x + 0.1 * ls_core.random_stream("noise").generator.normal(size=x.shape), y


class Say(Callback):
    """Tell the test how far the run is."""

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        print("step", flush=True)


def train(folder: Path, save_freq: str) -> None:
    ls_core.set_seed(3)
    rng = np.random.default_rng(0)
    y = np.arange(200) % 4
    x = rng.normal(size=(200, 12)) + np.eye(12)[y] * 2
    model = ls_core.Sequential(
        [Dense(48, activation="relu"), BatchNormalization(), Dropout(0.3), Dense(32, activation="tanh"), Dense(4, activation="softmax")]
    )
    optimizer = Adam(CosineDecay(0.02, 60, warmup_target=0.05, warmup_steps=5), gradient_accumulation_steps=3, use_ema=True, clipnorm=1.0)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    callbacks = [
        EarlyStopping("val_loss", patience=50, restore_best_weights=True),
        CSVLogger(folder / "log.csv"),
        BackupAndRestore(folder / "run.ckpt", "epoch" if save_freq == "epoch" else 2, keep_last=2, keep_best="val_loss"),
        Say(),
    ]
    options: dict[str, Any] = {"epochs": 8, "callbacks": callbacks, "verbose": 0}
    if save_freq == "prefetched":
        loader = DataLoader(Noisy(x[:160], y[:160]), 16, shuffle=True, prefetch=3)
        history = model.fit(loader, validation_data=(x[160:], y[160:]), **options)
    else:
        history = model.fit(x, y, batch_size=16, validation_split=0.2, **options)
    model.save(folder / "final.safetensors")
    print("history", [value.hex() for values in history.history.values() for value in values])


def end_myself(where: str, count: int) -> None:
    """SIGKILL at the ``count``-th call: half-way through ``write_tensor_file``, or in place of ``fsync``, ``link``, ``replace``."""
    owner: Any = ls_core.checkpoint if where == "write_tensor_file" else os
    original = getattr(owner, where)
    calls = 0

    def counting(*args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls < count:
            return original(*args, **options)
        if where == "write_tensor_file":
            original(*args, **options)
            args[0].truncate(args[0].tell() // 2)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, where, counting)


if __name__ == "__main__":
    if len(sys.argv) > 3:
        end_myself(sys.argv[3], int(sys.argv[4]))
    train(Path(sys.argv[1]), sys.argv[2])
