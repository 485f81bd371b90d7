"""Callbacks: what each does to a run, and what it refuses."""

from __future__ import annotations

import contextlib
import csv
import json
import math
import os
import struct
import sys
import types
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ls_core
from ls_core import Input, Model, NonFiniteError, Sequential, load_model
from ls_core.callbacks import (
    BackupAndRestore,
    Callback,
    CSVLogger,
    EarlyStopping,
    HyperparameterScheduler,
    JSONLinesLogger,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ParameterStatistics,
    PlotHistory,
    ReduceLROnPlateau,
    SanityCheck,
    SwapEMAWeights,
    TensorBoard,
    TerminateOnNaN,
    Trigger,
    Triggered,
    WandbCallback,
)
from ls_core.callbacks.event_file import crc32c, masked_crc
from ls_layers import BatchNormalization, Dense, Dropout, Embedding, GlobalAveragePooling1D
from ls_optim import SGD, Adam
from ls_optim.schedules import PolynomialDecay

from . import fake_wandb


def blobs(rows: int = 48, spread: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.arange(rows) % 3
    return rng.normal(size=(rows, 4)) * spread + np.eye(4)[y] * 2, y


def small(**compiled: Any) -> Sequential:
    model = Sequential([Dense(8, activation="tanh"), Dropout(0.2), Dense(3, activation="softmax")])
    model.compile(**{"optimizer": Adam(0.01), "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"], **compiled})
    return model


def fit(model: Any, *callbacks: Callback, **options: Any) -> Any:
    return model.fit(*blobs(), **{"batch_size": 16, "epochs": 3, "verbose": 0, "callbacks": callbacks, **options})


# --- triggers --------------------------------------------------------------------------------------------


class Mark(Triggered):
    def __init__(self, trigger: Any) -> None:
        super().__init__(trigger)
        self.seen: list[tuple[int, int | None]] = []

    def act(self, epoch: int, batch: int | None, logs: Any) -> None:
        self.seen.append((epoch, batch))


@pytest.mark.parametrize(
    ("trigger", "wanted"),
    [
        ("epoch", [(0, None), (1, None), (2, None)]),
        (4, [(1, 0), (2, 1)]),  # three batches an epoch, counted over all
        ("batch", [(e, b) for e in range(3) for b in range(3)]),
        (Trigger(every=2), [(1, None)]),
        (Trigger(at=[1, 3]), [(0, None), (2, None)]),
        (Trigger(at=5, unit="step"), [(1, 1)]),
        (Trigger(every=4, unit="step", at=[2]), [(0, 1), (1, 0), (2, 1)]),
        (Trigger(above=("loss", 0.0)), [(0, None)]),
        (Trigger(below=("loss", 0.0)), []),
        (Trigger(above=("loss", 0.0), unit="step"), [(0, 0)]),
        (Trigger(at=datetime(2020, 1, 1)), [(0, 0)]),
        (Trigger(at=datetime.now() + timedelta(days=1)), []),
        (Trigger(every=1e-9, unit="second"), [(e, b) for e in range(3) for b in (0, 1, 2, None)]),
        (Trigger(every=1e9, unit="second"), []),
    ],
)
def test_triggers(trigger: Any, wanted: list[Any]) -> None:
    mark = Mark(trigger)
    fit(small(), mark)
    assert mark.seen == wanted
    fit(small(), mark)  # a second run counts anew
    assert mark.seen == wanted * 2


def test_triggers_that_can_not_be() -> None:
    for bad in (lambda: Trigger(), lambda: Trigger(1, "week"), lambda: Trigger(0), lambda: Trigger.of("weekly"), lambda: Trigger.of(0)):
        with pytest.raises(ValueError, match="trigger|due"):
            bad()


# --- fit itself ------------------------------------------------------------------------------------------


def test_fit_refuses_a_model_with_nothing_to_train() -> None:
    model = small()
    model(blobs()[0])
    model.trainable = False
    with pytest.raises(ValueError, match=r"no trainable Parameter \(4 in all\).*trainable = True"):
        fit(model)
    with pytest.raises(ValueError, match="no trainable"):
        model.train_on_batch(*blobs())
    assert model.evaluate(*blobs(), verbose=0)[0] > 0


def test_callbacks_are_callbacks() -> None:
    with pytest.raises(TypeError, match="Callback"):
        fit(small(), "early stopping")


def test_the_history_has_what_callbacks_put_into_the_logs() -> None:
    class Add(Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            logs["mine"] = epoch * 2.0

    assert fit(small(), Add()).history["mine"] == [0.0, 2.0, 4.0]


def test_averaged_weights_end_the_run() -> None:
    model = small(optimizer=SGD(0.5, use_ema=True, ema_momentum=0.5))
    seen: list[np.ndarray] = []
    watch = LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(model.get_weights()[0].copy()))
    fit(model, watch, epochs=1)
    # the first update starts the average, the second and third move it half of the way
    wanted = ((seen[0] + seen[1]) / 2 + seen[2]) / 2
    np.testing.assert_allclose(model.get_weights()[0], wanted, rtol=1e-5)


