"""Small Parameters are updated side by side: the same bits as one by one, fewer calls, and no array that somebody replaced."""

from __future__ import annotations

import contextlib
import copy
import gc
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import ls_core
import ls_optim
from ls_core import Parameter, RowGradient, Sequential
from ls_core.constraints import NonNeg
from ls_core.summary import cache_bytes, owner
from ls_core.testing import cuda_emulator
from ls_core.testing.standin import host_syncs
from ls_core.threads import thread_count
from ls_layers import BatchNormalization, Dense
from ls_optim import SGD, Adam, Optimizer, flat
from ls_optim.accelerated.updates_numpy import BLOCK

from .launches import launches

NAMES = sorted(name for name, thing in vars(ls_optim).items() if isinstance(thing, type) and name != "Optimizer")
JOINING = [name for name in NAMES if getattr(ls_optim, name).elementwise and name != "Muon"]
TIERS = ["references", "numpy", "numba"]


@contextlib.contextmanager
def tier(name: str) -> Iterator[None]:
    if name == "numba":
        pytest.importorskip("numba")
    with ls_core.use_references(name == "references"), ls_core.use_accelerator(name == "numba"):
        yield


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """Within, no Parameter is small enough to be joined."""

    @contextlib.contextmanager
    def alone() -> Iterator[None]:
        with monkeypatch.context() as patch:
            patch.setitem(flat.LARGEST, np.ndarray, -1)
            patch.setattr(flat, "LARGEST_ON_DEVICE", -1)
            yield

    return alone


def count_calls(optimizer: Any) -> list[tuple[int, ...]]:
    """The shape of each value that ``update`` gets, from now on."""
    shapes: list[tuple[int, ...]] = []
    update = optimizer.update

    def counting(value: Any, grad: Any, state: Any, rate: float) -> None:
        shapes.append(value.shape)
        update(value, grad, state, rate)

    optimizer.update = counting
    return shapes


SHAPES = {
    "kernel": (40, 30),
    "bias": (30,),
    "wide": (96, 90),
    "filters": (3, 5, 7),
    "gain": (),
    "beta": (7,),
    "table": (50, 6),
}


def table(dtype: str = "float32", seed: int = 0) -> list[Parameter]:
    """Parameters of which 'wide' is too large to be joined, and which together are larger than a block of the NumPy tier."""
    rng = np.random.default_rng(seed)
    shapes = {**SHAPES, **{f"more_{i}": (8000 + i,) for i in range(9)}}
    found = [Parameter(np.array(rng.normal(size=shape), dtype=dtype), name=name) for name, shape in shapes.items()]
    found[1].constraint = NonNeg()
    return found


def give(parameters: list[Parameter], rng: np.random.Generator, turned: bool = False) -> None:
    for p in parameters:
        if p.name == "table":
            rows = rng.permutation(50)[:9]
            p.accumulate(RowGradient(rows, rng.normal(size=(9, 6)).astype(p.dtype), (50, 6)))
        else:
            gradient = np.array(rng.normal(size=p.shape), dtype=p.dtype)
            p.accumulate(np.array(gradient.T, order="C").T if turned else gradient)


def train(optimizer: Any, parameters: list[Parameter], steps: int = 5, turned: bool = False) -> dict[str, np.ndarray]:
    """-> every value and all that the optimiser remembers."""
    rng = np.random.default_rng(5)
    for _ in range(steps):
        give(parameters, rng, turned)
        optimizer.apply(parameters)
    return {**{p.name: p.value.copy() for p in parameters}, **optimizer.get_state()}


def assert_same_bits(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> None:
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        assert array.dtype == theirs[name].dtype, name
        np.testing.assert_array_equal(array, theirs[name], err_msg=name, strict=True)


# --- the same bits ------------------------------------------------------------------------------------

OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "clipnorm": {"clipnorm": 0.5, "weight_decay": 0.1},
    "clipvalue": {"clipvalue": 0.2, "loss_scale_factor": 4.0},
    "global_clipnorm": {"global_clipnorm": 0.5, "use_ema": True, "ema_overwrite_frequency": 3},
    "accumulated": {"gradient_accumulation_steps": 2, "use_ema": True, "clipnorm": 0.5},
    "groups": {"rate_multipliers": {"more_[2-5]": 0.1, "bias": 3.0}, "lazy_rows": False},
}


