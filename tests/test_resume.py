"""Runs that go on where their process was ended: the same bits, whatever the moment, and no file that can't be read."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ls_core
import ls_optim
from ls_core import FileError, Sequential, load_model
from ls_core.callbacks import BackupAndRestore, Callback, CSVLogger, EarlyStopping, JSONLinesLogger, LearningRateScheduler, ModelCheckpoint
from ls_core.data import ArrayDataset, BalancedSampler, BucketSampler, DataLoader, IterableDataset
from ls_core.packing import pack, unpack
from ls_core.tensorfile import TensorFile
from ls_layers import LSTM, BatchNormalization, Dense, Dropout, Embedding, GaussianNoise, GlobalAveragePooling1D
from ls_optim import SGD, Adam

ROOT = Path(__file__).parent.parent
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


# --- SIGKILL ---------------------------------------------------------------------------------------------


def start(folder: Path, save_freq: str, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.resume_script", str(folder), save_freq, *more]
    return subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(folder: Path, save_freq: str) -> tuple[bytes, bytes, str]:
    """Let the run come to its end -> the model file, the log, the History's bits."""
    out, errors = start(folder, save_freq).communicate(timeout=120)
    assert not errors, errors
    return (folder / "final.safetensors").read_bytes(), (folder / "log.csv").read_bytes(), out.splitlines()[-1]


def check_files(folder: Path) -> None:
    """Every checkpoint that is there can be read whole."""
    for path in folder.glob("run.ckpt*"):
        with TensorFile(path) as file:
            ls_core.checkpoint.read_header(file)
            for name in file.names():
                file.read(name)
        load_model(path)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bytes, bytes, str]]:
    return {freq: finish(tmp_path_factory.mktemp("whole"), freq) for freq in ("2", "epoch", "prefetched")}


def kill_once(folder: Path, save_freq: str, chance: random.Random) -> None:
    process = start(folder, save_freq)
    assert process.stdout is not None
    for _ in range(chance.randint(1, 60)):
        if process.stdout.readline() != "step\n":
            break
    time.sleep(chance.random() * 0.02)
    process.kill()
    process.communicate()
    check_files(folder)


can_be_killed = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")


@can_be_killed
@pytest.mark.parametrize("seed", [*range(5), *(pytest.param(i, marks=pytest.mark.slow) for i in range(5, 20))])
def test_sigkill_at_a_random_moment(seed: int, tmp_path: Path, uninterrupted: dict[str, Any]) -> None:
    chance = random.Random(seed)
    save_freq = ("2", "prefetched", "2", "epoch")[seed % 4]
    for _ in range(chance.randint(1, 3)):
        kill_once(tmp_path, save_freq, chance)
    assert finish(tmp_path, save_freq) == uninterrupted[save_freq]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["final.safetensors", "log.csv", "run.ckpt.best"]


@can_be_killed
@pytest.mark.parametrize(
    ("where", "count"), [("write_tensor_file", 1), ("write_tensor_file", 9), ("fsync", 7), ("replace", 6), ("replace", 11), ("link", 3)]
)
def test_sigkill_within_the_writing_of_a_checkpoint(where: str, count: int, tmp_path: Path, uninterrupted: dict[str, Any]) -> None:
    process = start(tmp_path, "2", where, str(count))
    process.communicate(timeout=120)
    assert process.returncode == -9
    check_files(tmp_path)
    assert finish(tmp_path, "2") == uninterrupted["2"]


# --- in one process --------------------------------------------------------------------------------------


class Crash(Exception):
    pass


class CrashAt(Callback):
    """Raise in place of the end of the n-th batch of the run."""

    place = 4

    def __init__(self, step: int) -> None:
        super().__init__()
        self.left = step

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.left -= 1
        if not self.left:
            raise Crash


def rows(n: int = 50) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    return rng.normal(size=(n, 6)) + np.eye(6)[y], y


