"""``compile(jit_compile=True)``: captured training gives the bits of uncaptured training, and a graph is launched only while it is right.

On the stand-in device, whose streams capture as CUDA's do (ls_core/testing/standin_graph.py); the same on a GPU: test_gpu.py.
"""

from __future__ import annotations

import contextlib
import copy
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import ls_core
import ls_layers
import ls_optim
from benchmarks import workloads
from benchmarks.workloads import WORKLOADS, Workload
from ls_core import Input, Model, Sequential
from ls_core.cuda import graph
from ls_core.losses import SparseCategoricalCrossentropy
from ls_core.testing import standin_graph
from ls_core.testing.cuda_emulator import compiler, cuda_kernels
from ls_core.testing.standin import draws_by_key, host_syncs

KERNELS: dict[str, Callable[[], Any]] = {"references": contextlib.nullcontext, "kernels": cuda_kernels}


@pytest.fixture(autouse=True)
def _device() -> Iterator[None]:
    with draws_by_key(), ls_core.use_backend("standin"), warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.fixture(params=sorted(KERNELS))
def computed(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "kernels" and compiler() is None:
        pytest.skip("no C++ compiler: g++ (or $CXX) runs the CUDA sources on the CPU")
    with KERNELS[request.param]():
        yield request.param


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The graphs launched so far."""
    found: list[Any] = []
    launch = standin_graph.Graph.launch

    def counted(self: Any, stream: Any = None) -> None:
        found.append(self)
        launch(self, stream)

    monkeypatch.setattr(standin_graph.Graph, "launch", counted)
    return found


Make = Callable[[], tuple[Any, Any, Any]]  # an uncompiled model, inputs, targets
Told = dict[str, Any]


def told(model: Any, history: Any = None) -> Told:
    """All that training leaves: numbers and random streams, bit for bit."""
    return {
        "weights": [w.tobytes() for w in model.get_weights()],
        "optimizer": {name: array.tobytes() for name, array in model.optimizer.get_state().items()},
        "random": ls_core.get_random_state(),
        "history": None if history is None else history.history,
    }


def fitted(make: Make, jit: bool, compiled: dict[str, Any] | None = None, **options: Any) -> Told:
    ls_core.set_seed(5)
    model, x, y = make()
    given = {"optimizer": ls_optim.Adam(0.01), "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"], **(compiled or {})}
    given = {name: value() if callable(value) else value for name, value in given.items()}
    model.compile(**given, jit_compile=jit)
    history = model.fit(x, y, **{"batch_size": 4, "epochs": 4, "verbose": 0, **options})
    return told(model, history)


def same_bits(make: Make, launches: list[Any], compiled: dict[str, Any] | None = None, **options: Any) -> int:
    """-> how many steps were launches of graphs."""
    wanted = fitted(make, False, compiled, **options)
    assert launches == []
    got = fitted(make, True, compiled, **options)
    assert got["history"] == wanted["history"]
    assert got == wanted
    assert launches
    return len(launches)


def numbers(n: int = 16, columns: int = 5) -> tuple[np.ndarray, np.ndarray]:
    g = np.random.default_rng(0)
    return g.normal(size=(n, columns)).astype("float32"), g.integers(0, 3, n)


def dense_model(*layers: Any, rows: int = 16) -> Make:
    def make() -> tuple[Any, Any, Any]:
        inner = [layer() for layer in layers]
        return (Sequential([ls_layers.Dense(6, activation="relu"), *inner, ls_layers.Dense(3, activation="softmax")]), *numbers(rows))

    return make


plain = dense_model()
noisy = dense_model(
    lambda: ls_layers.Dropout(0.3),
    ls_layers.BatchNormalization,
    lambda: ls_layers.GaussianNoise(0.1),
    lambda: ls_layers.AlphaDropout(0.2, seed=3),
    lambda: ls_layers.GaussianDropout(0.2),
)


# --- the same bits ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", [None, "bfloat16"])
@pytest.mark.parametrize("work", WORKLOADS, ids=[work.name.split(",")[0] for work in WORKLOADS])
def test_workloads(work: Workload, precision: str | None, computed: str, launches: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    if precision is not None:
        pytest.importorskip("ml_dtypes", reason="bfloat16 needs ml_dtypes, the extra bf16")
    monkeypatch.setattr(workloads, "DEPTH", 1)  # the GPT's blocks and tokens
    monkeypatch.setattr(workloads, "LENGTH", 8)
    g = np.random.default_rng(0)
    x, y = work.inputs(g)[:1], work.targets(g)[:1]
    if work.name.startswith("GPT"):
        x, y = x[:, :8], y[:, :8]
    if computed == "references" and x.dtype.kind == "i":
        pytest.skip("the references' sum of an Embedding's gradient waits for the device; there is a kernel for it")

    def steps(jit: bool) -> tuple[Told, list[Any]]:
        ls_core.set_seed(0)
        model = work.make()
        loss = SparseCategoricalCrossentropy(from_logits=work.from_logits)
        model.compile(ls_optim.Adam(0.001), loss, metrics=["accuracy"], mixed_precision=precision, jit_compile=jit)
        losses = [model.train_on_batch(x, y) for _ in range(4)]
        return told(model), losses

    assert steps(True) == steps(False)
    assert len(launches) == 2


def masked() -> tuple[Any, Any, Any]:
    g = np.random.default_rng(0)
    ids = g.integers(1, 20, (12, 8))
    ids[:, 6:] = 0
    layers = [
        ls_layers.Embedding(20, 6, mask_zero=True),
        ls_layers.SpatialDropout1D(0.2),
        ls_layers.Bidirectional(ls_layers.LSTM(5, return_sequences=True, dropout=0.1, recurrent_dropout=0.1)),
        ls_layers.BatchNormalization(),
        ls_layers.GRU(5, kernel_regularizer="l2"),
        ls_layers.GaussianNoise(0.1),
        ls_layers.Dense(4, activation="gelu", activity_regularizer="l1", kernel_constraint="max_norm"),
        ls_layers.AlphaDropout(0.1),
        ls_layers.Dense(3, activation="softmax"),
    ]
    return Sequential(layers), ids, g.integers(0, 3, 12)


OPTIONS: dict[str, dict[str, Any]] = {
    "clipnorm": {"clipnorm": 1.0},
    "clipvalue": {"clipvalue": 0.5},
    "global_clipnorm": {"global_clipnorm": 1.0},
    "averages": {"use_ema": True, "ema_overwrite_frequency": 3},
    "accumulation": {"gradient_accumulation_steps": 3},
    "decay, dense rows": {"weight_decay": 0.01, "lazy_rows": False},
    "a schedule": {"learning_rate": ls_optim.schedules.CosineDecay(0.05, 10)},
}


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("optimizer", ["Adam", "SGD"])
def test_masks_and_optimisers(name: str, optimizer: str, computed: str, launches: list[Any]) -> None:
    compiled = {
        "optimizer": lambda: getattr(ls_optim, optimizer)(**{"learning_rate": 0.01, **OPTIONS[name]}),
        "metrics": lambda: ["accuracy", ls_core.metrics.SparseTopKCategoricalAccuracy(k=2)],
        "weighted_metrics": ["sparse_categorical_crossentropy"],
    }
    if computed == "kernels" and optimizer == "Adam" and name in ("accumulation", "decay, dense rows", "a schedule"):
        assert same_bits(masked, launches, compiled, epochs=3, sample_weight=np.linspace(0.5, 1.5, 12, dtype="float32")) >= 6
    else:  # the references' Embedding waits
        assert same_bits(noisy, launches, compiled, sample_weight=np.linspace(0.5, 1.5, 16, dtype="float32")) >= 10


def test_several_inputs_and_outputs(launches: list[Any]) -> None:
    g = np.random.default_rng(0)
    data = {"a": g.normal(size=(12, 4)).astype("float32"), "b": g.normal(size=(12, 3)).astype("float32")}
    targets = {"kind": g.integers(0, 2, 12), "size": g.normal(size=(12, 1)).astype("float32")}

    def make() -> tuple[Any, Any, Any]:
        a, b = Input((4,), name="a"), Input((3,), name="b")
        h = ls_layers.Concatenate()([ls_layers.Dense(5, activation="tanh")(a), ls_layers.Dropout(0.3)(b)])
        outputs = {"kind": ls_layers.Dense(2, activation="softmax", name="kind")(h), "size": ls_layers.Dense(1, name="size")(h)}
        return Model({"a": a, "b": b}, outputs), data, targets

    compiled = {
        "loss": {"kind": "sparse_categorical_crossentropy", "size": "huber"},
        "loss_weights": {"kind": 1.0, "size": 0.5},
        "metrics": {"kind": ["accuracy"], "size": ["mae"]},
    }
    assert same_bits(make, launches, compiled) == 3 * 4 - graph.WARM_UP


@pytest.mark.parametrize(
    "layer",
    [
        lambda: ls_layers.Dense(4, kernel_regularizer="l1_l2", bias_regularizer="l2"),
        lambda: ls_layers.Dense(4, activity_regularizer="l2"),
        lambda: ls_layers.SpectralNormalization(ls_layers.Dense(4)),
        lambda: ls_core.Recompute(
            Sequential([ls_layers.Dense(5), ls_layers.Dropout(0.4), ls_layers.BatchNormalization(), ls_layers.Dropout(0.1)])
        ),
        lambda: ls_layers.UnitNormalization(),
        lambda: ls_layers.LayerNormalization(),
        lambda: ls_layers.PReLU(),
    ],
    ids=["regularizers", "activity", "spectral", "recompute", "unit", "layer", "prelu"],
)
def test_layers_that_do_more(layer: Callable[[], Any], launches: list[Any]) -> None:
    assert same_bits(dense_model(layer), launches) == 4 * 4 - graph.WARM_UP


def test_a_partial_batch_and_validation(launches: list[Any]) -> None:
    """Two shapes are captured, and what is validated between epochs runs beside them."""
    x, y = numbers(7)
    count = same_bits(dense_model(lambda: ls_layers.Dropout(0.3), rows=18), launches, epochs=5, validation_data=(x, y))
    assert count == 5 * 5 - 2 * graph.WARM_UP
    assert len(set(map(id, launches))) == 2


def test_a_third_shape_runs_as_ever(launches: list[Any]) -> None:
    def run(jit: bool) -> Told:
        ls_core.set_seed(0)
        model, x, y = noisy()
        model.compile("adam", "sparse_categorical_crossentropy", jit_compile=jit)
        for i in range(24):
            model.train_on_batch(x[: 4 + i % 3], y[: 4 + i % 3])
        return told(model)

    assert run(False) == run(True)
    assert len(launches) == 2 * (8 - graph.WARM_UP)


def test_predict_and_evaluate_between_steps(launches: list[Any]) -> None:
    def run(jit: bool) -> Any:
        ls_core.set_seed(0)
        model, x, y = noisy()
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=jit)
        found = []
        for _ in range(6):
            found += [model.train_on_batch(x, y), model.predict(x, verbose=0).tobytes(), model.evaluate(x, y, verbose=0)]
        return found, told(model)

    assert run(False) == run(True)
    assert len(launches) == 6 - graph.WARM_UP


def test_class_weights_and_callbacks_that_watch_gradients(launches: list[Any]) -> None:
    reports = []

    def watched() -> list[Any]:
        reports.append(ls_core.callbacks.ParameterStatistics(every=2))
        return [reports[-1]]

    def run(jit: bool) -> Told:
        return fitted(noisy, jit, callbacks=watched(), class_weight={0: 1.0, 1: 2.0, 2: 0.5})

    assert run(False) == run(True)
    assert launches
    assert reports[0].reports == reports[1].reports


def test_a_resumed_run(tmp_path: Any, launches: list[Any]) -> None:
    """From a checkpoint in the middle of an epoch, captured again from there."""

    class Stop(ls_core.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if self.model.run.epoch == 2 and batch == 1:
                self.model.run.save(tmp_path / "run.ls")
                self.model.stop_training = True

    def run(epochs: int, jit: bool, *callbacks: Any) -> Told:
        ls_core.set_seed(5)
        model, x, y = noisy()
        model.compile(ls_optim.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=jit)
        history = model.fit(x, y, batch_size=4, epochs=epochs, verbose=0, callbacks=list(callbacks))
        return told(model, history)

    class Resume(ls_core.callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            self.model.run.restore(tmp_path / "run.ls")

    wanted = run(5, False)
    run(5, True, Stop())
    before = len(launches)
    assert before
    got = run(5, True, Resume())
    assert len(launches) > before
    assert got["weights"] == wanted["weights"]
    assert got["random"] == wanted["random"]


# --- no wait, no copy ---------------------------------------------------------------------------------------------------------------


def test_a_launch_makes_nobody_wait() -> None:
    model, x, y = noisy()
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=True)
    placed, target = (ls_core.to_device(x),), ls_core.to_device(y)
    model._prepare(placed, training=True)
    tracker = ls_core.tracking.LossTracker(model._objective)
    with host_syncs() as waits:
        for _ in range(5):
            model.train_step(placed, target, None, tracker)
    assert waits == []
    assert model._graphs._steps


def test_numpy_knows_nothing_of_it() -> None:
    with ls_core.use_backend("numpy"):
        assert fitted(plain, True) == fitted(plain, False)


@pytest.mark.parametrize("value", ["auto", False, None])
def test_not_asked_for(value: Any, launches: list[Any]) -> None:
    fitted(plain, value)
    assert launches == []


def test_other_values_are_refused() -> None:
    with pytest.raises(ValueError, match="jit_compile is True, False or 'auto', not 'yes'"):
        plain()[0].compile("adam", "mse", jit_compile="yes")


def test_float16_is_not_captured(launches: list[Any]) -> None:
    assert fitted(plain, True, {"mixed_precision": "float16"}) == fitted(plain, False, {"mixed_precision": "float16"})
    assert launches == []


def test_a_copy_and_a_file_of_the_model_capture_for_themselves(tmp_path: Any, launches: list[Any]) -> None:
    model, x, y = noisy()
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=True)
    for _ in range(4):
        model.train_on_batch(x, y)
    twin = copy.deepcopy(model)
    model.save(tmp_path / "model.ls")
    loaded = ls_core.load_model(tmp_path / "model.ls")
    count = len(launches)
    for each in (twin, loaded):
        assert each._graphs is not model._graphs
        for _ in range(4):
            each.train_on_batch(x, y)
        assert len(launches) == count + 2
        count = len(launches)