def bits(name: str, dtype: str, options: dict[str, Any]) -> dict[str, np.ndarray]:
    optimizer = getattr(ls_optim, name)(**{"learning_rate": 0.01, **options})
    optimizer.exclude_from_weight_decay(var_names=["bias", "more_1"])
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # float16
        return train(optimizer, table(dtype), 4)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", TIERS)
def test_same_bits_as_one_by_one(kind: str, name: str, options: str, one_by_one: Any) -> None:
    with tier(kind):
        joined = bits(name, "float32", OPTIONS[options])
        with one_by_one():
            assert_same_bits(joined, bits(name, "float32", OPTIONS[options]))


@pytest.mark.parametrize("kind", TIERS[:2])  # Numba leaves gradients that are not contiguous to NumPy, unless they are joined
def test_same_bits_of_turned_gradients(kind: str, one_by_one: Any) -> None:
    with tier(kind):
        joined = train(Adam(clipnorm=1.0), table(), turned=True)
        with one_by_one():
            assert_same_bits(joined, train(Adam(clipnorm=1.0), table(), turned=True))


@pytest.mark.parametrize("dtype", ["float64", "float16"])
@pytest.mark.parametrize("name", NAMES)
def test_same_bits_in_other_types(name: str, dtype: str, one_by_one: Any) -> None:
    joined = bits(name, dtype, OPTIONS["clipnorm"])
    with one_by_one():
        assert_same_bits(joined, bits(name, dtype, OPTIONS["clipnorm"]))


MORE = [
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "nesterov": True}),
    ("Adam", {"amsgrad": True}),
    ("RMSprop", {"centered": True}),
    ("RMSprop", {"centered": True, "momentum": 0.9}),
    ("Ftrl", {"l1_regularization_strength": 0.1, "l2_shrinkage_regularization_strength": 0.1, "learning_rate_power": -0.7}),
    ("Adam", {"schedules": {"beta_1": lambda step: 0.9 - 0.1 * step}, "learning_rate": lambda step: 0.1 / (1 + step)}),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", TIERS)
@pytest.mark.parametrize(("name", "options"), MORE, ids=[f"{name}-{'-'.join(options)}" for name, options in MORE])
def test_same_bits_for_each_form_of_an_update(name: str, options: dict[str, Any], kind: str, dtype: str, one_by_one: Any) -> None:
    with tier(kind):
        joined = train(getattr(ls_optim, name)(**options), table(dtype))
        with one_by_one():
            assert_same_bits(joined, train(getattr(ls_optim, name)(**options), table(dtype)))


# --- how many calls -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", JOINING)
def test_one_call_for_all_small_parameters(name: str) -> None:
    for count in (2, 30):
        parameters = [Parameter(np.ones((3, i + 1)), name=f"p{i}") for i in range(count)]
        optimizer = getattr(ls_optim, name)()
        calls = count_calls(optimizer)
        for p in parameters:
            p.accumulate(np.ones(p.shape))
        optimizer.apply(parameters)
        assert calls == [(sum(p.size for p in parameters),)]


def test_calls_of_groups_large_ones_and_rows() -> None:
    parameters = table()
    optimizer = Adam(weight_decay=0.1, rate_multipliers={"more_[2-5]": 0.1})
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    calls = count_calls(optimizer)
    train(optimizer, parameters, 3)
    small = [p for p in parameters if p.name not in ("bias", "wide", "table") and p.name not in [f"more_{i}" for i in range(2, 6)]]
    wanted = [(30,), (sum(8000 + i for i in range(2, 6)),), (sum(p.size for p in small),), (96, 90), (9, 6)]
    assert sorted(calls) == sorted(wanted * 3)


def test_muon_joins_what_adam_updates_and_lamb_nothing() -> None:
    for name, wanted in (("Muon", 2 + 1), ("Lamb", 5), ("Adafactor", 5)):
        shapes = [(4, 3), (3,), (3, 2), (2,), ()]
        parameters = [Parameter(np.ones(shape), name=f"p{i}") for i, shape in enumerate(shapes)]
        optimizer = getattr(ls_optim, name)()
        calls = count_calls(optimizer)
        for p in parameters:
            p.accumulate(np.ones(p.shape))
        optimizer.apply(parameters)
        assert len(calls) == wanted, name


