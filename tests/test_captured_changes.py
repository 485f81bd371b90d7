"""A captured step is launched only while it is right: what makes its graph worthless, and what keeps a step from being captured."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import ls_core
import ls_layers
import ls_optim
from ls_core import Layer, Sequential
from ls_core.cuda import graph
from ls_core.testing import standin_graph
from ls_core.testing.standin import StandInArray, draws_by_key

from .test_captured_steps import dense_model, launches, noisy, numbers, told

__all__ = ["launches"]


@pytest.fixture(autouse=True)
def _device() -> Iterator[None]:
    with draws_by_key(), ls_core.use_backend("standin"), warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


# --- changes between steps ----------------------------------------------------------------------------------------------------------


LOGITS = ls_core.losses.SparseCategoricalCrossentropy(from_logits=True)


def logits_model() -> Any:
    """Whose outputs metrics get as they come, without a softmax in between."""
    model = regularized()
    model.pop()
    model.add(ls_layers.Dense(3))
    return model


def regularized() -> Any:
    layers = [
        ls_layers.Dense(6, activation="gelu", kernel_regularizer=ls_core.regularizers.L2(0.01), name="first"),
        ls_layers.BatchNormalization(name="norm"),
        ls_layers.Dropout(0.3, name="drop"),
        ls_layers.Dense(3, activation="softmax", name="last"),
    ]
    return Sequential(layers)


def new_value(model: Any) -> None:
    parameter = model.parameters()[0]
    parameter.value = parameter.value * 0.5


def other_dtype(model: Any) -> None:
    model.as_type("float64")


def there_and_back(model: Any) -> None:
    model.to("numpy")
    model.to("standin")


def weights_in_place(model: Any) -> None:
    model.set_weights([w * 0.9 for w in model.get_weights()])


def freeze(model: Any) -> None:
    model.get_layer("first").trainable = False


def compile_again(model: Any) -> None:
    model.compile(ls_optim.SGD(0.1), ls_core.losses.SparseCategoricalCrossentropy(), jit_compile=model._compiled_with["jit_compile"])


def laid_out_anew(model: Any) -> None:
    model.optimizer.set_state(model.optimizer.get_state())


def other_loss(model: Any) -> None:
    model._objective.outputs[0].weight = 0.5


def grown(model: Any) -> None:
    last = model.pop()
    model.add(ls_layers.Dense(4, activation="tanh"))
    model.add(last if last.kernel.shape[0] == 4 else ls_layers.Dense(3, activation="softmax"))


def other_forward(model: Any) -> None:
    layer = model.get_layer("first")
    forward = layer.forward
    layer.__dict__["forward"] = lambda *x, **options: forward(*(each * 2.0 for each in x), **options)


def a_gradient_before(model: Any) -> None:
    for parameter in model.trainable_parameters():
        parameter.accumulate(parameter.value * 0.1)


def attribute(layer: str, name: str, value: Any) -> Callable[[Any], None]:
    return lambda model: setattr(model.get_layer(layer), name, value)


CHANGES: dict[str, tuple[Callable[[Any], Any], int]] = {  # what is done, graphs that are captured in all
    "nothing": (lambda model: None, 1),
    "set_weights": (weights_in_place, 1),
    "set_seed": (lambda model: ls_core.set_seed(77), 1),
    "random state": (lambda model: ls_core.set_random_state(STATE), 1),
    "learning rate": (lambda model: setattr(model.optimizer, "learning_rate", 0.05), 1),
    "a gradient before": (a_gradient_before, 1),
    "a new array": (new_value, 2),
    "another dtype": (other_dtype, 2),
    "another device and back": (there_and_back, 2),
    "frozen": (freeze, 2),
    "compiled again": (compile_again, 2),
    "joined anew": (laid_out_anew, 2),
    "the loss' weight": (other_loss, 2),
    "grown": (grown, 2),
    "another forward": (other_forward, 2),
    "rate": (attribute("drop", "rate", 0.8), 2),
    "seed": (attribute("drop", "seed", 9), 2),
    "name": (attribute("drop", "name", "dropped"), 2),
    "momentum": (attribute("norm", "momentum", 0.5), 2),
    "activation": (lambda model: setattr(model.get_layer("first"), "activation", ls_core.registry.deserialize("activation", "tanh")), 2),
    "deterministic": (lambda model: ls_core.use_deterministic(), 2),
    "references": (lambda model: ls_core.use_references(), 2),
    "matmul precision": (lambda model: ls_core.use_matmul_precision("tf32"), 2),
    "floatx": (lambda model: ls_core.backend.set_floatx("float64"), 2),
}
STATE = ls_core.get_random_state()


@pytest.fixture
def _switches() -> Iterator[None]:
    yield
    ls_core.use_deterministic(False)
    ls_core.use_references(False)
    ls_core.use_matmul_precision("float32")
    ls_core.backend.set_floatx("float32")


@pytest.mark.usefixtures("_switches")
@pytest.mark.parametrize("name", CHANGES)
def test_changes(name: str, launches: list[Any]) -> None:
    change, captured = CHANGES[name]

    def run(jit: bool) -> Any:
        ls_core.use_deterministic(False), ls_core.use_references(False), ls_core.use_matmul_precision("float32")
        ls_core.backend.set_floatx("float32")
        ls_core.set_seed(2)
        model, (x, y) = regularized(), numbers()
        model.compile(ls_optim.Adam(0.01), ls_core.losses.SparseCategoricalCrossentropy(), jit_compile=jit)
        losses = [model.train_on_batch(x, y) for _ in range(5)]
        change(model)
        losses += [model.train_on_batch(x, y) for _ in range(6)]
        return losses, told(model)

    wanted = run(False)
    assert launches == []
    assert run(True) == wanted
    assert len(set(map(id, launches))) == captured
    assert len(launches) >= (9 if captured == 1 else 5) - (name == "a gradient before")


def test_regularizers_that_change(launches: list[Any]) -> None:
    def run(jit: bool) -> Any:
        ls_core.set_seed(2)
        model, (x, y) = regularized(), numbers()
        model.compile("adam", "sparse_categorical_crossentropy", jit_compile=jit)
        losses = []
        for i in range(12):
            if i == 6:
                factors = vars(model.get_layer("first").kernel.regularizer)
                factors.update(dict.fromkeys(factors, 0.5))
            losses.append(model.train_on_batch(x, y))
        return losses, told(model)

    assert run(True) == run(False)
    assert len(set(map(id, launches))) == 2


def test_a_file_of_weights(tmp_path: Any, launches: list[Any]) -> None:
    other, x, y = noisy()
    other.compile("adam", "sparse_categorical_crossentropy")
    other.fit(x, y, verbose=0)
    other.save_weights(tmp_path / "weights.ls")

    def run(jit: bool) -> Any:
        ls_core.set_seed(2)
        model, x, y = noisy()
        model.compile("adam", "sparse_categorical_crossentropy", jit_compile=jit)
        losses = [model.train_on_batch(x, y) for _ in range(5)]
        model.load_weights(tmp_path / "weights.ls")
        losses += [model.train_on_batch(x, y) for _ in range(5)]
        return losses, told(model)

    assert run(True) == run(False)
    assert len(launches) >= 6


def test_sample_weights_that_come_and_go(launches: list[Any]) -> None:
    def run(jit: bool) -> Any:
        ls_core.set_seed(2)
        model, x, y = noisy()
        model.compile("adam", "sparse_categorical_crossentropy", jit_compile=jit)
        weights = np.linspace(0.1, 2.0, len(x), dtype="float32")
        return [model.train_on_batch(x, y, sample_weight=weights if i % 2 else None) for i in range(10)], told(model)

    assert run(True) == run(False)
    assert len(set(map(id, launches))) == 2


def test_what_changes_again_and_again() -> None:
    model, x, y = noisy()
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=True)

    def steps() -> None:
        for i in range(60):
            if i % 3 == 0:
                model.layers[1].rate = 0.1 + i / 1000
            model.train_on_batch(x, y)

    with pytest.warns(UserWarning, match="'rate' of Dropout 'dropout' changes again and again"):
        steps()
    assert model._graphs is not None
    assert model._graphs.given_up


# --- arrays that somebody keeps ---------------------------------------------------------------------------------------------------------


class Keeper(ls_core.metrics.Metric):
    """Keeps the outputs that it is shown, without a copy."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.seen: list[Any] = []

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self.seen.append(y_pred)

    def result(self) -> Any:
        return np.float64(sum(float((each.astype("float64") ** 2).sum()) for each in self.seen))

    def reset_state(self) -> None:
        self.seen = []


