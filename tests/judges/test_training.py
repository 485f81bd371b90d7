"""Whole training runs against Keras 3: the same History, number for number, and the same weights at the end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import ls_core
import ls_layers
import ls_optim

from . import keras_judge

pytestmark = pytest.mark.judges

BAR = 1e-8


def both(build: Callable[[Any, Any, Any], Any]) -> tuple[Any, Any]:
    """The same model in both libraries, from the same weights; ``build(layers, Model, Input)`` makes it."""
    ls_core.set_floatx("float64")
    theirs = build(keras.layers, keras.Model, keras.Input)
    ours = build(ls_layers, ls_core.Model, ls_core.Input)
    rng = np.random.default_rng(3)
    weights = [w + 0.1 * rng.normal(size=w.shape) for w in theirs.get_weights()]
    theirs.set_weights(weights)
    ours.set_weights(weights)
    return ours, theirs


def compare(ours: Any, theirs: Any, x: Any, y: Any, **options: Any) -> None:
    a = ours.fit(x, y, shuffle=False, verbose=0, **options).history
    b = theirs.fit(x, y, shuffle=False, verbose=0, **options).history
    assert set(a) == set(b)
    for name, values in b.items():
        error = np.abs(np.array(a[name]) - np.array(values)).max()
        # Keras reports its running means in float32
        assert error < 1e-6 * max(1.0, np.abs(values).max()), (name, a[name], values)
    for mine, wanted in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert keras_judge.relative_error(mine, wanted) < BAR


def mlp(layers: Any, Model: Any, Input: Any, **last: Any) -> Any:
    x = Input((5,))
    h = layers.Dense(7, activation="tanh", kernel_regularizer="l2")(x)
    h = layers.LayerNormalization()(h)
    return Model(x, layers.Dense(3, activation="softmax", **last)(h))


@pytest.mark.parametrize("optimizer", ["SGD", "Adam", "RMSprop", "AdamW", "Adagrad", "Nadam", "Lion"])
@pytest.mark.parametrize("extra", [{}, {"class_weight": {0: 2.0, 1: 0.5, 2: 1.0}}, {"validation_split": 0.25}])
def test_classifier(optimizer: str, extra: dict[str, Any], rng: np.random.Generator) -> None:
    ours, theirs = both(mlp)
    for model, package in ((ours, ls_optim), (theirs, keras.optimizers)):
        model.compile(getattr(package, optimizer)(learning_rate=0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = rng.normal(size=(24, 5)), rng.integers(0, 3, 24)
    compare(ours, theirs, x, y, epochs=4, batch_size=7, **extra)


@pytest.mark.parametrize("loss", ["mse", "mae", "huber", "log_cosh", "mean_squared_logarithmic_error", "poisson"])
def test_regression_with_sample_weights(loss: str, rng: np.random.Generator) -> None:
    def build(layers: Any, Model: Any, Input: Any) -> Any:
        x = Input((4,))
        return Model(x, layers.Dense(2, activation="softplus")(layers.Dense(6, activation="gelu")(x)))

    ours, theirs = both(build)
    for model, package in ((ours, ls_optim), (theirs, keras.optimizers)):
        model.compile(package.SGD(learning_rate=0.05, momentum=0.9, nesterov=True), loss, weighted_metrics=["mse"])
    x, y = rng.normal(size=(20, 4)), rng.uniform(0.1, 2, size=(20, 2))
    compare(ours, theirs, x, y, epochs=3, batch_size=8, sample_weight=rng.uniform(0.5, 2, 20))


def test_text_cnn_with_dense_embedding_updates(rng: np.random.Generator) -> None:
    def build(layers: Any, Model: Any, Input: Any) -> Any:
        x = Input((8,), dtype="int32")
        h = layers.Conv1D(6, 3, padding="same")(layers.Embedding(30, 5)(x))
        h = layers.Flatten()(layers.MaxPooling1D(2)(h))
        return Model(x, layers.Dense(4, activation="softmax")(layers.Dense(5, activation="relu")(h)))

    ours, theirs = both(build)
    ours.compile(ls_optim.Adam(0.01, lazy_rows=False), "sparse_categorical_crossentropy")
    theirs.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    compare(ours, theirs, rng.integers(0, 30, (20, 8)), rng.integers(0, 4, 20), epochs=4, batch_size=6)


@pytest.mark.parametrize("recurrent", ["SimpleRNN", "LSTM", "GRU"])
def test_masked_sequences(recurrent: str, rng: np.random.Generator) -> None:
    def build(layers: Any, Model: Any, Input: Any) -> Any:
        x = Input((6,), dtype="int32")
        h = layers.Embedding(20, 4, mask_zero=True)(x)
        return Model(x, layers.Dense(1, activation="sigmoid")(getattr(layers, recurrent)(5)(h)))

    ours, theirs = both(build)
    ours.compile(ls_optim.Adam(0.01, lazy_rows=False, clipnorm=0.5), "binary_crossentropy")
    theirs.compile(keras.optimizers.Adam(0.01, clipnorm=0.5), "binary_crossentropy")
    ids = rng.integers(1, 20, (12, 6))
    ids[::2, 4:] = 0
    compare(ours, theirs, ids, rng.integers(0, 2, (12, 1)), epochs=3, batch_size=4)


def test_a_masked_loss_over_time(rng: np.random.Generator) -> None:
    def build(layers: Any, Model: Any, Input: Any) -> Any:
        x = Input((6,), dtype="int32")
        h = layers.Embedding(20, 4, mask_zero=True)(x)
        return Model(x, layers.Dense(3, activation="softmax")(layers.GRU(5, return_sequences=True)(h)))

    ours, theirs = both(build)
    for model, package in ((ours, ls_optim), (theirs, keras.optimizers)):
        model.compile(package.SGD(0.1), "sparse_categorical_crossentropy")
    ids = rng.integers(1, 20, (12, 6))
    ids[::2, 4:] = 0
    ours.optimizer.lazy_rows = False
    compare(ours, theirs, ids, rng.integers(0, 3, (12, 6)), epochs=3, batch_size=4)


def test_two_inputs_two_outputs_weighted(rng: np.random.Generator) -> None:
    def build(layers: Any, Model: Any, Input: Any) -> Any:
        a, b = Input((3,), name="a"), Input((2,), name="b")
        shared = layers.Dense(4, activation="tanh")
        joined = layers.Concatenate()([shared(a), layers.Dense(4)(b)])
        kind = layers.Dense(3, activation="softmax", name="kind")(joined)
        value = layers.Dense(1, name="value", activity_regularizer="l2")(layers.Add()([shared(a), layers.Dense(4)(joined)]))
        return Model([a, b], [kind, value])

    ours, theirs = both(build)
    for model, package in ((ours, ls_optim), (theirs, keras.optimizers)):
        model.compile(package.Adam(0.01), ["sparse_categorical_crossentropy", "mse"], loss_weights=[1.0, 0.3])
    x = [rng.normal(size=(16, 3)), rng.normal(size=(16, 2))]
    compare(ours, theirs, x, [rng.integers(0, 3, 16), rng.normal(size=(16, 1))], epochs=3, batch_size=5)


def test_images_with_batch_normalisation(rng: np.random.Generator) -> None:
    def build(layers: Any, Model: Any, Input: Any) -> Any:
        x = Input((6, 6, 2))
        h = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(x)))
        h = layers.GlobalAveragePooling2D()(layers.MaxPooling2D(2)(h))
        return Model(x, layers.Dense(3, activation="softmax")(h))

    ours, theirs = both(build)
    for model in (ours, theirs):
        weights = model.get_weights()
        model.set_weights([np.abs(w) if i == 5 else w for i, w in enumerate(weights)])  # the moving variance
    for model, package in ((ours, ls_optim), (theirs, keras.optimizers)):
        model.compile(package.RMSprop(0.01), "categorical_crossentropy", metrics=["accuracy"])
    x, y = rng.normal(size=(16, 6, 6, 2)), np.eye(3)[rng.integers(0, 3, 16)]
    compare(ours, theirs, x, y, epochs=3, batch_size=8, validation_split=0.25)


class Twins(keras.layers.Layer):
    """Two outputs, and a mask that passes through."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.supports_masking = True

    def call(self, x: Any) -> Any:
        return x, 2 * x