def test_an_optimiser_of_ones_own_is_joined() -> None:
    class SignMomentum(Optimizer):
        def __init__(self, learning_rate: float = 0.1, momentum: float = 0.5, **options: Any) -> None:
            super().__init__(learning_rate, **options)
            self.momentum = momentum

        def make_state(self, value: Any) -> Any:
            return {"m": np.zeros_like(value)}

        def update(self, value: Any, grad: Any, state: Any, rate: float) -> None:
            state["m"] *= self.momentum
            state["m"] += grad
            value -= rate * np.sign(state["m"])

    optimizer, parameters = SignMomentum(), small()
    calls = count_calls(optimizer)
    step(optimizer, parameters)
    assert calls == [(2 * 3 + 4,)]
    assert optimizer.state(parameters[0])["m"].tolist() == [[1.0] * 3] * 2


def test_a_lone_parameter_keeps_its_array() -> None:
    weight = Parameter(np.ones(3))
    value = weight.value
    step(Adam(), [weight])
    assert weight.value is value


@pytest.mark.parametrize("use_ema", [False, True])
@pytest.mark.parametrize("clip", [{}, {"clipvalue": 1.0}, {"clipnorm": 1.0}, {"global_clipnorm": 1.0}], ids="".join)
@pytest.mark.parametrize("name", ["Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Lion", "Nadam", "RMSprop", "SGD"])
def test_launches_on_a_device(name: str, clip: dict[str, float], use_ema: bool) -> None:
    """One for each 40 arrays, of whatever size and decay, rows of tables among them; norms take two more."""
    if cuda_emulator.compiler() is None:
        pytest.skip("no C++ compiler: g++ (or $CXX) runs the CUDA sources on the CPU")
    for count, times in ((1, 1), (12, 1), (45, 2)):
        with cuda_emulator.cuda_kernels():
            shapes = [(i + 1, 2) for i in range(count)]
            parameters = [
                Parameter(ls_core.to_device(np.ones(shape, "float32"), "standin"), name=f"p{i}") for i, shape in enumerate(shapes)
            ]
            optimizer = getattr(ls_optim, name)(use_ema=use_ema, weight_decay=0.1, **clip)
            optimizer.exclude_from_weight_decay(var_names=["p3"])
            for turn in range(3):
                for p in parameters:
                    p.accumulate(ls_core.to_device(np.ones(p.shape, "float32"), "standin"))
                if count > 1:
                    rows = ls_core.to_device(np.array([1, -1]), "standin")
                    parameters[1].grad = RowGradient(rows, ls_core.to_device(np.ones((2, 2), "float32"), "standin"), (2, 2))
                with host_syncs() as waits, launches() as found:
                    optimizer.apply(parameters)
                assert not waits, turn
                norms = {"clipnorm": ["square_sums", "norm_scales"] * times, "global_clipnorm": ["square_sums"] * times + ["norm_scales"]}
                update, average = [f"{name.lower().removesuffix('w')}_update"] * times, ["average_update"] * times
                assert turn == 0 or found == norms.get("".join(clip), []) + update + average * use_ema  # at first it makes its state


class Shrinking(Adam):
    """An update that calls Adam's, and goes on."""

    def update(self, value: Any, grad: Any, state: Any, rate: float) -> None:
        super().update(value, grad, state, rate)
        value *= 0.5


def test_an_update_of_ones_own_is_called_on_a_device() -> None:
    def run(place: str, kind: type[Adam]) -> list[float]:
        p = Parameter(ls_core.to_device(np.ones(3), place))
        optimizer = kind(0.1, global_clipnorm=1.0)
        if kind is Adam:
            update = optimizer.update
            optimizer.update = lambda value, *rest: (update(value, *rest), value.fill(7.0))[1]  # type: ignore[method-assign]
        step(optimizer, [p])
        return [float(x) for x in ls_core.to_host(p.value)]

    for kind in (Shrinking, Adam):
        with cuda_emulator.cuda_kernels() if cuda_emulator.compiler() else contextlib.nullcontext():
            np.testing.assert_allclose(run("standin", kind), run("numpy", kind), rtol=1e-12)