class Remembers(ls_optim.SGD):
    """Its update keeps the gradient itself."""

    elementwise = False

    def make_state(self, value: Any) -> Any:
        return {"last": value * 0.0}

    def update(self, value: Any, grad: Any, state: Any, rate: float) -> None:
        value -= rate * (grad + 0.5 * state["last"])
        state["last"] = grad


def view_keeper(kept: list[Any]) -> Callable[[Any], None]:
    return lambda parameters: kept.append([p.grad.reshape(-1)[1:] for p in parameters if p.grad is not None])


@pytest.mark.parametrize("who", ["metric", "optimizer", "watcher", "view"])
def test_arrays_that_somebody_keeps_are_not_written_to(who: str, launches: list[Any]) -> None:
    def run(jit: bool) -> Any:
        ls_core.set_seed(2)
        model, (x, y) = logits_model(), numbers()
        kept: list[Any] = []
        metrics = [Keeper(name="kept")] if who == "metric" else None
        model.compile(Remembers(0.1) if who == "optimizer" else "adam", LOGITS, metrics=metrics, jit_compile=jit)
        if who == "watcher":
            model.gradient_watchers = (lambda parameters: kept.append([p.grad for p in parameters if p.grad is not None]),)
        if who == "view":
            model.gradient_watchers = (view_keeper(kept),)
        history = model.fit(x, y, batch_size=4, epochs=4, verbose=0)
        return told(model, history), [[ls_core.to_host(g).tobytes() for g in each] for each in kept]

    assert run(True) == run(False)
    assert len(launches) >= 5  # of a step that gives copies


