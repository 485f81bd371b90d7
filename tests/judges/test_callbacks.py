"""EarlyStopping, ReduceLROnPlateau and ModelCheckpoint's choice against Keras' own, on random courses of a watched number."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ls_core.callbacks import EarlyStopping, ReduceLROnPlateau, TensorBoard, WandbCallback

from . import keras_judge

pytestmark = pytest.mark.judges
keras = keras_judge.keras


class Model:
    """What these callbacks need of a model."""

    def __init__(self) -> None:
        self.optimizer = SimpleNamespace(learning_rate=1.0)
        self.stop_training = False
        self.run = None
        self.weights = -1
        self.metrics: list[Any] = []

    def get_weights(self) -> int:
        return self.weights

    def set_weights(self, weights: int) -> None:
        self.weights = weights


def course(callback: Any, values: np.ndarray) -> list[Any]:
    model = Model()
    callback.set_model(model)
    callback.on_train_begin()
    seen = []
    for epoch, value in enumerate(values):
        model.weights = epoch
        callback.on_epoch_end(epoch, {"watched": float(value)})
        seen.append((round(float(model.optimizer.learning_rate), 12), model.stop_training))
        if model.stop_training:
            break
    callback.on_train_end()
    return [*seen, model.weights]


def courses(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.round(np.exp(-np.arange(30) / 10) + rng.normal(size=30) * 0.15, 2)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("options", [{}, {"patience": 2, "cooldown": 2}, {"patience": 3, "min_delta": 0.1, "factor": 0.5, "min_lr": 0.1}])
def test_reduce_lr_on_plateau(seed: int, mode: str, options: dict[str, Any]) -> None:
    options = {"patience": 1, **options, "monitor": "watched", "mode": mode}
    values = courses(seed)
    assert course(ReduceLROnPlateau(**options), values) == course(keras.callbacks.ReduceLROnPlateau(**options), values)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"patience": 3, "restore_best_weights": True},
        {"patience": 2, "min_delta": 0.05, "start_from_epoch": 4},
        {"patience": 4, "baseline": 0.6},
    ],
)
def test_early_stopping(seed: int, mode: str, options: dict[str, Any]) -> None:
    options = {**options, "monitor": "watched", "mode": mode}
    values = courses(seed)
    assert course(EarlyStopping(**options), values) == course(keras.callbacks.EarlyStopping(**options), values)


# --- what other packages read ----------------------------------------------------------------------------


def fit(*callbacks: Any) -> tuple[Any, Any]:
    import ls_core
    from ls_layers import Dense

    rng = np.random.default_rng(0)
    model = ls_core.Sequential([Dense(8, activation="tanh"), Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = rng.normal(size=(40, 4)), np.arange(40) % 3
    return model, model.fit(x, y, batch_size=8, epochs=3, validation_split=0.2, verbose=0, callbacks=callbacks)


def test_the_tensorboard_package_reads_the_files(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    model, history = fit(TensorBoard(tmp_path, histogram_freq=1, update_freq=1))
    for name, prefix in (("train", ""), ("validation", "val_")):
        found = EventAccumulator(str(tmp_path / name), size_guidance={"scalars": 0, "histograms": 0})
        found.Reload()
        for metric in ("loss", "accuracy"):
            events = found.Scalars(f"epoch_{metric}")
            assert [event.step for event in events] == [0, 1, 2]
            np.testing.assert_allclose([event.value for event in events], history.history[prefix + metric], rtol=1e-6)
        assert found.FirstEventTimestamp() > 1.6e9
        if name == "train":
            assert [event.step for event in found.Scalars("batch_loss")] == list(range(1, 13))
            for parameter in model.parameters():
                last = found.Histograms(f"{parameter.path}/histogram")[-1]
                value = parameter.value.astype(np.float64)
                assert last.step == 2
                assert last.histogram_value.num == value.size
                np.testing.assert_allclose(last.histogram_value.sum, value.sum(), rtol=1e-9)
                np.testing.assert_allclose([last.histogram_value.min, last.histogram_value.max], [value.min(), value.max()])
                assert sum(last.histogram_value.bucket) == value.size


def test_the_tensorboard_package_reads_resumed_files(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from ls_core.callbacks import BackupAndRestore, Callback

    class Crash(Callback):
        place = 4

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if epoch == 1:
                raise KeyError

    backup = tmp_path / "run.ckpt"
    with pytest.raises(KeyError):
        fit(TensorBoard(tmp_path / "logs", update_freq=1), BackupAndRestore(backup, save_freq=3), Crash())
    fit(TensorBoard(tmp_path / "logs", update_freq=1), BackupAndRestore(backup, save_freq=3))
    assert len(os.listdir(tmp_path / "logs" / "train")) == 1
    found = EventAccumulator(str(tmp_path / "logs" / "train"), size_guidance={"scalars": 0})
    found.Reload()
    assert [event.step for event in found.Scalars("batch_loss")] == list(range(1, 13))
    assert [event.step for event in found.Scalars("epoch_loss")] == [0, 1, 2]


def test_the_tensorboard_package_reads_what_a_writer_wrote(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboardX import SummaryWriter

    with SummaryWriter(str(tmp_path)) as writer:
        model, history = fit(TensorBoard(histogram_freq=1, update_freq=1, writer=writer))
    found = EventAccumulator(str(tmp_path), size_guidance={"scalars": 0, "histograms": 0})
    found.Reload()
    for name, prefix in (("train", ""), ("validation", "val_")):
        events = found.Scalars(f"{name}/epoch_loss")
        np.testing.assert_allclose([event.value for event in events], history.history[prefix + "loss"], rtol=1e-6)
    assert [event.step for event in found.Scalars("train/batch_loss")] == list(range(1, 13))
    for parameter in model.parameters():
        last = found.Histograms(f"train/{parameter.path}/histogram")[-1].histogram_value
        assert last.num == parameter.value.size
        np.testing.assert_allclose(last.sum, parameter.value.astype(np.float64).sum(), rtol=1e-9)


def test_the_fake_of_weights_and_biases_has_its_signatures() -> None:
    import wandb
    from wandb.sdk.wandb_run import Run

    from .. import fake_wandb

    for fake, real in ((fake_wandb.Run.log, Run.log), (fake_wandb.Run.finish, Run.finish)):
        assert list(inspect.signature(fake).parameters) == list(inspect.signature(real).parameters)
    assert set(inspect.signature(fake_wandb.init).parameters) <= set(inspect.signature(wandb.init).parameters)
    assert hasattr(wandb, "run")


def test_weights_and_biases_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb

    monkeypatch.setenv("WANDB_SILENT", "true")
    _, history = fit(WandbCallback("project", mode="offline", dir=tmp_path, freq=2))
    wandb.teardown()  # its service writes the file
    (run,) = (tmp_path / "wandb").glob("offline-run-*")
    (written,) = run.glob("*.wandb")
    content = written.read_bytes()
    assert b"batch/loss" in content
    assert repr(history.history["loss"][-1]).encode() in content