# --- arrays that somebody replaced ------------------------------------------------------------------------


def small(dtype: str = "float64", at: str = "") -> list[Parameter]:
    return [Parameter(np.ones((2, 3), dtype), name=f"a{at}"), Parameter(np.ones(4, dtype), name=f"b{at}")]


def step(optimizer: Any, parameters: list[Parameter], grad: float = 1.0) -> None:
    for p in parameters:
        p.accumulate(p.value * 0 + grad)
    optimizer.apply(parameters)


def assert_apart(*parameters: Parameter) -> None:
    for i, p in enumerate(parameters):
        assert not any(np.shares_memory(p.value, q.value) for q in parameters[i + 1 :])


def test_values_are_views_and_stay_them() -> None:
    parameters, optimizer = small(), SGD(0.5)
    step(optimizer, parameters)
    values = [p.value for p in parameters]
    assert values[0].base is values[1].base is not None
    step(optimizer, parameters)
    assert [p.value for p in parameters] == values or all(p.value is v for p, v in zip(parameters, values, strict=True))
    assert [p.value.tolist() for p in parameters] == [[[0.0] * 3] * 2, [0.0] * 4]
    assert_apart(*parameters)


@pytest.mark.parametrize("when", ["before", "with_gradient"])
def test_a_new_value_is_taken(when: str) -> None:
    parameters, optimizer = small(), SGD(0.5)
    step(optimizer, parameters)
    calls, old = count_calls(optimizer), parameters[0].value
    if when == "with_gradient":
        for p in parameters:
            p.accumulate(np.ones(p.shape))
    new = parameters[0].value = np.full((3, 2), 7.0).T
    if when == "before":
        step(optimizer, parameters)
    else:
        optimizer.apply(parameters)
    assert parameters[0].value.tolist() == [[6.5] * 3] * 2
    assert parameters[0].value is old, "it came home"
    assert new.tolist() == [[7.0] * 3] * 2
    assert calls == [(10,)]


def test_one_array_for_two_parameters_becomes_two() -> None:
    parameters, optimizer = [Parameter(np.ones(3)), Parameter(np.ones(3))], SGD(0.5)
    step(optimizer, parameters)
    parameters[1].value = parameters[0].value
    step(optimizer, parameters)
    assert_apart(*parameters)
    assert [p.value.tolist() for p in parameters] == [[0.0] * 3] * 2


def test_gradients_that_are_no_array_like_the_value_are_not_joined(one_by_one: Any) -> None:
    def run() -> list[Any]:
        parameters, optimizer = [Parameter(np.ones(3)), Parameter(np.ones(1)), Parameter(np.ones(2))], SGD(0.5)
        step(optimizer, parameters)
        for p, gradient in zip(parameters, (np.ones(1), np.ones(1, "float32"), np.arange(2.0)), strict=True):
            p.grad = gradient  # not by accumulate, which would refuse the first
        optimizer.apply(parameters)
        return [p.value.tolist() for p in parameters]

    with tier("numpy"):
        joined = run()
        assert joined == [[0.0] * 3, [0.0], [0.5, 0.0]]
        with one_by_one():
            assert joined == run()


def test_another_type_or_shape_makes_a_new_layout() -> None:
    parameters, optimizer = small(), Adam(0.5)
    calls = count_calls(optimizer)
    step(optimizer, parameters)
    parameters[0].value = parameters[0].value.astype("float32")
    step(optimizer, parameters)
    assert {p.dtype.name for p in parameters} == {"float32", "float64"}
    assert optimizer.state(parameters[0])["m"].dtype == "float32"
    for p in parameters:
        p.value = p.value.astype("float16")
    step(optimizer, parameters)
    assert calls[0] == (10,)
    assert sorted(calls[1:3]) == [(4,), (6,)]
    assert calls[3:] == [(10,)]
    assert parameters[0].value.base is parameters[1].value.base