class OurTwins(ls_core.Layer):
    supports_masking = True

    def output_shape(self, input_shape: Any) -> Any:
        return [input_shape, input_shape]

    def forward(self, x: Any, training: bool = False) -> Any:
        return (x, 2 * x), None

    def backward(self, dy: Any, saved: Any) -> Any:
        return sum(scale * each for scale, each in zip((1, 2), dy, strict=True) if each is not None)


@pytest.mark.parametrize("which", [0, 1])
def test_only_the_first_output_of_a_layer_has_its_mask(which: int, rng: np.random.Generator) -> None:
    def build(layers: Any, Model: Any, Input: Any) -> Any:
        x = Input((6,), dtype="int32")
        h = layers.Embedding(20, 4, mask_zero=True)(x)
        twins = (Twins if layers is keras.layers else OurTwins)()(h)
        return Model(x, layers.GRU(5, return_sequences=True)(twins[which]))

    ours, theirs = both(build)
    ours.compile(ls_optim.SGD(0.1, lazy_rows=False), "mse")
    theirs.compile(keras.optimizers.SGD(0.1), "mse")
    ids = rng.integers(1, 20, (12, 6))
    ids[::2, 4:] = 0
    compare(ours, theirs, ids, rng.normal(size=(12, 6, 5)), epochs=3, batch_size=4)