def test_a_bar_in_a_notebook(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    made: list[Any] = []

    class Bar:
        def __init__(self, **options: Any) -> None:
            self.count, self.options = 0, options
            made.append(self)

        def update(self, n: int) -> None:
            self.count += n

        def set_postfix_str(self, text: str, refresh: bool) -> None: ...

        def close(self) -> None: ...

    shell = type("ZMQInteractiveShell", (), {})()
    ipython: Any = types.ModuleType("IPython")
    ipython.get_ipython = lambda: shell
    notebook: Any = types.ModuleType("tqdm.notebook")
    notebook.tqdm = Bar
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "tqdm.notebook", notebook)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    fit(small(), verbose=1)
    assert [(bar.count, bar.options["desc"]) for bar in made] == [(3, "epoch 1/3"), (3, "epoch 2/3"), (3, "epoch 3/3")]
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    fit(small(), verbose=1)
    assert len(made) == 3
    assert len(capsys.readouterr().out.splitlines()) == 6


# --- files -----------------------------------------------------------------------------------------------


def test_model_checkpoint_by_epoch(tmp_path: Path) -> None:
    model = small()
    history = fit(model, ModelCheckpoint(tmp_path / "{epoch:02d}-{loss:.2f}.safetensors"))
    wanted = [f"{i + 1:02d}-{loss:.2f}.safetensors" for i, loss in enumerate(history.history["loss"])]
    assert sorted(os.listdir(tmp_path)) == wanted
    again = load_model(tmp_path / wanted[-1])
    assert [a.tobytes() for a in again.get_weights()] == [a.tobytes() for a in model.get_weights()]
    assert load_model(tmp_path / wanted[0]).optimizer.iterations == 3


def test_model_checkpoint_by_batch_keeps_the_last(tmp_path: Path) -> None:
    path = tmp_path / "{epoch}-{batch}.safetensors"
    fit(small(), ModelCheckpoint(path, save_freq=2, keep_last=2, save_weights_only=True))
    assert sorted(os.listdir(tmp_path)) == ["2-3.safetensors", "3-2.safetensors"]
    other = small()
    other(blobs()[0])
    other.load_weights(tmp_path / "3-2.safetensors")
    with pytest.raises(ls_core.FileError, match="without a model"):
        load_model(tmp_path / "3-2.safetensors")