def test_a_model_that_moves_and_comes_back() -> None:
    def run(*places: str) -> list[np.ndarray]:
        ls_core.set_seed(0)
        model = Sequential([Dense(4, activation="tanh"), BatchNormalization(), Dense(3)])
        x = np.random.default_rng(0).normal(size=(8, 5))
        model.forward(x)
        optimizer = Adam(0.1, use_ema=True)
        for place in places:
            model.to(place)
            y, cache = model.forward(ls_core.to_device(x, place), training=True)
            model.backward(y, cache)
            optimizer.apply(model.parameters())
            assert {ls_core.backend.backend_of(p.value).name for p in model.parameters()} == {place}
        return model.to("numpy").get_weights()

    stayed = run("numpy", "numpy", "numpy", "numpy", "numpy")
    for ours, theirs in zip(run("numpy", "standin", "standin", "numpy", "numpy"), stayed, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_freezing_and_missing_gradients_split_the_call() -> None:
    parameters = [Parameter(np.ones(i + 1), name=f"p{i}") for i in range(5)]
    optimizer = SGD(0.5)
    step(optimizer, parameters)
    calls = count_calls(optimizer)
    parameters[2].trainable = False
    step(optimizer, parameters)
    assert calls == [(3,), (9,)]
    parameters[2].trainable = True
    step(optimizer, parameters[:2])
    step(optimizer, parameters)
    assert calls[2:] == [(3,), (15,)]
    assert [p.value[0] for p in parameters] == [-1.0, -1.0, 0.0, -0.5, -0.5]


def test_what_is_trained_later_joins() -> None:
    parameters, more, optimizer = small(), small(at="_more"), Adam(0.5)
    step(optimizer, parameters)
    calls = count_calls(optimizer)
    step(optimizer, parameters + more)
    step(optimizer, more)
    assert calls == [(20,), (10,)]
    assert_apart(*parameters, *more)


def test_two_lists_in_turn_are_laid_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two, optimizer = small(), small(at="_two"), Adam(0.5)
    laid_out: list[int] = []
    original = flat.Layout._lay_out
    monkeypatch.setattr(flat.Layout, "_lay_out", lambda *a: (laid_out.append(len(a[2])), original(*a))[1])
    calls = count_calls(optimizer)
    for _ in range(3):
        step(optimizer, one)
        step(optimizer, [*two, one[0]])
    assert laid_out == [2, 3]
    assert len(calls) <= 8


def test_two_optimisers_of_one_parameter(one_by_one: Any) -> None:
    def run() -> list[np.ndarray]:
        mine, shared, theirs = small(), small(at="_shared"), small(at="_theirs")
        first, second = Adam(0.1), SGD(0.1, momentum=0.9)
        for i in range(4):
            step(first, mine + shared, 1.0 + i)
            step(second, shared + theirs, 2.0 - i)
        assert_apart(*mine, *shared, *theirs)
        return [p.value.copy() for p in (*mine, *shared, *theirs)]

    joined = run()
    with one_by_one():
        for a, b in zip(joined, run(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_state_that_is_replaced_or_added_counts(one_by_one: Any) -> None:
    class Careless(Optimizer):
        def make_state(self, value: Any) -> Any:
            return {"m": np.zeros_like(value)}

        def update(self, value: Any, grad: Any, state: Any, rate: float) -> None:
            state["m"] = state["m"] * 0.5 + grad  # not in place
            if self.iterations == 1:
                state["late"] = grad * 1.0
            value -= rate * state["m"]

    def run() -> dict[str, np.ndarray]:
        parameters, optimizer = small(), Careless(0.1)
        for i in range(5):
            step(optimizer, parameters, float(i))
            if i == 3:
                optimizer.state(parameters[0])["m"] = np.full((2, 3), 9.0)
            assert "a/m" in optimizer.get_state()
        return {**{p.name: p.value for p in parameters}, **optimizer.get_state()}

    joined = run()
    with one_by_one():
        assert_same_bits(joined, run())


def test_a_number_in_the_state_keeps_its_parameters_apart() -> None:
    class Counting(Optimizer):
        def update(self, value: Any, grad: Any, state: Any, rate: float) -> None:
            state["count"] = state.get("count", 0) + 1
            value -= rate * grad

    parameters, optimizer = small(), Counting(0.1)
    for _ in range(3):
        step(optimizer, parameters)
    assert [optimizer.state(p)["count"] for p in parameters] == [3, 3]


def test_averages_are_swapped_and_taken() -> None:
    parameters, optimizer = small(), SGD(1.0, use_ema=True, ema_momentum=0.5)
    for _ in range(3):
        step(optimizer, parameters)  # 0, -1, -2; averages 0, -0.5, -1.25
    optimizer.swap_averages(parameters)
    assert [p.value.ravel()[0] for p in parameters] == [-1.25, -1.25]
    optimizer.swap_averages(parameters)
    step(optimizer, parameters)
    optimizer.finalize_variable_values(parameters)
    assert [p.value.ravel()[-1] for p in parameters] == [-2.125, -2.125]
    step(optimizer, parameters)
    assert [p.value.ravel()[-1] for p in parameters] == [-3.125, -3.125]


class World:
    """Parameters and two optimisers, to which things happen that depend on a seed alone."""

    def __init__(self, seed: int) -> None:
        self.rng, self.made = np.random.default_rng(seed), 0
        self.parameters = [self.fresh() for _ in range(6)]
        self.optimizers = [
            Adam(0.1, use_ema=True, clipnorm=1.0, weight_decay=0.1, rate_multipliers={"[05]": 0.5}),
            SGD(0.1, momentum=0.9, gradient_accumulation_steps=2),
        ]

    def fresh(self) -> Parameter:
        shape = tuple(int(n) for n in self.rng.integers(1, 6, size=self.rng.integers(0, 4)))
        self.made += 1
        return Parameter(np.array(self.rng.normal(size=shape), dtype=self.rng.choice(["float32", "float64"])), name=f"p{self.made}")

    def event(self) -> None:
        """One thing that users do."""
        p = self.parameters[self.rng.integers(len(self.parameters))]
        optimizer = self.optimizers[self.rng.integers(2)]
        match self.rng.integers(10):
            case 0:
                p.value = np.array(self.rng.normal(size=p.shape), dtype=p.dtype)
            case 1:
                p.value = p.value.astype("float32" if p.dtype == "float64" else "float64")
            case 2:
                p.trainable = not p.trainable
            case 3:
                self.parameters.remove(p)
                self.parameters.append(self.fresh())
            case 4:
                optimizer.set_state(optimizer.get_state())
            case 5:
                state = optimizer.state(p)
                state["m"] = state["m"] * 0.5
            case 6:
                optimizer.exclude_from_weight_decay(var_list=[p])
            case 7:
                optimizer.swap_averages(self.parameters)
            case 8:
                optimizer.finalize_variable_values(self.parameters)
            case 9:
                p.value = np.array(p.value.T, order="C").T

    def step(self) -> None:
        optimizer = self.optimizers[self.rng.integers(2)]
        given = [p for p in self.parameters if self.rng.random() < 0.9] or self.parameters
        some = False
        for p in given:
            if self.rng.random() < 0.9:
                gradient = np.array(self.rng.normal(size=p.shape), dtype=p.dtype)
                if p.value.ndim == 2 and self.rng.random() < 0.2:
                    p.accumulate(RowGradient(np.array([0]), gradient[:1], p.shape))
                else:
                    p.accumulate(gradient)
                some = some or p.trainable
        if some:
            optimizer.apply(given)
        for p in self.parameters:
            p.drop_grad()

    def bits(self) -> dict[str, np.ndarray]:
        found = {p.name: p.value for p in self.parameters}
        for i, optimizer in enumerate(self.optimizers):
            mine = {name: each for name, each in optimizer.get_state().items() if name.split("/")[0] in found}
            found.update({f"{i}/{name}": each for name, each in mine.items()})
        return found


@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens_the_bits_are_those_of_one_by_one(seed: int, one_by_one: Any) -> None:
    with tier("numpy"):
        ours, theirs = World(seed), World(seed)
        for _ in range(60):
            if ours.rng.random() < 0.4:
                ours.event()
            ours.step()
            with one_by_one():
                if theirs.rng.random() < 0.4:
                    theirs.event()
                theirs.step()
            assert_same_bits(ours.bits(), theirs.bits())
            assert_apart(*ours.parameters)


# --- copies, memory, files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy])
def test_copies_train_apart(how: Any) -> None:
    parameters, optimizer = small(), Adam(0.5)
    step(optimizer, parameters)
    twins, twin = how((parameters, optimizer)) if how is copy.deepcopy else (parameters, how(optimizer))
    before = [p.value.copy() for p in parameters]
    step(twin, twins)
    step(twin, twins)
    if how is copy.deepcopy:
        for p, value in zip(parameters, before, strict=True):
            np.testing.assert_array_equal(p.value, value)
    assert twin.state(twins[0])["m"].ravel()[0] == pytest.approx(1 - 0.9**3)


def test_parameters_that_go_take_their_memory_along() -> None:
    parameters, optimizer = small(), Adam(0.5, use_ema=True, gradient_accumulation_steps=2)
    stay = small(at="_stay")
    for _ in range(6):
        step(optimizer, parameters + stay)
    gone = [weakref.ref(p) for p in parameters]
    buffer = weakref.ref(parameters[0].value.base)
    del parameters
    gc.collect()
    assert [ref() for ref in gone] == [None, None]
    assert {name.split("/")[0] for name in optimizer.get_state()} <= {"iterations", "learning_rate", "a_stay", "b_stay"}
    calls = count_calls(optimizer)
    for _ in range(2):
        step(optimizer, stay)
    assert buffer() is None, "laid out anew without them"
    assert calls == [(10,)]


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_memory(name: str) -> None:
    optimizer, size = getattr(ls_optim, name)(), 50 * 8000 * 8
    states = len(optimizer.make_state(np.zeros(1)))
    gradients = [np.ones(8000) for _ in range(50)]

    def one() -> None:
        for p, g in zip(parameters, gradients, strict=True):
            p.grad = g
        optimizer.apply(parameters)

    with tier("numpy"):  # Numba's code would be counted
        tracemalloc.start()
        try:
            parameters = [Parameter(np.ones(8000)) for _ in range(50)]
            one()
            kept, peak = tracemalloc.get_traced_memory()
            assert kept < (1 + states) * size * 1.02, "values and state once"
            # one flat array on top: while laying out, and then the gathered gradients; and update's block of each thread
            assert peak < (2 + states) * size * 1.02 + thread_count() * BLOCK * 8
            tracemalloc.reset_peak()
            one()
            again, peak = tracemalloc.get_traced_memory()
            assert again < kept + 10_000
            assert peak < kept + size * 1.02 + thread_count() * BLOCK * 8
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("name", JOINING)
def test_a_state_goes_on_in_another_layout(name: str, one_by_one: Any) -> None:
    options = {"use_ema": True, "gradient_accumulation_steps": 2}
    straight, parameters = table(), table()
    whole = train(getattr(ls_optim, name)(**options), straight, 8)
    rng, first = np.random.default_rng(5), getattr(ls_optim, name)(**options)
    with one_by_one():
        for _ in range(5):
            give(parameters, rng)
            first.apply(parameters)
    second = getattr(ls_optim, name)(**options)
    second.set_state(first.get_state())
    for _ in range(3):
        give(parameters, rng)
        second.apply(parameters)
    assert_same_bits({**{p.name: p.value for p in parameters}, **second.get_state()}, whole)


def test_half_precision_and_constraints_keep_the_layout() -> None:
    ls_core.set_seed(0)
    model = Sequential([Dense(4, activation="relu", kernel_constraint="non_neg"), Dense(3)])
    model.compile(Adam(0.01), "mse", mixed_precision="float16")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(32, 5)).astype("float32"), rng.normal(size=(32, 3)).astype("float32")
    model.fit(x, y, batch_size=8, epochs=1, verbose=0)
    values = [p.value for p in model.parameters()]
    calls = count_calls(model.optimizer)
    model.fit(x, y, batch_size=8, epochs=1, verbose=0)
    assert all(p.value is value for p, value in zip(model.parameters(), values, strict=True))
    assert calls == [(5 * 4 + 4 + 4 * 3 + 3,)] * 4
    assert (values[0] >= 0).all()


def test_what_a_layer_keeps_does_not_count_its_neighbours() -> None:
    ls_core.set_seed(0)
    model = Sequential([Dense(4), Dense(3)])
    model.compile(Adam(0.01), "mse")
    x, y = np.ones((8, 5), "float32"), np.ones((8, 3), "float32")
    model.fit(x, y, verbose=0)
    value = model.parameters()[0].value
    assert owner(value).size == 5 * 4 + 4 + 4 * 3 + 3
    assert cache_bytes((x, value.T), but={id(owner(value))}) == x.nbytes