def small(optimizer: Any = None, **compiled: Any) -> Sequential:
    model = Sequential([Dense(8, activation="relu"), Dropout(0.4), BatchNormalization(), Dense(3, activation="softmax")])
    model.compile(**{"optimizer": optimizer or Adam(0.01), "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"], **compiled})
    return model


def everything(model: Any, history: Any) -> list[Any]:
    arrays = [*model.get_weights(), *(v for _, v in sorted(model.optimizer.get_state().items()))]
    return [history.history, [array.tobytes() for array in arrays], ls_core.get_random_state()]


def compare(tmp_path: Path, make: Any, data: Any, crash: int, freq: Any = 1, callbacks: Any = list, **options: Any) -> None:
    """A run that crashes after ``crash`` steps and is started again ends as one that doesn't."""
    options = {"epochs": 3, "verbose": 0, **options}

    def run(*more: Callback) -> list[Any]:
        ls_core.set_seed(7)
        model = make()
        x, *rest = data() if callable(data) else data
        history = model.fit(x, *rest, callbacks=[*callbacks(), *more], **options)
        return everything(model, history)

    whole = run()
    path = tmp_path / "run.ckpt"
    with pytest.raises(Crash):
        run(BackupAndRestore(path, save_freq=freq), CrashAt(crash))
    assert path.exists()
    assert run(BackupAndRestore(path, save_freq=freq)) == whole
    assert not path.exists()


@pytest.mark.parametrize("crash", [1, 4, 5, 6, 10, 14])
def test_any_step_of_an_epoch(crash: int, tmp_path: Path) -> None:
    compare(tmp_path, small, rows(), crash, batch_size=8, validation_split=0.2)


@pytest.mark.parametrize("crash", [2, 3, 4, 6, 7, 9, 11])
@pytest.mark.parametrize("freq", [1, "epoch"])
def test_epochs_of_some_steps(crash: int, freq: Any, tmp_path: Path) -> None:
    if freq == "epoch" and crash < 5:
        return
    options: dict[str, Any] = {"steps_per_epoch": 4, "epochs": 4}  # of seven batches
    compare(tmp_path, small, rows(), crash, freq, batch_size=8, **options)
    compare(tmp_path, small, lambda: (loaders()["shuffled"](),), crash, freq, **options)
    compare(tmp_path, small, lambda: (loaders()["prefetched"](),), crash, freq, **options)


def test_a_run_that_ended_after_its_last_step_writes_the_same_file(tmp_path: Path) -> None:
    """Nothing is left to be trained: the optimiser's state comes from the checkpoint alone."""

    def run(name: str, *more: Callback) -> bytes:
        ls_core.set_seed(7)
        model = small(Adam(0.02, use_ema=True, gradient_accumulation_steps=2))
        model.fit(*rows(), epochs=2, batch_size=10, callbacks=more, verbose=0)
        model.save(tmp_path / name)
        return (tmp_path / name).read_bytes()

    with pytest.raises(Crash):
        run("none", BackupAndRestore(tmp_path / "run.ckpt", save_freq=1), CrashAt(10))
    assert run("resumed", BackupAndRestore(tmp_path / "run.ckpt", save_freq=1)) == run("whole")


@pytest.mark.parametrize("freq", [3, "epoch"])
def test_steps_behind_the_checkpoint_are_made_again(freq: Any, tmp_path: Path) -> None:
    compare(tmp_path, small, rows(), 10, freq, batch_size=8, validation_data=rows(20), validation_freq=2)


OPTIMIZERS = [name for name, thing in vars(ls_optim).items() if isinstance(thing, type) and thing is not ls_optim.Optimizer]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer(name: str, tmp_path: Path) -> None:
    compare(tmp_path, lambda: small(getattr(ls_optim, name)(0.01, use_ema=True, global_clipnorm=1.0)), rows(), 9, batch_size=8)