def test_model_checkpoint_of_the_best(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = iter([3.0, 2.0, 2.5, 1.0, 1.5])

    class Fake(Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            logs["quality"] = next(values)

    saved = tmp_path / "best.safetensors"
    stamps: list[int] = []
    look = LambdaCallback(on_epoch_end=lambda epoch, logs: stamps.append(load_model(saved).optimizer.iterations if saved.exists() else -1))
    best = ModelCheckpoint(saved, monitor="quality", mode="min", save_best_only=True, initial_value_threshold=2.9, verbose=1)
    fit(small(), Fake(), best, look, epochs=5)
    assert stamps == [-1, 6, 6, 12, 12]
    printed = capsys.readouterr().out.splitlines()
    assert "did not improve from 2.9" in printed[0]
    assert "saved" in printed[1]


def test_a_missing_folder_is_refused_when_the_run_begins(tmp_path: Path) -> None:
    path = tmp_path / "none" / "file"
    model = small()
    for callback in (ModelCheckpoint(path), CSVLogger(path), JSONLinesLogger(path), PlotHistory(path), ParameterStatistics(1, path)):
        with pytest.raises(FileNotFoundError, match="mkdir -p .*none"):
            fit(model, callback)
    assert model.optimizer.iterations == 0
    with pytest.raises(IsADirectoryError, match="folder"):
        fit(model, ModelCheckpoint(tmp_path))


def test_names_that_the_logs_lack(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"names 'val_loss', the logs have loss, accuracy, epoch"):
        fit(small(), ModelCheckpoint(tmp_path / "{epoch}-{val_loss:.2f}"))
    for callback in (EarlyStopping(), ReduceLROnPlateau(), ModelCheckpoint(tmp_path / "m", save_best_only=True)):
        with pytest.raises(ValueError, match=f"{type(callback).__name__} watches 'val_loss'.*loss, accuracy"):
            fit(small(), callback)
    with pytest.raises(ValueError, match="keep_last"):
        ModelCheckpoint("always the same", keep_last=3)


def test_epochs_without_validation_are_left_out() -> None:
    stop = EarlyStopping(patience=1)
    history = fit(small(optimizer=SGD(0.0)), stop, epochs=9, validation_data=blobs(12), validation_freq=2)
    assert len(history.epoch) == 4  # measured in the second and the fourth


def test_csv_logger(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("old\n")
    history = fit(small(), CSVLogger(path), validation_data=blobs(12), validation_freq=2)
    rows = list(csv.reader(path.read_text().splitlines()))
    assert rows[0] == ["epoch", "accuracy", "loss", "val_accuracy", "val_loss"]
    assert [row[0] for row in rows[1:]] == ["0", "1", "2"]
    assert [float(row[2]) for row in rows[1:]] == history.history["loss"]
    assert rows[1][3:] == ["NA", "NA"]
    assert float(rows[2][4]) == history.history["val_loss"][0]
    fit(small(), CSVLogger(path, append=True), epochs=1)
    assert len(path.read_text().splitlines()) == 5
    fit(small(), CSVLogger(path, separator=";"), epochs=1)
    assert path.read_text().splitlines()[0] == "epoch;accuracy;loss;val_accuracy;val_loss"


def test_json_lines_logger(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    history = fit(small(), JSONLinesLogger(path))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["loss"] for line in lines] == history.history["loss"]
    fit(small(), JSONLinesLogger(path, append=True, freq=4))
    assert [(line["epoch"], line.get("batch")) for line in map(json.loads, path.read_text().splitlines()[3:])] == [(1, 0), (2, 1)]


def test_plot_history(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "curves.png"
    times: list[int] = []
    look = LambdaCallback(on_epoch_begin=lambda epoch, logs: times.append(path.stat().st_mtime_ns if path.exists() else 0))
    fit(small(), look, PlotHistory(path), validation_data=blobs(12))
    assert times[0] == 0 < times[1] < times[2]
    assert path.read_bytes().startswith(b"\x89PNG")


def test_plot_history_in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(ValueError, match=r"in a notebook; elsewhere give it a path"):
        fit(small(), PlotHistory())
    pictures: list[bytes] = []

    class Shown:
        def update(self, picture: bytes) -> None:
            pictures.append(picture)

    def display(picture: bytes, display_id: bool) -> Shown:
        assert display_id
        assert not pictures
        pictures.append(picture)
        return Shown()

    ipython: Any = types.ModuleType("IPython")
    ipython.get_ipython = type("ZMQInteractiveShell", (), {})
    screen: Any = types.ModuleType("IPython.display")
    screen.Image, screen.display = bytes, display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", screen)
    fit(small(), PlotHistory(title="curves"), verbose=0)
    assert len(pictures) == 4  # one for each epoch, and the end
    assert all(each.startswith(b"\x89PNG") for each in pictures)


# --- learning rates and other hyperparameters --------------------------------------------------------------


def test_learning_rate_scheduler() -> None:
    model = small(optimizer=SGD(0.1))
    history = fit(model, LearningRateScheduler(lambda epoch, rate: rate * 0.5 if epoch else rate))
    np.testing.assert_allclose(history.history["learning_rate"], [0.1, 0.05, 0.025])
    fit(model, LearningRateScheduler(lambda epoch: 1.0 / (epoch + 1), verbose=1))
    assert model.optimizer.learning_rate == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="returned 'fast' for epoch 0"):
        fit(model, LearningRateScheduler(lambda epoch: "fast"))
    scheduled = small(optimizer=SGD(PolynomialDecay(0.1, 10)))
    with pytest.raises(TypeError, match="follows a schedule"):
        fit(scheduled, LearningRateScheduler(lambda epoch: 0.1))


class Feed(Callback):
    """Put given numbers into the logs."""

    def __init__(self, values: list[float]) -> None:
        super().__init__()
        self.values = values

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs["watched"] = self.values[epoch]


def test_reduce_lr_on_plateau_worked_by_hand() -> None:
    values = [1.0, 0.9, 0.95, 0.95, 0.95, 0.95, 0.8, 0.9, 0.9]
    plateau = ReduceLROnPlateau("watched", factor=0.1, patience=2, cooldown=1, min_lr=0.002, mode="min")
    history = fit(small(optimizer=SGD(1.0)), Feed(values), plateau, epochs=9)
    # epochs 2 and 3 don't improve: the rate falls. The cooldown ends within epoch 4, so 4 and 5 count again: it falls. 6 improves
    np.testing.assert_allclose(history.history["learning_rate"], [1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01, 0.01], rtol=1e-6)
    model = small(optimizer=SGD(1.0))
    fit(model, Feed([1.0] * 9), ReduceLROnPlateau("watched", patience=1, min_lr=0.03), epochs=9)
    assert model.optimizer.learning_rate == pytest.approx(0.03)
    with pytest.raises(ValueError, match="factor"):
        ReduceLROnPlateau(factor=1.0)


@pytest.mark.parametrize(
    ("name", "rises"), [("val_accuracy", True), ("auc", True), ("mean_io_u", True), ("loss", False), ("val_perplexity", False)]
)
def test_the_direction_is_read_off_the_name(name: str, rises: bool) -> None:
    from ls_core.callbacks.monitor import Monitor

    watch = Monitor(name)
    watch.improves(0.5)
    assert watch.improves(0.6) is rises
    with pytest.raises(ValueError, match="mode"):
        Monitor("loss", "down")


def test_a_schedule_drives_a_dropout_rate_and_a_momentum() -> None:
    model = small(optimizer=SGD(0.1, momentum=0.9))
    seen: list[tuple[float, float]] = []
    look = LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append((model.layers[1].rate, model.optimizer.momentum)))
    fit(
        model,
        HyperparameterScheduler("dropout.rate", PolynomialDecay(0.4, 4, 0.0)),
        HyperparameterScheduler("optimizer.momentum", lambda epoch: 0.5 + epoch / 10, unit="epoch"),
        look,
        epochs=2,
    )
    np.testing.assert_allclose([rate for rate, _ in seen], [0.4, 0.3, 0.2, 0.1, 0.0, 0.0])
    np.testing.assert_allclose([m for _, m in seen], [0.5] * 3 + [0.6] * 3)


class Tempered(Dense):
    """A closing layer with a hyperparameter of its own."""

    def __init__(self, units: int, temperature: float = 1.0, **options: Any) -> None:
        super().__init__(units, **options)
        self.temperature = temperature

    def forward(self, x: Any, training: bool = False) -> Any:
        seen.append(self.temperature)
        return super().forward(x / self.temperature, training=training)

    def backward(self, dy: Any, cache: Any, input_gradient: bool = True) -> Any:
        dx = super().backward(dy, cache, input_gradient)
        return None if dx is None else dx / self.temperature


seen: list[float] = []


@pytest.mark.parametrize("kind", ["sequential", "nested", "functional", "two outputs"])
def test_a_schedule_drives_a_layer_whose_softmax_is_joined_with_the_loss(kind: str) -> None:
    last = Tempered(3, activation="softmax", name="last")
    target, y, model = "last.temperature", blobs()[1], None
    if kind == "sequential":
        model = Sequential([Dense(4, activation="tanh"), last])
    elif kind == "nested":
        model, target = Sequential([Dense(4), Sequential([last], name="head")]), "head/last.temperature"
    else:
        symbol = Input((4,))
        out = last(symbol)
        model = Model(symbol, out if kind == "functional" else [out, Dense(3, activation="softmax", name="other")(symbol)])
    model.compile("sgd", "sparse_categorical_crossentropy")
    model(blobs()[0])
    seen.clear()
    drive = HyperparameterScheduler(target, lambda step: 1.0 + step)
    model.fit(blobs()[0], [y, y] if kind == "two outputs" else y, batch_size=16, epochs=1, shuffle=False, verbose=0, callbacks=[drive])
    assert model._objective.outputs[0].joined is not None
    assert seen[-3:] == [1.0, 2.0, 3.0]
    assert last.temperature == 3.0
    assert last.activation.name == "softmax"


def test_a_schedule_drives_the_batch_size() -> None:
    sizes: list[int] = []

    class Look(Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            sizes.append(self.model.run.tracker.rows)

    fit(small(), HyperparameterScheduler("batch_size", lambda epoch: 16 * 2**epoch, unit="epoch"), Look(), epochs=2)
    assert sizes == [16, 32, 48, 32, 48]
    sizes.clear()
    fit(small(), HyperparameterScheduler("batch_size", lambda step: 10 + step), Look(), epochs=1)
    assert sizes == [10, 21, 33, 46, 48]


def test_hyperparameters_that_are_none() -> None:
    for target, message in (
        ("drop.rate", "has no layer 'drop'.*dense, dense_1, dropout"),
        ("dropout.speed", "has no 'speed'"),
        ("optimizer.momentum", "no 'momentum'"),
    ):
        with pytest.raises(ValueError, match=message):
            fit(small(), HyperparameterScheduler(target, lambda n: 1))
    with pytest.raises(ValueError, match="unit"):
        HyperparameterScheduler("dropout.rate", lambda n: 1, unit="week")


# --- NaN -------------------------------------------------------------------------------------------------


def spoiled() -> Sequential:
    model = small(optimizer=SGD(1.0))
    model.compile(SGD(1.0), lambda_loss())
    return model


def lambda_loss() -> Any:
    class NaNAfter(ls_core.losses.SparseCategoricalCrossentropy):
        calls = 0

        def value_and_grad(self, *args: Any, **options: Any) -> Any:
            value, gradient = super().value_and_grad(*args, **options)
            NaNAfter.calls += 1
            return (value * float("nan") if NaNAfter.calls > 4 else value), gradient

        def with_logits(self) -> Any:
            return self

        closing_activation = None  # type: ignore[assignment]

    return NaNAfter()


def test_terminate_on_nan_ends_the_run_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    ended: list[int] = []
    model = spoiled()
    history = fit(model, TerminateOnNaN(), LambdaCallback(on_train_end=lambda logs: ended.append(model.optimizer.iterations)), epochs=5)
    assert ended == [4]
    assert history.epoch == [0, 1]
    assert math.isnan(history.history["loss"][1])
    assert all(np.isfinite(w).all() for w in model.get_weights())
    assert capsys.readouterr().out.count("the run ends: the loss is nan") == 1
    for callbacks in ([], [TerminateOnNaN(raise_error=True)]):
        with pytest.raises(NonFiniteError):
            fit(spoiled(), *callbacks, epochs=5)


# --- functions, averages -----------------------------------------------------------------------------------


def test_lambda_callback_sees_its_moments() -> None:
    seen: list[Any] = []
    callback = LambdaCallback(
        on_train_begin=lambda logs: seen.append("begin"),
        on_epoch_end=lambda epoch, logs: seen.append((epoch, sorted(logs))),
        on_test_begin=lambda logs: seen.append("test"),
        on_train_batch_begin=lambda batch, logs: seen.append(batch),
    )
    fit(small(), callback, epochs=1, validation_data=blobs(12))
    assert seen == ["begin", 0, 1, 2, "test", (0, ["accuracy", "loss", "val_accuracy", "val_loss"])]
    with pytest.raises(TypeError, match="no moment 'on_lunch'"):
        LambdaCallback(on_lunch=print)


def test_swap_ema_weights(tmp_path: Path) -> None:
    def run(*callbacks: Callback) -> tuple[Sequential, Any]:
        ls_core.set_seed(2)
        model = small(optimizer=SGD(0.5, use_ema=True, ema_momentum=0.9))
        return model, fit(model, *callbacks, validation_data=blobs(12), epochs=3)

    plain, plain_history = run()
    path = tmp_path / "{epoch}.safetensors"
    swapped, history = run(SwapEMAWeights(swap_on_epoch=True), ModelCheckpoint(path))
    # training is the same, what is measured and saved are the averages, which also end the run
    assert history.history["loss"] == plain_history.history["loss"]
    assert history.history["val_loss"] != plain_history.history["val_loss"]
    for a, b in zip(plain.get_weights(), swapped.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()
    saved = load_model(tmp_path / "3.safetensors")
    for a, b in zip(saved.get_weights(), swapped.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()
    assert swapped.evaluate(*blobs(12), verbose=0)[0] == history.history["val_loss"][-1]
    with pytest.raises(ValueError, match="use_ema=True"):
        fit(small(), SwapEMAWeights(), validation_data=blobs(12))


def test_swap_ema_weights_when_a_later_callback_ends_the_run() -> None:
    class Stop(Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.model.stop_training = epoch == 1

    ls_core.set_seed(2)
    a = small(optimizer=SGD(0.5, use_ema=True, ema_momentum=0.9))
    fit(a, SwapEMAWeights(swap_on_epoch=True), Stop(), epochs=5)
    ls_core.set_seed(2)
    b = small(optimizer=SGD(0.5, use_ema=True, ema_momentum=0.9))
    fit(b, epochs=2)
    assert [w.tobytes() for w in a.get_weights()] == [w.tobytes() for w in b.get_weights()]


# --- statistics --------------------------------------------------------------------------------------------


def test_parameter_statistics_are_those_of_the_step(tmp_path: Path) -> None:
    model = Sequential([Dense(2, use_bias=False, kernel_initializer="ones", name="only")])
    model.compile(SGD(0.1), "mse")
    watch = ParameterStatistics(every=2, filename=tmp_path / "statistics.jsonl")
    x, y = np.array([[1.0, 2.0]]), np.array([[1.0, 0.0]])
    model.fit(x, y, epochs=4, verbose=0, callbacks=[watch])
    assert [(r["epoch"], r["batch"]) for r in watch.reports] == [(1, 0), (3, 0)]
    w = np.ones((2, 2))
    for _ in range(2):  # the report of the second step has the weights before its update
        g = np.outer(x, (x @ w - y)[0])
        seen, w = (w, g), w - 0.1 * g
    row = watch.reports[0]["parameters"]["sequential/only/kernel"]
    wanted = {
        "norm": np.linalg.norm(seen[0]),
        "mean": seen[0].mean(),
        "gradient_norm": np.linalg.norm(seen[1]),
        "gradient_mean": seen[1].mean(),
        "ratio": np.linalg.norm(seen[1]) / np.linalg.norm(seen[0]),
        "update_norm": 0.1 * np.linalg.norm(seen[1]),
        "update_ratio": 0.1 * np.linalg.norm(seen[1]) / np.linalg.norm(seen[0]),
    }
    assert row == pytest.approx(wanted, rel=1e-5)
    assert json.loads((tmp_path / "statistics.jsonl").read_text().splitlines()[0])["parameters"]["sequential/only/kernel"] == row
    assert model.gradient_watchers == ()


def test_parameter_statistics_change_nothing_and_know_rows() -> None:
    def run(*callbacks: Callback) -> list[bytes]:
        ls_core.set_seed(0)
        model = Sequential([Embedding(30, 4), GlobalAveragePooling1D(), BatchNormalization(), Dense(2, activation="softmax")])
        model.compile(Adam(0.1, clipnorm=0.1), "sparse_categorical_crossentropy")
        rng = np.random.default_rng(0)
        model.fit(rng.integers(0, 30, (12, 3)), np.arange(12) % 2, batch_size=4, epochs=2, verbose=0, callbacks=callbacks)
        return [w.tobytes() for w in model.get_weights()]

    watch = ParameterStatistics(every=1)
    assert run(watch) == run()
    rows = watch.reports[0]["parameters"]
    assert rows["sequential/embedding/embeddings"]["gradient_norm"] > 0
    assert rows["sequential/batch_normalization/moving_mean"]["gradient_norm"] is None
    assert rows["sequential/batch_normalization/moving_mean"]["update_norm"] is None
    assert rows["sequential/embedding/embeddings"]["update_norm"] > 0
    assert len(watch.reports) == 6


def test_statistics_wait_for_a_device_only_when_they_report() -> None:
    from ls_core.testing.standin import host_syncs

    with ls_core.use_backend("standin"):
        model = small(optimizer=SGD(0.1))
        watch = ParameterStatistics(every=2)
        counts: list[int] = []

        class Count(Callback):
            place = 5

            def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
                self.scope = host_syncs()
                self.found = self.scope.__enter__()

            def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
                counts.append(len(self.found))
                self.scope.__exit__(None, None, None)

        fit(model, watch, Count(), epochs=2, batch_size=12)
    assert counts[0] == counts[2] == 0
    assert counts[1] > 0
    assert len(watch.reports) == 4


# --- sanity ------------------------------------------------------------------------------------------------


def test_sanity_check_passes_a_sound_model_and_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    def run(*callbacks: Callback) -> Any:
        ls_core.set_seed(0)
        model = Sequential([Dense(16, activation="relu"), Dropout(0.1), BatchNormalization(), Dense(3, activation="softmax")])
        model.compile(Adam(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"])
        history = fit(model, *callbacks, validation_split=0.25)
        return [w.tobytes() for w in model.get_weights()], history.history, ls_core.get_random_state()["streams"]["sequential/shuffle"]

    check = SanityCheck(steps=60)
    assert run(check) == run()
    assert [(f.check, f.passed) for f in check.findings] == [("first loss", True), ("one batch", True), ("shuffled labels", True)]
    printed = capsys.readouterr().out
    assert "ln 3 = 1.099" in printed
    assert "chance is 1.09" in printed


def test_sanity_check_finds_what_is_wrong() -> None:
    def findings(model: Any, x: Any, y: Any, **options: Any) -> dict[str, Any]:
        check = SanityCheck(steps=40)
        model.fit(x, y, epochs=1, verbose=0, callbacks=[check], **options)
        return {f.check: f for f in check.findings}

    x, y = blobs(60, spread=1.0)
    loud = findings(small(), x * 1000, y, validation_split=0.25)
    assert loud["first loss"].passed is False
    assert "not scaled" in loud["first loss"].explanation
    still = findings(small(optimizer=SGD(1e-9)), x, y)
    assert still["one batch"].passed is False
    assert still["shuffled labels"].passed is None
    known = small()
    known.fit(x, y, epochs=60, verbose=0)
    known.compile(SGD(1e-6), "sparse_categorical_crossentropy")
    known = findings(known, x, y, validation_split=0.25)
    assert known["first loss"].passed is False
    assert "begins trained" in known["first loss"].explanation
    assert known["shuffled labels"].passed is False
    assert "Better than chance without true labels" in str(known["shuffled labels"])
    with pytest.raises(RuntimeError, match="one batch: FAILED"):
        small(optimizer=SGD(1e-9)).fit(x, y, verbose=0, callbacks=[SanityCheck(steps=5, raise_error=True)])
    regression = Sequential([Dense(1)])
    regression.compile(Adam(0.1), "mse")
    assert findings(regression, x, x[:, :1])["first loss"].passed is None


# --- TensorBoard -------------------------------------------------------------------------------------------


def records(path: Path) -> list[bytes]:
    """The records of an event file, each checksum compared."""
    raw, found = path.read_bytes(), []
    while raw:
        (length,) = struct.unpack("<Q", raw[:8])
        assert raw[8:12] == masked_crc(raw[:8])
        data = raw[12 : 12 + length]
        assert raw[12 + length : 16 + length] == masked_crc(data)
        found.append(data)
        raw = raw[16 + length :]
    return found


def fields(data: bytes) -> list[tuple[int, Any]]:
    """(number, value) of the fields of a Protocol Buffers message."""

    def varint(at: int) -> tuple[int, int]:
        number = shift = 0
        while True:
            byte = data[at]
            number |= (byte & 127) << shift
            at, shift = at + 1, shift + 7
            if byte < 128:
                return number, at

    found: list[tuple[int, Any]] = []
    at = 0
    while at < len(data):
        tag, at = varint(at)
        kind = tag & 7
        if kind == 0:
            value, at = varint(at)
        elif kind == 2:
            length, at = varint(at)
            value, at = data[at : at + length], at + length
        else:
            width, code = (8, "<d") if kind == 1 else (4, "<f")
            (value,) = struct.unpack(code, data[at : at + width])
            at += width
        found.append((tag >> 3, value))
    return found


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Tag to (step, value) of the only event file in a folder."""
    (path,) = folder.iterdir()
    first, *events = records(path)
    assert (3, b"brain.Event:2") in fields(first)
    found: dict[str, list[tuple[int, float]]] = {}
    for event in events:
        message = dict(fields(event))
        for _, value in fields(message[5]):
            each = dict(fields(value))
            if 2 in each:
                found.setdefault(each[1].decode(), []).append((message[2], each[2]))
    return found


def test_crc32c_has_the_known_values() -> None:
    # RFC 3720, B.4
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E


def test_tensorboard_files(tmp_path: Path) -> None:
    model = small()
    history = fit(model, TensorBoard(tmp_path, histogram_freq=2, update_freq=2, write_steps_per_second=True), validation_data=blobs(12))
    train, held_out = scalars(tmp_path / "train"), scalars(tmp_path / "validation")
    assert [step for step, _ in train["epoch_loss"]] == [0, 1, 2]
    np.testing.assert_allclose([value for _, value in train["epoch_loss"]], history.history["loss"], rtol=1e-6)
    np.testing.assert_allclose([value for _, value in held_out["epoch_accuracy"]], history.history["val_accuracy"], rtol=1e-6)
    assert [step for step, _ in train["batch_loss"]] == [2, 4, 6, 8]
    assert [step for step, _ in held_out["evaluation_loss_vs_iterations"]] == [3, 6, 9]
    assert train["epoch_learning_rate"][0][1] == pytest.approx(0.01)
    assert train["epoch_steps_per_second"][0][1] > 0
    (path,) = (tmp_path / "train").iterdir()
    histograms = [
        (dict(fields(e))[2], dict(fields(v))) for e in records(path)[1:] for _, v in fields(dict(fields(e))[5]) if 5 in dict(fields(v))
    ]
    assert {(step, value[1]) for step, value in histograms} == {
        (s, f"{p.path}/histogram".encode()) for s in (0, 2) for p in model.parameters()
    }
    last = dict(fields(next(v[5] for s, v in histograms if s == 2)))
    kernel = model.get_weights()[0].astype(np.float64)
    assert [last[i] for i in range(1, 6)] == pytest.approx([kernel.min(), kernel.max(), kernel.size, kernel.sum(), (kernel**2).sum()])
    counts = np.frombuffer(last[7], "<f8")
    assert counts.sum() == kernel.size
    limits = np.frombuffer(last[6], "<f8")
    assert len(limits) == len(counts)
    assert (counts == np.histogram(kernel, np.concatenate([[kernel.min()], limits]))[0]).all()


def messages(folder: Path) -> list[Any]:
    """The events of the only file in a folder, read with the message definitions of tensorboardX."""
    from tensorboardX.proto.event_pb2 import Event

    (path,) = folder.iterdir()
    return [Event.FromString(data) for data in records(path)]


def test_tensorboard_files_have_the_messages_of_their_definition(tmp_path: Path) -> None:
    model = small()
    history = fit(model, TensorBoard(tmp_path, histogram_freq=1, update_freq=1))
    first, *events = messages(tmp_path / "train")
    assert first.file_version == "brain.Event:2"
    values = [(event.step, value) for event in events for value in event.summary.value]
    assert [value.simple_value for _, value in values if value.tag == "epoch_loss"] == pytest.approx(history.history["loss"], rel=1e-6)
    assert [step for step, value in values if value.tag == "batch_accuracy"] == list(range(1, 10))
    kernel = model.get_weights()[0].astype(np.float64)
    (last,) = (value.histo for step, value in values if step == 2 and value.tag == "sequential/dense/kernel/histogram")
    assert (last.num, last.min, last.max, last.sum) == pytest.approx((kernel.size, kernel.min(), kernel.max(), kernel.sum()))
    assert sum(last.bucket) == kernel.size
    assert all(event.wall_time > 1.6e9 for event in events)


def test_tensorboard_writes_into_a_writer_of_ones_own(tmp_path: Path) -> None:
    from tensorboardX import SummaryWriter

    model = small()
    with SummaryWriter(str(tmp_path / "mine")) as writer:
        writer.add_text("note", "before the run")
        board = TensorBoard(tmp_path / "unused", histogram_freq=2, update_freq=4, writer=writer)
        history = fit(model, board, validation_data=blobs(12))
        writer.add_scalar("after", 1.0, 0)  # it is still open
    assert not (tmp_path / "unused").exists()
    found: dict[str, list[tuple[int, Any]]] = {}
    for event in messages(tmp_path / "mine"):
        for value in event.summary.value:
            found.setdefault(value.tag, []).append((event.step, value))
    for tag, wanted in (("train/epoch_loss", history.history["loss"]), ("validation/epoch_loss", history.history["val_loss"])):
        assert [step for step, _ in found[tag]] == [0, 1, 2]
        np.testing.assert_allclose([value.simple_value for _, value in found[tag]], wanted, rtol=1e-6)
    assert [step for step, _ in found["train/batch_loss"]] == [4, 8]
    assert [step for step, _ in found["validation/evaluation_loss_vs_iterations"]] == [3, 6, 9]
    kernel = model.get_weights()[0].astype(np.float64)
    step, last = found["train/sequential/dense/kernel/histogram"][-1]
    assert (step, last.histo.num, last.histo.sum) == (2, kernel.size, pytest.approx(kernel.sum()))
    assert {"after", "note/text_summary"} <= set(found)
    with pytest.raises(TypeError, match=r"SummaryWriter, not 'logs'.*ls-engine\[tensorboardx\]"):
        TensorBoard(writer="logs")


def test_a_run_with_a_writer_is_resumed(tmp_path: Path) -> None:
    from tensorboardX import SummaryWriter

    class Crash(Callback):
        place = 4

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if epoch == 1:
                raise KeyError

    backup = tmp_path / "run.ckpt"
    for name, crash in (("first", [Crash()]), ("second", [])):
        ls_core.set_seed(0)
        with SummaryWriter(str(tmp_path / name)) as writer:
            callbacks = [TensorBoard(writer=writer, update_freq=1), BackupAndRestore(backup, save_freq=2), *crash]
            with pytest.raises(KeyError) if crash else contextlib.nullcontext():
                fit(small(), *callbacks)
    steps = [event.step for event in messages(tmp_path / "second") for value in event.summary.value if value.tag == "train/batch_loss"]
    assert steps == [7, 8, 9]  # the last checkpoint is that of the sixth


def test_tensorboard_refuses_what_it_does_not_write() -> None:
    for option in ({"write_images": True}, {"embeddings_freq": 1}, {"profile_batch": 2}):
        with pytest.raises(ValueError, match=next(iter(option))):
            TensorBoard("logs", **option)


def test_two_runs_at_once_write_two_files(tmp_path: Path) -> None:
    for _ in range(2):
        fit(small(), TensorBoard(tmp_path), epochs=1)
    assert len(list((tmp_path / "train").iterdir())) == 2


# --- Weights & Biases --------------------------------------------------------------------------------------


def test_wandb_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ImportError, match=r"ls-engine\[wandb\]"):
        fit(small(), WandbCallback())


def test_wandb_gets_config_and_numbers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    module = fake_wandb.make_module()
    monkeypatch.setitem(sys.modules, "wandb", module)
    callback = WandbCallback("project", "name", config={"mine": 1}, mode="offline", dir=tmp_path, freq=4, tags=["a"], notes="text")
    history = fit(small(), callback, epochs=2)
    (run,) = module.runs
    assert run.finished
    config = run.settings.pop("config")
    assert run.settings == {"project": "project", "name": "name", "mode": "offline", "dir": tmp_path, "tags": ["a"], "notes": "text"}
    assert config["optimizer"] == "Adam"
    assert config["learning_rate"] == 0.01
    assert config["epochs"] == 2
    assert config["mine"] == 1
    assert [row["loss"] for row in run.rows if "epoch" in row] == history.history["loss"]
    assert [set(row) for row in run.rows if "epoch" not in row] == [{"batch/loss", "batch/accuracy"}]
    with pytest.raises(TypeError, match="colour"):
        fit(small(), WandbCallback("project", colour="red"))


def test_wandb_leaves_a_run_open_that_was_begun_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    module = fake_wandb.make_module()
    module.run = fake_wandb.init(project="outside")
    monkeypatch.setitem(sys.modules, "wandb", module)
    fit(small(), WandbCallback(), epochs=1)
    assert module.runs == []
    assert not module.run.finished
    assert module.run.rows