# --- what can't be captured -----------------------------------------------------------------------------------------------------------


class OwnProduct(Layer):
    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight((input_shape[-1], input_shape[-1]), name="kernel")

    def forward(self, x: Any, training: bool = False) -> Any:
        return x @ self.kernel.value, x

    def backward(self, dy: Any, saved: Any) -> Any:
        self.kernel.accumulate(saved.T @ dy)
        return dy @ self.kernel.value.T


class Passing(Layer):
    """Does something on the way."""

    def act(self, x: Any) -> Any:
        return x

    def forward(self, x: Any, training: bool = False) -> Any:
        return self.act(x) if training else x, None

    def backward(self, dy: Any, saved: Any) -> Any:
        return dy


class Waits(Passing):
    def act(self, x: Any) -> Any:
        return x * (2.0 if float(x.sum()) > 1e9 else 1.0)


class Uploads(Passing):
    def act(self, x: Any) -> Any:
        return x * ls_core.get_xp(x).asarray(np.ones(6, "float32"))


class Factor(Passing):
    """Reads a number of the host's."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.factor = np.array(1.5)

    def act(self, x: Any) -> Any:
        return x * float(self.factor)


def test_numbers_of_the_host_that_change_in_place(launches: list[Any]) -> None:
    def run(jit: bool) -> Any:
        ls_core.set_seed(2)
        model, x, y = dense_model(Factor)()
        model.compile("adam", "sparse_categorical_crossentropy", jit_compile=jit)
        losses = []
        for i in range(12):
            if i == 6:
                model.layers[1].factor[...] = 0.2
            losses.append(model.train_on_batch(x, y))
        return losses, told(model)

    assert run(True) == run(False)
    assert len(set(map(id, launches))) == 2


class DrawsOnTheHost(Passing):
    def act(self, x: Any) -> Any:
        return x * float(self.stream("factor").generator.random())


class Counts(Passing):
    steps = 0

    def act(self, x: Any) -> Any:
        self.steps += 1
        return x * (1.0 + self.steps / 100)


class Collects(Passing):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.shapes: list[Any] = []

    def act(self, x: Any) -> Any:
        self.shapes.append(x.shape)
        return x * (1.0 + len(self.shapes) / 100)


class Replaces(Passing):
    """A moving sum in a new array each time."""

    def build(self, input_shape: Any) -> None:
        self.sum = self.add_weight((6,), "zeros", state=True, name="sum")

    def act(self, x: Any) -> Any:
        self.sum.value = self.sum.value + x.mean(axis=0)
        return x


class DrawsAtWill(Passing):
    """Draws more and more."""

    def build(self, input_shape: Any) -> None:
        self.calls = [0]

    def act(self, x: Any) -> Any:
        self.calls[0] += 1
        for _ in range(self.calls[0]):
            x = x + self.stream("noise").normal(x.shape, x.dtype, like=x) * 0.1
        return x


class JoinsMany(Passing):
    def act(self, x: Any) -> Any:
        return ls_core.get_xp(x).concatenate([x[:, i % 6 : i % 6 + 1] for i in range(12)], axis=1)[:, :6]


class MeetsCUDA(Passing):
    def act(self, x: Any) -> Any:
        if standin_graph.CUDA.get_current_stream().is_capturing():
            standin_graph.CUDA.get_current_stream().synchronize()
        return x


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "a product of CuPy's": (OwnProduct, r"in OwnProduct 'own_product': NotImplementedError: calling cuBLAS API.*ls_core\.matmul\(a, b\)"),
    "a wait": (Waits, r"in Waits 'waits': RuntimeError: the current stream is capturing"),
    "a copy from the host": (Uploads, r"in Uploads 'uploads': RuntimeError: 24 bytes are copied from the host"),
    "many arrays joined": (JoinsMany, r"in JoinsMany 'joins_many': RuntimeError: .* bytes are copied .* nine arrays or more"),
    "a draw on the host": (DrawsOnTheHost, r"in DrawsOnTheHost 'draws_on_the_host': .*random stream '.*/factor' draws on the host"),
    "a count": (Counts, r"'steps' of Counts 'counts' changes within the step"),
    "a list that grows": (Collects, r"'shapes' of Collects 'collects' changes within the step"),
    "a state in new arrays": (Replaces, r"parameter '.*/sum' changes within the step"),
    "ever more draws": (DrawsAtWill, r"random stream '.*/noise' draws more often than in the steps before"),
    "an error of CUDA's": (MeetsCUDA, r"in MeetsCUDA 'meets_cuda': CUDARuntimeError: cudaErrorStreamCaptureUnsupported"),
    "noise of the host": (lambda: ls_layers.RandomCrop(5, 5), "random stream"),
}


def refused_model(name: str) -> tuple[Any, Any, Any]:
    if name == "noise of the host":
        g = np.random.default_rng(0)
        layers = [
            ls_layers.Conv2D(2, 3),
            REFUSED[name][0](),
            ls_layers.BatchNormalization(),
            ls_layers.Flatten(),
            ls_layers.Dense(3, "softmax"),
        ]
        return Sequential(layers), g.normal(size=(8, 9, 9, 1)).astype("float32"), g.integers(0, 3, 8)
    first, drop = ls_layers.Dense(6, activation="relu"), ls_layers.Dropout(0.3)
    layers = [
        first,
        drop,
        ls_layers.BatchNormalization(),
        REFUSED[name][0](),
        ls_layers.Dropout(0.2),
        ls_layers.Dense(3, activation="softmax"),
    ]
    return (Sequential(layers), *numbers())


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_captured_runs_as_ever(name: str, launches: list[Any]) -> None:
    """One warning that says why; nothing is half done."""

    def run(jit: bool) -> Any:
        ls_core.set_seed(2)
        model, x, y = refused_model(name)
        model.compile(ls_optim.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=jit)
        return told(model, model.fit(x, y, batch_size=4, epochs=4, verbose=0))

    wanted = run(False)
    with pytest.warns(
        UserWarning, match=f"(?s)is not captured in a CUDA graph and runs as without jit_compile=True, since .*{REFUSED[name][1]}"
    ) as said:
        got = run(True)
    assert len(said) == 1
    assert got == wanted
    assert launches == []


def test_a_stateful_rnn() -> None:
    def run(jit: bool) -> Any:
        ls_core.set_seed(2)
        g = np.random.default_rng(0)
        model = Sequential([ls_layers.LSTM(4, stateful=True), ls_layers.Dropout(0.2), ls_layers.Dense(3, activation="softmax")])
        model.compile("adam", "sparse_categorical_crossentropy", jit_compile=jit)
        x, y = g.normal(size=(12, 5, 3)).astype("float32"), g.integers(0, 3, 12)
        return told(model, model.fit(x, y, batch_size=4, epochs=3, verbose=0, shuffle=False)), [
            ls_core.to_host(p.value).tobytes() for p in model.layers[0].states
        ]

    with pytest.warns(UserWarning, match="'states' of LSTM 'lstm' changes within the step"):
        got = run(True)
    assert got == run(False)


def test_an_interrupt_in_a_capture_leaves_all_as_it_was(launches: list[Any]) -> None:
    class Interrupts(Passing):
        def act(self, x: Any) -> Any:
            if standin_graph.CUDA.get_current_stream().is_capturing():
                raise KeyboardInterrupt
            return x

    model, x, y = dense_model(Interrupts)()
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=True)
    for _ in range(graph.WARM_UP):
        model.train_on_batch(x, y)
    before = told(model)
    with pytest.raises(KeyboardInterrupt):
        model.train_on_batch(x, y)
    assert told(model) == before
    assert not standin_graph.CUDA.get_current_stream().is_capturing()
    assert all(p.grad is None for p in model.parameters())


def test_two_models_share_the_stream_and_no_memory(launches: list[Any]) -> None:
    def run(jit: bool) -> Any:
        ls_core.set_seed(2)
        models = [noisy() for _ in range(2)]
        for model, _, _ in models:
            model.compile("adam", "sparse_categorical_crossentropy", jit_compile=jit)
        for _ in range(6):
            for model, x, y in models:
                model.train_on_batch(x, y)
        return [told(model) for model, _, _ in models]

    assert run(True) == run(False)
    assert len(launches) == 2 * (6 - graph.WARM_UP)


# --- what would be wrong shows --------------------------------------------------------------------------------------------------------


def no_keys(patch: pytest.MonkeyPatch) -> None:
    """Keys are drawn, and stay those of the first step."""
    fill, filled = ls_core.random.KeyedDraws.fill, []

    def once(self: Any) -> None:
        if self not in filled:
            filled.append(self)
            fill(self)
        else:
            [ls_core.random.random_stream(*s.found_by).key() for s in self.draws]

    patch.setattr(ls_core.random.KeyedDraws, "fill", once)


def no_batch(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(StandInArray, "__setitem__", _unless_called_by("launch", StandInArray.__setitem__))


def _unless_called_by(name: str, function: Any) -> Any:
    import sys

    def call(*args: Any) -> None:
        if sys._getframe(1).f_code.co_name != name:
            function(*args)

    return call


def no_gradients(patch: pytest.MonkeyPatch) -> None:
    """Those of the step before, kept as copies."""
    launch, kept = graph.Step.launch, []

    def stale(self: Any, model: Any, batch: Any) -> Any:
        found = launch(self, model, batch)
        if not kept:
            kept.extend((p, p.grad.copy()) for p in model._all_parameters if p.grad is not None)
        for p, gradient in kept:
            p.grad = gradient
        return found

    patch.setattr(graph.Step, "launch", stale)


def optimiser_within(patch: pytest.MonkeyPatch) -> None:
    """The update is captured too, and with it the learning rate."""
    find = ls_core.Sequential.find_gradients
    apply = ls_optim.Adam.apply

    def all_of_it(self: Any, *batch: Any) -> Any:
        found = find(self, *batch)
        if standin_graph.CUDA.get_current_stream().is_capturing():
            grads = [(p, p.grad) for p in self._all_parameters]
            apply(self.optimizer, self._all_parameters)
            self.optimizer._steps -= 1
            for p, g in grads:
                p.grad = g
        return found

    def counted(self: Any, parameters: Any) -> None:
        if any(s.graph is not None for s in MODEL[0]._graphs._steps.values()):
            self._steps += 1
            for p in parameters:
                p.drop_grad()
        else:
            apply(self, parameters)

    patch.setattr(ls_core.Sequential, "find_gradients", all_of_it)
    patch.setattr(ls_optim.Adam, "apply", counted)


def no_events(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(standin_graph.Stream, "wait_event", lambda *_: None)


def no_pool(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(standin_graph.CUDA, "using_allocator", lambda allocator: contextlib.nullcontext())


def no_watch(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(graph.Watch, "unchanged", lambda *_: True)


def no_guard(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(graph.Step, "somebody_keeps_what_it_gave", lambda *_: False)


def no_copies_for_accumulation(patch: pytest.MonkeyPatch) -> None:
    no_guard(patch)
    patch.setattr(graph, "_copy", lambda array: array)


def host_keys(patch: pytest.MonkeyPatch) -> None:
    """Draws in a captured step take their keys as arguments."""
    patch.setattr(
        ls_core.random.KeyedDraws, "uniform", lambda self, stream, backend, shape, dtype: backend.uniform(stream._generator, shape, dtype)
    )


MODEL: list[Any] = []
MUTANTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    name: mutant for name, mutant in list(globals().items()) if name.startswith(("no_", "optimiser_", "host_")) and callable(mutant)
}


@pytest.mark.parametrize("name", [None, *MUTANTS])
def test_mutants_are_caught(name: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that forgets one thing gives other bits, or an error of the stand-in device."""
    x, y = numbers(20)

    def run(jit: bool) -> Any:
        ls_core.set_seed(2)
        model = logits_model()
        MODEL[:] = [model]
        steps = 3 if name == "no_copies_for_accumulation" else None
        update = ls_optim.Adam(ls_optim.schedules.CosineDecay(0.05, 30), gradient_accumulation_steps=steps)
        model.compile(update, LOGITS, metrics=[Keeper(name="kept")] if name == "no_guard" else None, jit_compile=jit)
        losses = [model.train_on_batch(x[i % 5 : i % 5 + 4], y[i % 5 : i % 5 + 4]) for i in range(8)]
        if name == "no_guard":
            losses += model.fit(x, y, batch_size=4, epochs=2, verbose=0).history["kept"]
        model.get_layer("drop").rate = 0.9
        losses += [model.train_on_batch(x[i % 5 : i % 5 + 4], y[i % 5 : i % 5 + 4]) for i in range(4)]
        return losses, told(model)

    wanted = run(False)
    if name is None:
        assert run(True) == wanted
        return
    MUTANTS[name](monkeypatch)
    try:
        got = run(True)
    except standin_graph.StreamOrderError:
        return
    assert got != wanted