@pytest.mark.parametrize("lazy", [True, False])
@pytest.mark.parametrize("crash", [1, 2, 3, 5])
def test_half_accumulated_row_gradients(crash: int, lazy: bool, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    data = rng.integers(0, 40, (24, 5)), rng.integers(0, 2, 24)

    def make() -> Sequential:
        model = Sequential([Embedding(40, 4), GlobalAveragePooling1D(), Dense(2, activation="softmax")])
        model.compile(Adam(0.05, gradient_accumulation_steps=4, lazy_rows=lazy, global_clipnorm=0.1), "sparse_categorical_crossentropy")
        return model

    compare(tmp_path, make, data, crash, batch_size=4, epochs=2)


def test_metrics_of_the_running_epoch(tmp_path: Path) -> None:
    metrics = ls_core.metrics
    x, y = rows()

    def make() -> Sequential:
        found = [metrics.CategoricalAccuracy(), metrics.AUC(), metrics.Precision(), metrics.F1Score(), metrics.MeanSquaredError()]
        found += [metrics.MeanIoU(3, sparse_y_true=False, sparse_y_pred=False), metrics.R2Score(), metrics.RootMeanSquaredError()]
        return small(loss="categorical_crossentropy", metrics=found, weighted_metrics=[metrics.CategoricalAccuracy(name="weighted")])

    compare(tmp_path, make, (x, np.eye(3)[y]), 9, batch_size=8, sample_weight=np.linspace(0, 1, 50))


def test_stateful_layers_schedules_and_callbacks(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    data = rng.normal(size=(24, 5, 2)).astype("float32"), rng.normal(size=(24, 1))

    def make() -> Sequential:
        model = Sequential([GaussianNoise(0.1), LSTM(3, stateful=True, dropout=0.2), Dense(1)])
        model.compile(SGD(0.05, momentum=0.9), "mse")
        return model

    def callbacks() -> list[Callback]:
        return [
            EarlyStopping("loss", patience=1, min_delta=0.05, restore_best_weights=True),
            LearningRateScheduler(lambda epoch, rate: rate * 0.7),
            ls_core.callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=0.5),
            ls_core.callbacks.HyperparameterScheduler("gaussian_noise.stddev", lambda n: 0.1 / (n + 1)),
            ls_core.callbacks.HyperparameterScheduler("optimizer.momentum", lambda n: 0.9 - 0.01 * n),
        ]

    for crash in (2, 5, 7):
        compare(tmp_path, make, data, crash, callbacks=callbacks, batch_size=8, shuffle=False, epochs=6)


def test_a_scheduled_batch_size(tmp_path: Path) -> None:
    def callbacks() -> list[Callback]:
        return [ls_core.callbacks.HyperparameterScheduler("batch_size", lambda step: 4 + step)]

    compare(tmp_path, small, rows(), 6, callbacks=callbacks, batch_size=4)


def test_moving_averages_that_are_swapped_in(tmp_path: Path) -> None:
    def make() -> Sequential:
        return small(Adam(0.02, use_ema=True, ema_momentum=0.8))

    def callbacks() -> list[Callback]:
        return [ls_core.callbacks.SwapEMAWeights(swap_on_epoch=True)]

    for crash, freq in ((10, "epoch"), (9, 1)):
        compare(tmp_path, make, rows(), crash, freq, callbacks=callbacks, batch_size=8, validation_split=0.2)


def test_on_a_device(tmp_path: Path) -> None:
    from ls_core.testing import standin

    assert standin

    def make() -> Sequential:
        return small(Adam(0.01, use_ema=True, gradient_accumulation_steps=2))

    def run(*more: Callback) -> list[Any]:
        ls_core.set_seed(7)
        model = make()
        stop = EarlyStopping("loss", patience=9, restore_best_weights=True)
        logs = ls_core.callbacks.TensorBoard(tmp_path / "logs", histogram_freq=1)
        history = model.fit(*rows(), batch_size=8, epochs=3, verbose=0, validation_split=0.2, callbacks=[stop, logs, *more])
        return [history.history, [w.tobytes() for w in model.get_weights()]]

    with ls_core.use_backend("standin"):
        whole = run()
        with pytest.raises(Crash):
            run(BackupAndRestore(tmp_path / "run.ckpt", 1), CrashAt(8))
        assert run(BackupAndRestore(tmp_path / "run.ckpt", 1)) == whole
        ls_core.assert_resumable(make, rows())


# --- data ------------------------------------------------------------------------------------------------


def loaders() -> dict[str, Any]:
    x, y = rows()
    data = ArrayDataset(x, y)

    def samples() -> Any:
        return iter(zip(x, y, strict=True))

    class Noisy(ls_core.data.Dataset):
        """Draws while a sample is made."""

        def __len__(self) -> int:
            return 50

        def __getitem__(self, index: int) -> Any:
            noise = ls_core.random_stream("augment").generator.normal(size=6)
            return x[index] + noise * 0.1, y[index]

    return {
        "shuffled": lambda: DataLoader(data, 8, shuffle=True),
        "own seed": lambda: DataLoader(data, 8, shuffle=True, seed=4),
        "sampler": lambda: DataLoader(data, 8, sampler=BalancedSampler(y)),
        "seeded sampler": lambda: DataLoader(data, 8, sampler=BalancedSampler(y, seed=1)),
        "batch sampler": lambda: DataLoader(data, batch_sampler=BucketSampler(np.arange(50) % 7, 8, seed=2)),
        "shuffle buffer": lambda: DataLoader(IterableDataset(samples, shuffle_buffer=20), 8),
        "augmented": lambda: DataLoader(Noisy(), 8, shuffle=True),
        "prefetched": lambda: DataLoader(Noisy(), 8, shuffle=True, prefetch=3),
        "prefetched buffer": lambda: DataLoader(IterableDataset(samples, shuffle_buffer=20), 8, prefetch=2),
    }


@pytest.mark.parametrize("kind", loaders())
@pytest.mark.parametrize("crash", [3, 7, 12])
def test_loaders(kind: str, crash: int, tmp_path: Path) -> None:
    compare(tmp_path, small, lambda: (loaders()[kind](),), crash, validation_data=DataLoader(ArrayDataset(*rows(20)), 8))


class Late(ls_core.data.Dataset):
    """Draws from a stream for its last samples only, and slowly: a thread that makes batches ahead is then in the middle of it."""

    def __init__(self, hold: bool = False) -> None:
        self.draw = ls_core.random_stream("held") if hold else None  # a stream may be held, not its generator
        self.data = rows()

    def __len__(self) -> int:
        return 50

    def __getitem__(self, index: int) -> Any:
        x, y = self.data
        if index < 32:
            return x[index], y[index]
        time.sleep(0.003)
        stream = self.draw or ls_core.random_stream("late")
        return x[index] + stream.generator.normal(size=6) * 0.1, y[index]


class Slow(Callback):
    """Leaves a thread the time to run ahead."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        time.sleep(0.02)


@pytest.mark.parametrize("hold", [False, True])
@pytest.mark.parametrize("prefetch", [1, 6])
@pytest.mark.parametrize("crash", [1, 4, 6, 7, 9])
def test_a_checkpoint_while_a_thread_has_drawn_ahead(crash: int, prefetch: int, hold: bool, tmp_path: Path) -> None:
    compare(tmp_path, small, lambda: (DataLoader(Late(hold), 8, prefetch=prefetch),), crash, callbacks=lambda: [Slow()], epochs=2)


@pytest.mark.parametrize("prefetch", [1, 6])
def test_an_epoch_that_leaves_batches_of_a_thread_unused(prefetch: int, tmp_path: Path) -> None:
    """What the thread drew for them is as if it had not been drawn, however far it came."""

    def loader(prefetch: int) -> Any:
        return (DataLoader(Late(), 8, prefetch=prefetch),)

    found = []
    for ahead, slow in ((0, False), (prefetch, False), (prefetch, True)):
        ls_core.set_seed(7)
        model = small()
        callbacks = [Slow()] if slow else []
        history = model.fit(*loader(ahead), epochs=3, steps_per_epoch=5, verbose=0, callbacks=callbacks)
        found.append(everything(model, history))
    assert found[0] == found[1] == found[2]
    compare(tmp_path, small, lambda: loader(prefetch), 8, callbacks=lambda: [Slow()], steps_per_epoch=5)


def test_a_generator_is_run_through_again(tmp_path: Path) -> None:
    def data() -> Any:
        x, y = rows()
        draw = ls_core.random_stream("mine").generator

        def forever() -> Any:
            while True:
                part = draw.integers(0, 50, 8)
                yield x[part], y[part]

        return (forever(),)

    for crash in (2, 5, 9):
        compare(tmp_path, small, data, crash, steps_per_epoch=4)
    compare(tmp_path, small, data, 6, "epoch", steps_per_epoch=4)


# --- files -----------------------------------------------------------------------------------------------


def test_logs_hold_each_epoch_once(tmp_path: Path) -> None:
    def run(folder: Path, *more: Callback) -> None:
        folder.mkdir(exist_ok=True)
        ls_core.set_seed(0)
        logs = [CSVLogger(folder / "log.csv"), JSONLinesLogger(folder / "log.jsonl", freq=3)]
        names = ModelCheckpoint(folder / "{epoch:02d}-{batch:02d}-{loss:.3f}.safetensors", save_freq=4, keep_last=2)
        small().fit(*rows(), batch_size=8, epochs=5, verbose=0, callbacks=[*logs, names, *more])

    run(tmp_path / "whole")
    for crash in (9, 8):
        with pytest.raises(Crash):
            run(tmp_path / "broken", BackupAndRestore(tmp_path / "run.ckpt", save_freq=5), CrashAt(crash))
    run(tmp_path / "broken", BackupAndRestore(tmp_path / "run.ckpt", save_freq=5))
    kept = {path.name: path.read_bytes() for path in (tmp_path / "whole").iterdir() if path.suffix != ".safetensors"}
    assert {name: (tmp_path / "broken" / name).read_bytes() for name in kept} == kept
    assert sorted(os.listdir(tmp_path / "broken")) == sorted(os.listdir(tmp_path / "whole"))


def crashed(path: Path, crash: int = 9, **options: Any) -> None:
    with pytest.raises(Crash):
        small().fit(*rows(), batch_size=8, epochs=3, verbose=0, callbacks=[BackupAndRestore(path, 1, **options), CrashAt(crash)])


def test_a_checkpoint_is_a_model_file(tmp_path: Path) -> None:
    crashed(tmp_path / "run.ckpt")
    model = load_model(tmp_path / "run.ckpt")
    assert model.optimizer.iterations == 9
    assert model.predict(rows()[0]).shape == (50, 3)
    model.save(tmp_path / "model.safetensors")
    with pytest.raises(FileError, match="no run"):
        small().fit(*rows(), epochs=1, verbose=0, callbacks=[BackupAndRestore(tmp_path / "model.safetensors")])


def test_a_checkpoint_is_probed(tmp_path: Path) -> None:
    path = tmp_path / "run.ckpt"
    crashed(path)
    assert load_model(path).loaded_as == "identical"
    model = small()
    model.fit(*rows(), batch_size=8, epochs=3, verbose=0, callbacks=[BackupAndRestore(path, 1)])
    assert model.loaded_as == "identical"

    class Other(Dense):
        def forward(self, x: Any, training: bool = False) -> Any:
            return super().forward(x * 1.01, training=training)

        def backward(self, dy: Any, saved: Any, input_gradient: bool = True) -> Any:
            return super().backward(dy, saved, input_gradient)

    crashed(path)
    model = Sequential([Other(8, activation="relu", name="dense"), Dropout(0.4), BatchNormalization(), Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    with pytest.warns(UserWarning, match="computes something else than it did then: the first layer whose output differs is 'dense'"):
        model.fit(*rows(), batch_size=8, epochs=3, verbose=0, callbacks=[BackupAndRestore(path, 1)])
    assert model.loaded_as == "different"


def test_the_last_n_and_the_best(tmp_path: Path) -> None:
    path = tmp_path / "run.ckpt"
    crashed(path, keep_last=3)
    counts = [load_model(tmp_path / name).optimizer.iterations for name in ("run.ckpt", "run.ckpt.1", "run.ckpt.2")]
    assert counts == [9, 8, 7]
    assert len(os.listdir(tmp_path)) == 3
    path.write_bytes(path.read_bytes()[:-7])
    backup = BackupAndRestore(path, 1, keep_last=3, keep_best="loss", delete_checkpoint=False)
    with pytest.warns(UserWarning, match="truncated.*checkpoint before"):
        history = small().fit(*rows(), batch_size=8, epochs=3, verbose=0, callbacks=[backup])
    assert history.epoch == [0, 1, 2]
    assert sorted(os.listdir(tmp_path)) == ["run.ckpt", "run.ckpt.1", "run.ckpt.2", "run.ckpt.best"]


def test_other_data_callbacks_or_models_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.ckpt"
    crashed(path)
    for message, x, size, more in (
        ("50 rows in batches of 8.*40 in batches of 8", rows(40), 8, []),
        ("batches of 8.*batches of 4", rows(), 4, []),
        ("callbacks.*EarlyStopping", rows(), 8, [EarlyStopping("loss")]),
    ):
        with pytest.raises(ValueError, match=message):
            small().fit(*x, batch_size=size, epochs=3, verbose=0, callbacks=[*more, BackupAndRestore(path, 1)])
    wider = Sequential([Dense(9), Dropout(0.4), BatchNormalization(), Dense(3, activation="softmax")])
    wider.compile("adam", "sparse_categorical_crossentropy")
    with pytest.raises(FileError, match="shape"):
        wider.fit(*rows(), verbose=0, callbacks=[BackupAndRestore(path)])
    with pytest.raises(FileNotFoundError, match="mkdir"):
        small().fit(*rows(), verbose=0, callbacks=[BackupAndRestore(tmp_path / "missing" / "run.ckpt")])


def test_a_model_of_another_name_takes_the_run_over(tmp_path: Path) -> None:
    ls_core.set_seed(0)
    whole = small()
    whole.fit(*rows(), batch_size=8, epochs=3, verbose=0)
    ls_core.set_seed(0)
    crashed(tmp_path / "run.ckpt")
    other = small()
    assert other.name != whole.name
    other.fit(*rows(), batch_size=8, epochs=3, verbose=0, callbacks=[BackupAndRestore(tmp_path / "run.ckpt", 1)])
    for a, b in zip(whole.get_weights(), other.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()


def test_a_flipped_bit_is_found(tmp_path: Path) -> None:
    path = tmp_path / "run.ckpt"
    crashed(path)
    raw = bytearray(path.read_bytes())
    raw[-1000] ^= 1
    path.write_bytes(raw)
    with pytest.raises(FileError, match="corrupted: the checksum"):
        small().fit(*rows(), batch_size=8, epochs=3, verbose=0, callbacks=[BackupAndRestore(path, 1)])


def test_ctrl_c_keeps_the_checkpoint(tmp_path: Path) -> None:
    class Press(Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if self.model.run.epoch == 1 and batch == 2:
                signal.raise_signal(signal.SIGINT)

    path = tmp_path / "run.ckpt"
    ls_core.set_seed(0)
    small().fit(*rows(), batch_size=8, epochs=3, verbose=0, callbacks=[Press(), BackupAndRestore(path, 1)])
    assert path.exists()
    ls_core.set_seed(0)
    again = small()
    assert again.fit(*rows(), batch_size=8, epochs=3, verbose=0, callbacks=[BackupAndRestore(path, 1)]).epoch == [0, 1, 2]
    ls_core.set_seed(0)
    whole = small()
    whole.fit(*rows(), batch_size=8, epochs=3, verbose=0)
    assert [w.tobytes() for w in again.get_weights()] == [w.tobytes() for w in whole.get_weights()]


def test_packing_keeps_every_kind() -> None:
    tensors: dict[str, np.ndarray] = {}
    value = {
        "none": None,
        "numbers": [1, 2**100, -0.1, float("inf"), float("-inf"), True],
        "arrays": {"a": np.arange(3, dtype="int8"), "scalar": np.float64(0.1), "0-d": np.array(2.5, "float32")},
        "awkward": {"tensor": 1, "float": "x", "dict": []},
    }
    packed = pack(value, "top", tensors)
    found = unpack(packed, tensors.__getitem__)
    assert found["numbers"] == value["numbers"]
    assert found["awkward"] == value["awkward"]
    assert type(found["arrays"]["scalar"]) is np.float64
    assert type(found["arrays"]["0-d"]) is np.ndarray
    assert np.isnan(unpack(pack(float("nan"), "n", tensors), tensors.get))
    for bad in ({1: 2}, {"a": object()}, np.array(["text"]), {"f": len}):
        with pytest.raises(TypeError, match="no file of LS holds"):
            pack(bad, "top", tensors)


# --- assert_resumable --------------------------------------------------------------------------------------


@ls_core.register_serializable()
class Forgetful(ls_core.Layer):
    """Draws from numbers, or counts calls, that no checkpoint knows of."""

    def __init__(self, how: str = "draws", **options: Any) -> None:
        super().__init__(**options)
        self.how, self.calls = how, 0

    def forward(self, x: Any, training: bool = False) -> Any:
        if not training:
            return x, None
        self.calls += 1
        factor = np.random.rand() if self.how == "draws" else 1.0 / self.calls
        return x * factor, factor

    def backward(self, dy: Any, saved: Any) -> Any:
        return dy * saved


def test_a_sound_model_is_resumable_and_unchanged() -> None:
    model = small(Adam(0.01, gradient_accumulation_steps=3))
    model.fit(*rows(), epochs=1, verbose=0)
    before = everything(model, model.history)
    ls_core.assert_resumable(model, rows())
    ls_core.assert_resumable(
        model, rows(), callbacks=lambda: [EarlyStopping("loss"), LearningRateScheduler(lambda epoch, rate: rate * 0.9)]
    )
    ls_core.assert_resumable(model, lambda: DataLoader(ArrayDataset(*rows()), 8, shuffle=True), steps=5)
    assert everything(model, model.history) == before
    texts, labels = ["good fine day", "bad poor day"] * 20, ["plus", "minus"] * 20
    reader = Sequential([Embedding(50, 4), GlobalAveragePooling1D(), Dropout(0.5), Dense(2, activation="softmax")])
    reader.compile("adam", "sparse_categorical_crossentropy")
    ls_core.assert_resumable(reader, (texts, labels))


@pytest.mark.parametrize("how", ["draws", "counts"])
def test_the_layer_that_can_not_be_resumed_is_named(how: str) -> None:
    model = Sequential([Dense(4), Forgetful(how, name="culprit"), Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(
        AssertionError, match=r"in step 1 after the checkpoint the output of Forgetful 'culprit' differs first.*state Parameter"
    ):
        ls_core.assert_resumable(model, rows())


def test_data_and_optimisers_that_can_not_be_resumed_are_named() -> None:
    def noisy() -> Any:
        x, y = rows()
        return (x + np.random.rand(), y)

    with pytest.raises(AssertionError, match="in step 1 after the checkpoint the batch differs first.*random_stream"):
        ls_core.assert_resumable(small(), noisy)
    with pytest.raises(TypeError, match="function that makes it"):
        ls_core.assert_resumable(small(), iter([rows()]))

    class Momentum(SGD):
        """Remembers where no get_state looks."""

        def update(self, value: Any, grad: Any, state: Any, rate: float) -> None:
            self.hidden = getattr(self, "hidden", 0) + 1
            value -= grad * rate / self.hidden

    def make() -> Sequential:
        return small(Momentum(0.1))

    with pytest.raises(AssertionError, match="in step 1 after the checkpoint the weight 'sequential.*' differs first"):
        ls_core.assert_resumable(make, rows())

    class Meddle(Callback):
        """Changes the rate by a count of its own."""

        count = 0

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.count += 1
            self.model.optimizer.learning_rate = 0.1 / self.count

    with pytest.raises(AssertionError, match="in step 1 after the checkpoint the optimizer state 'learning_rate' differs first"):
        ls_core.assert_resumable(small(), rows(), callbacks=lambda: [Meddle()])


# --- memory ------------------------------------------------------------------------------------------------


def resident() -> int:
    """Resident memory of this process in bytes."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="resident memory is read from /proc")
def test_a_thousand_steps_leave_resident_memory_flat(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 500, (1600, 40)), rng.integers(0, 3, 1600)
    model = Sequential([Embedding(500, 32), LSTM(16, dropout=0.1), BatchNormalization(), Dense(3, activation="softmax")])
    model.compile(Adam(0.001, clipnorm=1.0), "sparse_categorical_crossentropy", metrics=["accuracy"])
    sizes: list[int] = []

    class Measure(Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if self.model.optimizer.iterations % 100 == 0:
                sizes.append(resident())

    callbacks = [Measure(), CSVLogger(tmp_path / "log.csv"), BackupAndRestore(tmp_path / "run.ckpt", save_freq=50)]
    model.fit(x, y, batch_size=16, epochs=12, verbose=0, callbacks=callbacks)
    assert len(sizes) == 12
    growth = (sizes[-1] - sizes[1]) / 2**20  # over the last 1,000 steps
    assert growth < 4, f"resident memory grew by {growth:.1f} MiB: {[round(size / 2**20, 1) for size in sizes]}"


CSV_RUN = """
import os, sys
import ls_core
from ls_core.callbacks import Callback
from ls_core.data import CSVDataset, DataLoader
from ls_layers import Dense

class Measure(Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch % 25 == 24:
            pages = int(open("/proc/self/statm").read().split()[1])
            print(pages * os.sysconf("SC_PAGE_SIZE"))

data = CSVDataset(sys.argv[1], features=[f"f{i}" for i in range(10)], label="label", chunk_rows=5000, shuffle_buffer=5000)
model = ls_core.Sequential([Dense(16, activation="relu"), Dense(3, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(DataLoader(data, batch_size=1000), epochs=1, verbose=0, callbacks=[Measure()]).history
assert history["accuracy"][0] > 0.6
# this program's own peak: ru_maxrss would be that of the process that started it, if that was larger
print(next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) * 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="resident memory is read from /proc")
def test_a_csv_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 5000)
    x = rng.normal(size=(5000, 10)) + np.eye(10)[y] * 3
    block = "".join(",".join(f"{v:.6f}" for v in row) + f",{label}\n" for row, label in zip(x.tolist(), y.tolist(), strict=True))
    path = tmp_path / "data.csv"
    with open(path, "w") as file:
        file.write(",".join([*(f"f{i}" for i in range(10)), "label"]) + "\n")
        for _ in range(round(float(os.environ.get("LS_CSV_GB", "0.0193")) * 1e9 / len(block))):  # 40: 200,000 rows
            file.write(block)
    run = subprocess.run([sys.executable, "-c", CSV_RUN, str(path)], capture_output=True, text=True, cwd=ROOT, env=ENVIRONMENT, check=True)
    *sizes, peak = [int(line) / 2**20 for line in run.stdout.split()]
    assert len(sizes) >= 8
    # from batch 50 to batch 200; the rows in between alone would be 11 MiB of float64, and as Python objects more
    assert sizes[-1] - sizes[1] < 6, f"resident MiB: {sizes}"
    assert peak < 500