def csv_of(path: Path) -> tuple[list[str], np.ndarray]:
    names, *rows = [line.split(",") for line in path.read_text().splitlines()]
    return names, np.array(rows, dtype=float)


CALLBACKS: dict[str, Callable[[Any], list[Any]]] = {
    "LearningRateScheduler": lambda c: [c.LearningRateScheduler(lambda epoch, rate: rate * (0.5 if epoch else 1.0))],
    "ReduceLROnPlateau": lambda c: [c.ReduceLROnPlateau("val_loss", factor=0.3, patience=1, min_delta=0.05)],
    "EarlyStopping": lambda c: [c.EarlyStopping("val_accuracy", patience=2, restore_best_weights=True, mode="max")],
    "SwapEMAWeights": lambda c: [c.SwapEMAWeights(swap_on_epoch=True)],
    "TerminateOnNaN": lambda c: [c.TerminateOnNaN()],
}


@pytest.mark.parametrize("kind", CALLBACKS)
def test_callbacks(kind: str, tmp_path: Path, rng: np.random.Generator) -> None:
    """The same History, weights and CSV file under each callback."""
    ours, theirs = both(mlp)
    averaged = {"use_ema": True, "ema_momentum": 0.8} if kind == "SwapEMAWeights" else {}
    for model, package in ((ours, ls_optim), (theirs, keras.optimizers)):
        model.compile(package.SGD(learning_rate=0.2, momentum=0.5, **averaged), "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = rng.normal(size=(40, 5)), rng.integers(0, 3, 40)
    histories = []
    for model, callbacks, name in ((ours, ls_core.callbacks, "ours"), (theirs, keras.callbacks, "theirs")):
        given = [*CALLBACKS[kind](callbacks), callbacks.CSVLogger(str(tmp_path / name))]
        fitted = model.fit(x, y, epochs=8, batch_size=8, validation_split=0.25, shuffle=False, verbose=0, callbacks=given)
        histories.append(fitted.history)
    a, b = histories
    assert set(a) == set(b)
    for key, values in b.items():
        np.testing.assert_allclose(a[key], np.array(values, dtype=float), rtol=1e-6, atol=1e-6)
    for mine, wanted in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert keras_judge.relative_error(mine, wanted) < BAR
    (our_names, our_rows), (their_names, their_rows) = csv_of(tmp_path / "ours"), csv_of(tmp_path / "theirs")
    assert our_names == their_names
    np.testing.assert_allclose(our_rows, their_rows, rtol=1e-6, atol=1e-6)


def two_heads(layers: Any, Model: Any, Input: Any) -> Any:
    x = Input((5,), name="x")
    h = layers.Dense(6, activation="tanh")(x)
    kind, value = layers.Dense(3, activation="softmax", name="kind")(h), layers.Dense(1, name="value")(h)
    return Model(x, {"kind": kind, "value": value})


LOSSES = {"kind": "sparse_categorical_crossentropy", "value": "mse"}
COMPILED: dict[str, Callable[[Any], dict[str, Any]]] = {
    "weights": lambda m: {"loss_weights": {"kind": 2.0, "value": 0.3}},
    "metrics by name": lambda m: {"metrics": {"kind": ["accuracy"], "value": ["mae", m.RootMeanSquaredError()]}},
    "one metric alone": lambda m: {"metrics": {"kind": "accuracy"}},
    "weighted metrics": lambda m: {"weighted_metrics": {"kind": ["accuracy"], "value": ["mae"]}, "metrics": {"value": ["mae"]}},
    "one loss alone": lambda m: {"loss": {"kind": "sparse_categorical_crossentropy"}, "metrics": {"kind": ["accuracy"]}},
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", COMPILED)
def test_several_outputs_by_name(kind: str, weighted: bool, rng: np.random.Generator) -> None:
    ours, theirs = both(two_heads)
    for model, package, metrics in ((ours, ls_optim, ls_core.metrics), (theirs, keras.optimizers, keras.metrics)):
        model.compile(**{"optimizer": package.SGD(0.1), "loss": LOSSES, **COMPILED[kind](metrics)})
    x = rng.normal(size=(20, 5))
    y = {"kind": rng.integers(0, 3, 20), "value": rng.normal(size=(20, 1))}
    weights = {"kind": rng.uniform(0.5, 2, 20), "value": rng.uniform(0.5, 2, 20)} if weighted else None
    compare(ours, theirs, x, y, epochs=3, batch_size=8, sample_weight=weights, validation_data=(x, y))


FIT_OPTIONS: list[dict[str, Any]] = [
    {"steps_per_epoch": 2},
    {"steps_per_epoch": 3},
    {"steps_per_epoch": 4},
    {"validation_freq": 2},
    {"initial_epoch": 1},
    {"validation_steps": 1},
    {"validation_batch_size": 3},
    {"batch_size": 40},
]


@pytest.mark.filterwarnings("ignore:.*Your input ran out of data")
@pytest.mark.parametrize("options", FIT_OPTIONS, ids=str)
def test_options_of_fit(options: dict[str, Any], rng: np.random.Generator) -> None:
    ours, theirs = both(mlp)
    for model, package in ((ours, ls_optim), (theirs, keras.optimizers)):
        model.compile(package.SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = rng.normal(size=(20, 5)), rng.integers(0, 3, 20)  # four batches, the last of two rows
    compare(ours, theirs, x, y, **{"epochs": 5, "batch_size": 6, "validation_data": (x[:9], y[:9]), **options})


@pytest.mark.parametrize("steps", [2, 4, None])
def test_batches_of_a_generator_and_of_a_loader(steps: int | None, rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(56, 5)), rng.integers(0, 3, 56)

    class Batches(keras.utils.PyDataset):
        def __len__(self) -> int:
            return 7

        def __getitem__(self, i: int) -> Any:
            return x[i * 8 : i * 8 + 8], y[i * 8 : i * 8 + 8]

    def generator() -> Any:
        for _ in range(9):
            yield from (Batches()[i] for i in range(7))

    loader = ls_core.data.DataLoader(ls_core.data.ArrayDataset(x, y), 8)
    pairs = [(loader, Batches())] if steps is None else [(loader, Batches()), (generator(), generator())]
    for mine, their in pairs:
        ours, theirs = both(mlp)
        for model, package in ((ours, ls_optim), (theirs, keras.optimizers)):
            model.compile(package.SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
        a = ours.fit(mine, epochs=5, steps_per_epoch=steps, verbose=0).history
        b = theirs.fit(their, epochs=5, steps_per_epoch=steps, verbose=0, shuffle=False).history
        for key, values in b.items():
            np.testing.assert_allclose(a[key], np.array(values), rtol=1e-6, atol=1e-7)
        for mine_w, wanted in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            assert keras_judge.relative_error(mine_w, wanted) < BAR


def test_one_batch_at_a_time(rng: np.random.Generator) -> None:
    ours, theirs = both(mlp)
    for model, package in ((ours, ls_optim), (theirs, keras.optimizers)):
        model.compile(package.SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = rng.normal(size=(24, 5)), rng.integers(0, 3, 24)
    for part in (slice(0, 8), slice(8, 16), slice(16, 24)):
        np.testing.assert_allclose(ours.train_on_batch(x[part], y[part]), theirs.train_on_batch(x[part], y[part]), rtol=1e-6)
        np.testing.assert_allclose(ours.test_on_batch(x, y), theirs.test_on_batch(x, y), rtol=1e-6)


def recorder(base: Any) -> Any:
    """A callback of that library which writes down every moment, its number and the names in its logs."""

    class Recorder(base):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.seen: list[Any] = []

    def method(name: str) -> Any:
        def record(self: Any, *arguments: Any, **options: Any) -> None:
            numbers = [a for a in arguments if isinstance(a, int)]
            logs = next((a for a in (*arguments, *options.values()) if a is not None and not isinstance(a, int)), None)
            self.seen.append((name, numbers, sorted(logs) if logs else []))

        return record

    for moment in ("train", "test", "predict"):
        for name in ("begin", "end", "batch_begin", "batch_end"):
            setattr(Recorder, f"on_{moment}_{name}", method(f"{moment} {name}"))
    for name in ("epoch_begin", "epoch_end"):
        setattr(Recorder, f"on_{name}", method(name))
    return Recorder()


def test_callbacks_are_called_at_the_same_moments(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(20, 5)), rng.integers(0, 3, 20)
    found = []
    for model, package, base in zip(
        both(mlp), (ls_optim, keras.optimizers), (ls_core.callbacks.Callback, keras.callbacks.Callback), strict=True
    ):
        model.compile(package.SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
        callback = recorder(base)
        model.fit(x, y, epochs=3, batch_size=8, validation_split=0.2, validation_freq=2, verbose=0, callbacks=[callback])
        model.evaluate(x, y, batch_size=8, verbose=0, callbacks=[callback])
        model.predict(x, batch_size=8, verbose=0, callbacks=[callback])
        found.append(callback.seen)
    ours, theirs = found
    assert [entry[:2] for entry in ours] == [entry[:2] for entry in theirs]
    for a, b in zip(ours, theirs, strict=True):
        assert a[2] == b[2], (a, b)


@pytest.mark.parametrize(
    ("template", "options"),
    [
        ("{epoch:02d}-{loss:.4f}", {}),
        ("{epoch:02d}-{val_loss:.4f}-{val_accuracy:.2f}", {}),
        ("{epoch}-{batch}", {"save_freq": 4}),
        ("{epoch}", {"save_best_only": True}),
        ("{epoch}", {"save_best_only": True, "monitor": "val_accuracy", "mode": "max"}),
        ("{epoch}", {"save_best_only": True, "monitor": "loss", "initial_value_threshold": 1.05}),
    ],
    ids=str,
)
def test_checkpoints_are_written_at_the_same_moments(
    template: str, options: dict[str, Any], tmp_path: Path, rng: np.random.Generator
) -> None:
    x, y = rng.normal(size=(40, 5)), rng.integers(0, 3, 40)
    names = []
    for model, package, kind in zip(both(mlp), (ls_optim, keras.optimizers), (ls_core.callbacks, keras.callbacks), strict=True):
        model.compile(package.SGD(0.4, momentum=0.8), "sparse_categorical_crossentropy", metrics=["accuracy"])
        folder = tmp_path / package.__name__
        folder.mkdir()
        checkpoint = kind.ModelCheckpoint(str(folder / f"{template}.weights.h5"), save_weights_only=True, **options)
        model.fit(x, y, epochs=6, batch_size=8, validation_split=0.25, shuffle=False, verbose=0, callbacks=[checkpoint])
        names.append(sorted(path.name for path in folder.iterdir()))
    assert names[0] == names[1]
    assert names[0]
