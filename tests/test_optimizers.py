"""Every optimiser against the textbook in plain Python, and what the base class promises."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ls_core
import ls_optim
from ls_core import Parameter, RowGradient
from ls_core.constraints import NonNeg
from ls_core.registry import deserialize, known_names, serialize
from ls_core.testing.standin import host_syncs
from ls_optim.schedules import CosineDecay, ExponentialDecay

Scalars = list[float]
NAMES = sorted(name for name, thing in vars(ls_optim).items() if isinstance(thing, type) and name != "Optimizer")
ELEMENTWISE = [name for name in NAMES if getattr(ls_optim, name).elementwise]


# --- the textbook: one weight (or one small matrix) at a time, as the papers write it ---------------


def sgd(w: float, grads: Scalars, rate: float = 0.01, momentum: float = 0.0, nesterov: bool = False) -> float:
    velocity = 0.0
    for g in grads:
        velocity = momentum * velocity - rate * g
        w += momentum * velocity - rate * g if nesterov else velocity
    return w


def rmsprop(
    w: float, grads: Scalars, rate: float = 0.001, rho: float = 0.9, momentum: float = 0.0, centered: bool = False, epsilon: float = 1e-7
) -> float:
    square = mean = velocity = 0.0
    for g in grads:
        square = rho * square + (1 - rho) * g * g
        mean = rho * mean + (1 - rho) * g
        velocity = momentum * velocity + rate * g / math.sqrt(square - (mean * mean if centered else 0.0) + epsilon)
        w -= velocity
    return w


def adam(
    w: float,
    grads: Scalars,
    rate: float = 0.001,
    b1: float = 0.9,
    b2: float = 0.999,
    epsilon: float = 1e-7,
    amsgrad: bool = False,
    decay: float = 0.0,
) -> float:
    m = v = largest = 0.0
    for t, g in enumerate(grads, 1):
        w -= rate * decay * w
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        largest = max(largest, v)
        # epsilon is the paper's epsilon-hat: it stands beside the root before the correction
        corrected = math.sqrt(1 - b2**t) / (1 - b1**t)
        w -= rate * corrected * m / (math.sqrt(largest if amsgrad else v) + epsilon)
    return w


def adagrad(w: float, grads: Scalars, rate: float = 0.001, start: float = 0.1, epsilon: float = 1e-7) -> float:
    for i, g in enumerate(grads):
        w -= rate * g / math.sqrt(start + sum(each**2 for each in grads[: i + 1]) + epsilon)
    return w


def adadelta(w: float, grads: Scalars, rate: float = 0.001, rho: float = 0.95, epsilon: float = 1e-7) -> float:
    gg = ss = 0.0
    for g in grads:
        gg = rho * gg + (1 - rho) * g * g
        step = math.sqrt(ss + epsilon) / math.sqrt(gg + epsilon) * g
        ss = rho * ss + (1 - rho) * step * step
        w -= rate * step
    return w


def adamax(w: float, grads: Scalars, rate: float = 0.001, b1: float = 0.9, b2: float = 0.999, epsilon: float = 1e-7) -> float:
    m = u = 0.0
    for t, g in enumerate(grads, 1):
        m, u = b1 * m + (1 - b1) * g, max(b2 * u, abs(g))
        w -= rate / (1 - b1**t) * m / (u + epsilon)
    return w


def nadam(w: float, grads: Scalars, rate: float = 0.001, b1: float = 0.9, b2: float = 0.999, epsilon: float = 1e-7) -> float:
    m = v = 0.0
    mu = [b1 * (1 - 0.5 * 0.96**t) for t in range(len(grads) + 2)]
    for t, g in enumerate(grads, 1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        ahead = mu[t + 1] * m / (1 - math.prod(mu[1 : t + 2])) + (1 - mu[t]) * g / (1 - math.prod(mu[1 : t + 1]))
        w -= rate * ahead / (math.sqrt(v / (1 - b2**t)) + epsilon)
    return w


def ftrl(
    w: float, grads: Scalars, rate: float = 0.001, start: float = 0.1, l1: float = 0.0, l2: float = 0.0, shrinkage: float = 0.0
) -> float:
    n, z = start, 0.0
    for g in grads:
        sigma = (math.sqrt(n + g * g) - math.sqrt(n)) / rate
        z += g + 2 * shrinkage * w - sigma * w
        n += g * g
        w = 0.0 if abs(z) <= l1 else -(z - math.copysign(l1, z)) / (math.sqrt(n) / rate + 2 * l2)
    return w


def lion(w: float, grads: Scalars, rate: float = 0.001, b1: float = 0.9, b2: float = 0.99) -> float:
    m = 0.0
    for g in grads:
        direction = b1 * m + (1 - b1) * g
        w -= rate * ((direction > 0) - (direction < 0))
        m = b2 * m + (1 - b2) * g
    return w


def elementwise(book: Callable[..., float], **options: Any) -> Callable[[np.ndarray, list[np.ndarray]], np.ndarray]:
    def run(start: np.ndarray, grads: list[np.ndarray]) -> np.ndarray:
        result = np.empty_like(start)
        for place in np.ndindex(start.shape):
            result[place] = book(float(start[place]), [float(g[place]) for g in grads], **options)
        return result

    return run


def norm(numbers: Scalars) -> float:
    return math.sqrt(sum(n * n for n in numbers))


def lamb(start: np.ndarray, grads: list[np.ndarray]) -> np.ndarray:
    w, m, v = start.ravel().tolist(), [0.0] * start.size, [0.0] * start.size
    for t, grad in enumerate(grads, 1):
        moves = []
        for i, g in enumerate(grad.ravel().tolist()):
            m[i], v[i] = 0.9 * m[i] + 0.1 * g, 0.999 * v[i] + 0.001 * g * g
            moves.append(m[i] / (1 - 0.9**t) / (math.sqrt(v[i] / (1 - 0.999**t)) + 1e-7))
        ratio = norm(w) / norm(moves) if norm(w) and norm(moves) else 1.0
        w = [x - 0.1 * ratio * move for x, move in zip(w, moves, strict=True)]
    return np.reshape(w, start.shape)


def adafactor(start: np.ndarray, grads: list[np.ndarray]) -> np.ndarray:
    """A matrix; the learning rate is 0.2."""
    R, C = start.shape
    w, rows, columns = start.tolist(), [0.0] * R, [0.0] * C
    for t, grad in enumerate(grads, 1):
        b = 1 - t**-0.8
        squares = [[g * g + 1e-30 for g in line] for line in grad.tolist()]
        rows = [b * rows[i] + (1 - b) * sum(squares[i]) / C for i in range(R)]
        columns = [b * columns[j] + (1 - b) * sum(line[j] for line in squares) / R for j in range(C)]
        u = [[grad[i, j] / math.sqrt(rows[i] * columns[j] / (sum(rows) / R)) for j in range(C)] for i in range(R)]
        size = norm([n for line in u for n in line]) / math.sqrt(R * C)
        rate = min(0.2, 1 / math.sqrt(t)) * max(1e-3, norm([n for line in w for n in line]) / math.sqrt(R * C))
        w = [[w[i][j] - rate * u[i][j] / max(1.0, size) for j in range(C)] for i in range(R)]
    return np.array(w)


def muon(start: np.ndarray, grads: list[np.ndarray]) -> np.ndarray:
    """By singular values: the polynomial a s + b s^3 + c s^5 acts on each of them, and leaves U and V alone."""
    w, m = start.copy(), np.zeros_like(start)
    for g in grads:
        m = 0.95 * m + g
        U, s, Vt = np.linalg.svd(g + 0.95 * m, full_matrices=False)
        s = s / (norm(s.tolist()) + 1e-7)
        for _ in range(5):
            s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
        w = w * (1 - 0.1 * 0.004) - 0.1 * 0.2 * math.sqrt(max(start.shape)) * (U * s) @ Vt
    return w


BOOK: list[tuple[str, dict[str, Any], Callable[[np.ndarray, list[np.ndarray]], np.ndarray]]] = [
    ("SGD", {}, elementwise(sgd)),
    ("SGD", {"momentum": 0.9}, elementwise(sgd, momentum=0.9)),
    ("SGD", {"lr": 0.1, "momentum": 0.8, "nesterov": True}, elementwise(sgd, rate=0.1, momentum=0.8, nesterov=True)),
    ("RMSprop", {}, elementwise(rmsprop)),
    ("RMSprop", {"momentum": 0.5, "centered": True, "epsilon": 1e-3}, elementwise(rmsprop, momentum=0.5, centered=True, epsilon=1e-3)),
    ("Adam", {}, elementwise(adam)),
    ("Adam", {"lr": 0.1, "beta_1": 0.7, "beta_2": 0.8, "amsgrad": True}, elementwise(adam, rate=0.1, b1=0.7, b2=0.8, amsgrad=True)),
    ("AdamW", {"lr": 0.1}, elementwise(adam, rate=0.1, decay=0.004)),
    ("Adagrad", {"lr": 0.5}, elementwise(adagrad, rate=0.5)),
    ("Adadelta", {"lr": 1.0, "epsilon": 1e-3}, elementwise(adadelta, rate=1.0, epsilon=1e-3)),
    ("Adamax", {"lr": 0.1}, elementwise(adamax, rate=0.1)),
    ("Nadam", {"lr": 0.1}, elementwise(nadam, rate=0.1)),
    (
        "Ftrl",
        {"lr": 0.1, "l1_regularization_strength": 0.7, "l2_regularization_strength": 0.2, "l2_shrinkage_regularization_strength": 0.1},
        elementwise(ftrl, rate=0.1, l1=0.7, l2=0.2, shrinkage=0.1),
    ),
    ("Lion", {"lr": 0.1}, elementwise(lion, rate=0.1)),
    ("Lamb", {"lr": 0.1}, lamb),
    ("Adafactor", {"lr": 0.2}, adafactor),
    ("Muon", {"lr": 0.1}, muon),
]


@pytest.mark.parametrize(("name", "arguments", "book"), BOOK, ids=[f"{name} {arguments}" for name, arguments, _ in BOOK])
def test_textbook(name: str, arguments: dict[str, Any], book: Any, rng: np.random.Generator) -> None:
    start, grads = rng.normal(size=(3, 4)), [rng.normal(size=(3, 4)) * 2.0 ** -(i % 5) for i in range(60)]
    weight, optimizer = Parameter(start.copy()), getattr(ls_optim, name)(**arguments)
    for g in grads:
        weight.accumulate(g.copy())
        optimizer.apply([weight])
    np.testing.assert_allclose(weight.value, book(start, grads), rtol=1e-9, atol=1e-11)


def test_every_optimizer_has_a_textbook_and_a_name() -> None:
    assert {name for name, _, _ in BOOK} == set(NAMES)
    assert set(NAMES) <= set(known_names("optimizer"))
    assert type(deserialize("optimizer", "adamw")) is ls_optim.AdamW
    assert type(deserialize("optimizer", "rmsprop")) is ls_optim.RMSprop


# --- helpers ----------------------------------------------------------------------------------------


def make(name: str, **options: Any) -> Any:
    return getattr(ls_optim, name)(**{"learning_rate": 0.1, **options})


def table(rng: np.random.Generator, dtype: str = "float64") -> list[Parameter]:
    """Parameters of several ranks."""
    shapes = {"kernel": (4, 3), "bias": (3,), "filters": (2, 3, 2), "gain": ()}
    return [Parameter(np.array(rng.normal(size=shape), dtype=dtype), name=name) for name, shape in shapes.items()]


def give(parameters: list[Parameter], rng: np.random.Generator) -> None:
    for p in parameters:
        p.accumulate(np.array(rng.normal(size=p.shape), dtype=p.dtype))


def run(optimizer: Any, parameters: list[Parameter], steps: int, seed: int = 5) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        give(parameters, rng)
        optimizer.apply(parameters)
    return [p.value.copy() for p in parameters]


# --- the step ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_dtypes_stay(name: str, dtype: str, rng: np.random.Generator) -> None:
    parameters = table(rng, dtype)
    optimizer = make(name, weight_decay=0.1, global_clipnorm=1.0, use_ema=True)
    run(optimizer, parameters, 1)
    values = [p.value for p in parameters]  # the first step may have joined them
    run(optimizer, parameters, 3)
    for p, value in zip(parameters, values, strict=True):
        assert p.value is value, "updated in place"
        assert p.value.dtype == dtype
        assert {a.dtype for a in optimizer.state(p).values()} <= {np.dtype(dtype)}


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_only_read(name: str, rng: np.random.Generator) -> None:
    optimizer = make(name, clipnorm=0.1, weight_decay=0.1, loss_scale_factor=4.0, gradient_accumulation_steps=2)
    parameters = table(rng)
    for _ in range(4):
        give(parameters, rng)
        grads = [p.grad for p in parameters]
        before = [g.copy() for g in grads]
        optimizer.apply(parameters)
        for g, b in zip(grads, before, strict=True):
            np.testing.assert_array_equal(g, b)


@pytest.mark.parametrize("name", NAMES)
def test_noncontiguous_values(name: str, rng: np.random.Generator) -> None:
    start = rng.normal(size=(4, 3))
    plain, turned = Parameter(start.copy()), Parameter(np.array(start.T, order="C").T)
    assert not turned.value.flags.c_contiguous
    np.testing.assert_allclose(run(make(name), [plain], 3)[0], run(make(name), [turned], 3)[0], rtol=1e-12)


def test_frozen_and_missing_gradients_stand_still(rng: np.random.Generator) -> None:
    moving, frozen, idle = Parameter(np.ones(2)), Parameter(np.ones(2), trainable=False), Parameter(np.ones(2))
    for p in (moving, frozen):
        p.accumulate(np.ones(2))
    optimizer = ls_optim.SGD(0.5)
    optimizer.apply([moving, frozen, idle])
    assert [p.value.tolist() for p in (moving, frozen, idle)] == [[0.5, 0.5], [1.0, 1.0], [1.0, 1.0]]
    assert [p.grad for p in (moving, frozen, idle)] == [None] * 3
    assert optimizer.iterations == 1


def test_tied_parameters_are_updated_and_clipped_once() -> None:
    tied = Parameter(np.zeros(2))
    tied.accumulate(np.array([3.0, 4.0]))
    ls_optim.SGD(1.0, global_clipnorm=5.0).apply([tied, tied])
    np.testing.assert_allclose(tied.value, [-3.0, -4.0])


def test_no_gradient_at_all_is_an_error() -> None:
    with pytest.raises(ValueError, match="none of the 1 Parameters .0 trainable. has a gradient"):
        ls_optim.SGD().apply([Parameter(np.ones(2), trainable=False)])


def test_constraints_hold_after_each_step() -> None:
    weight = Parameter(np.array([0.1, 1.0]), constraint=NonNeg())
    weight.accumulate(np.array([5.0, 5.0]))
    ls_optim.SGD(0.1).apply([weight])
    assert weight.value.tolist() == [0.0, 0.5]


# --- clipping, decay, scaling, accumulation, averages -------------------------------------------------


def test_clipping() -> None:
    def after(*grads: list[float], **options: Any) -> list[list[float]]:
        parameters = [Parameter(np.zeros(len(g))) for g in grads]
        for p, g in zip(parameters, grads, strict=True):
            p.accumulate(np.array(g))
        ls_optim.SGD(1.0, **options).apply(parameters)
        return [(-p.value).round(12).tolist() for p in parameters]

    assert after([3.0, 4.0], [0.3], clipnorm=1.0) == [[0.6, 0.8], [0.3]]
    assert after([3.0, -4.0], [0.3], clipvalue=3.5) == [[3.0, -3.5], [0.3]]
    assert after([3.0], [4.0, 0.0], global_clipnorm=2.5) == [[1.5], [2.0, 0.0]]
    assert after([3.0], [4.0], global_clipnorm=9.0) == [[3.0], [4.0]]
    assert after([0.0], global_clipnorm=1.0) == [[0.0]]
    assert after([0.0], clipnorm=1.0) == [[0.0]]
    # the limits are on the unscaled gradients
    assert after([12.0, 16.0], clipnorm=5.0, loss_scale_factor=4.0) == [[3.0, 4.0]]


def test_rows_are_clipped_as_the_dense_gradient_is() -> None:
    for options in ({"clipnorm": 1.0}, {"global_clipnorm": 1.0}, {"clipvalue": 0.5}):
        dense, sparse = Parameter(np.zeros((4, 2))), Parameter(np.zeros((4, 2)))
        gradient = RowGradient(np.array([1, 3]), np.array([[3.0, 0.0], [0.0, 4.0]]), (4, 2))
        dense.accumulate(gradient.to_dense())
        sparse.accumulate(gradient)
        for p in (dense, sparse):
            ls_optim.SGD(1.0, **options).apply([p])
        np.testing.assert_allclose(dense.value, sparse.value, rtol=1e-15)


def test_weight_decay_and_exclusions() -> None:
    names = ["kernel", "bias", "gamma"]
    parameters = [Parameter(np.ones(1), name=name) for name in names]
    optimizer = ls_optim.SGD(0.5, weight_decay=0.2)
    optimizer.exclude_from_weight_decay(var_list=[parameters[2]], var_names=["bias"])
    for p in parameters:
        p.accumulate(np.zeros(1))
    optimizer.apply(parameters)
    assert [float(p.value[0]) for p in parameters] == [0.9, 1.0, 1.0]


@pytest.mark.parametrize("name", NAMES)
def test_accumulated_steps_equal_their_mean(name: str, rng: np.random.Generator) -> None:
    start = rng.normal(size=(4, 3))
    parts = rng.normal(size=(6, 4, 3))
    one, many = Parameter(start.copy()), Parameter(start.copy())
    single, accumulating = make(name, clipnorm=0.7), make(name, clipnorm=0.7, gradient_accumulation_steps=3)
    for i, part in enumerate(parts):
        many.accumulate(part.copy())
        accumulating.apply([many])
        if i % 3 == 2:
            one.accumulate(parts[i - 2 : i + 1].mean(axis=0))
            single.apply([one])
        np.testing.assert_allclose(many.value, one.value, rtol=1e-12)
    assert accumulating.iterations == single.iterations == 2


@pytest.mark.parametrize("last", [False, True])
def test_a_gradient_that_is_missing_once_counts_as_zero(last: bool) -> None:
    always, once = Parameter(np.zeros(2), name="always"), Parameter(np.zeros(2), name="once")
    optimizer = ls_optim.SGD(1.0, gradient_accumulation_steps=2)
    for step in (0, 1):
        always.accumulate(np.ones(2))
        if step == last:
            once.accumulate(np.ones(2))
        optimizer.apply([always, once])
    assert always.value.tolist() == [-1.0, -1.0]
    assert once.value.tolist() == [-0.5, -0.5]


def test_rows_accumulate_with_rows_and_with_dense_gradients() -> None:
    rows = RowGradient(np.array([0, 2]), np.array([[1.0], [2.0]]), (3, 1))
    more = RowGradient(np.array([1, 2]), np.array([[4.0], [8.0]]), (3, 1))
    for first, second in [(rows, more), (rows, more.to_dense()), (rows.to_dense(), more)]:
        weight, optimizer = Parameter(np.zeros((3, 1))), ls_optim.SGD(1.0, gradient_accumulation_steps=2)
        for gradient in (first, second):
            weight.accumulate(gradient)
            optimizer.apply([weight])
        assert weight.value.ravel().tolist() == [-0.5, -2.0, -5.0]


def test_averages() -> None:
    weight, optimizer = Parameter(np.zeros(1)), ls_optim.SGD(1.0, use_ema=True, ema_momentum=0.5)
    seen = []
    for g in (-2.0, -2.0, -4.0):
        weight.accumulate(np.array([g]))
        optimizer.apply([weight])
        seen.append(float(weight.value[0]))
    assert seen == [2.0, 4.0, 8.0]
    optimizer.finalize_variable_values([weight])
    assert weight.value.tolist() == [0.5 * (0.5 * 2 + 0.5 * 4) + 0.5 * 8]


def test_averages_overwrite() -> None:
    weight = Parameter(np.zeros(1))
    optimizer = ls_optim.SGD(1.0, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2)
    seen = []
    for _ in range(3):
        weight.accumulate(np.array([-2.0]))
        optimizer.apply([weight])
        seen.append(float(weight.value[0]))
    assert seen == [2.0, 3.0, 5.0]


def test_loss_scaling() -> None:
    optimizer = ls_optim.SGD(1.0, loss_scale_factor=8.0)
    weight = Parameter(np.zeros(1))
    weight.accumulate(optimizer.scale_loss(np.array([2.0])))
    optimizer.apply([weight])
    assert weight.value.tolist() == [-2.0]


# --- rows ---------------------------------------------------------------------------------------------


def rows_and_dense(name: str, rng: np.random.Generator, lazy_rows: bool, **options: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    start = rng.normal(size=(6, 2))
    sparse, dense = Parameter(start.copy()), Parameter(start.copy())
    by_rows, whole = make(name, lazy_rows=lazy_rows, **options), make(name, **options)
    for _ in range(4):
        gradient = RowGradient(np.array([1, 4]), rng.normal(size=(2, 2)), (6, 2))
        dense.accumulate(gradient.to_dense())
        sparse.accumulate(gradient)
        by_rows.apply([sparse])
        whole.apply([dense])
    return start, sparse.value, dense.value


@pytest.mark.parametrize("name", NAMES)
def test_rows_made_dense_are_exact(name: str, rng: np.random.Generator) -> None:
    _, sparse, dense = rows_and_dense(name, rng, lazy_rows=False, weight_decay=0.1)
    np.testing.assert_array_equal(sparse, dense)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_lazy_rows_touch_their_rows_only(name: str, rng: np.random.Generator) -> None:
    start, sparse, dense = rows_and_dense(name, rng, lazy_rows=True)
    np.testing.assert_allclose(sparse[[1, 4]], dense[[1, 4]], rtol=1e-12)  # the same rows each time, so equal in these
    np.testing.assert_array_equal(sparse[[0, 2, 3, 5]], start[[0, 2, 3, 5]])


@pytest.mark.parametrize("name", ["SGD", "Adagrad"])
def test_lazy_rows_are_exact_where_no_gradient_means_no_change(name: str, rng: np.random.Generator) -> None:
    _, sparse, dense = rows_and_dense(name, rng, lazy_rows=True)
    np.testing.assert_array_equal(sparse, dense)


def test_lazy_state_of_untouched_rows_stands_still() -> None:
    weight, optimizer = Parameter(np.zeros((3, 1))), ls_optim.Adam()
    for row in (0, 2):
        weight.accumulate(RowGradient(np.array([row]), np.array([[1.0]]), (3, 1)))
        optimizer.apply([weight])
    np.testing.assert_allclose(optimizer.state(weight)["m"].ravel(), [0.1, 0.0, 0.1])


# --- rates ----------------------------------------------------------------------------------------------


def test_rate_names_and_setting() -> None:
    assert ls_optim.Adam(lr=0.3).learning_rate == ls_optim.Adam(0.3).lr == 0.3
    optimizer = ls_optim.Adam(np.float32(0.5))
    assert type(optimizer.learning_rate) is float
    optimizer.lr = 1
    assert optimizer.learning_rate == 1.0
    with pytest.raises(TypeError, match="two names of one argument"):
        ls_optim.Adam(0.1, lr=0.1)
    with pytest.raises(TypeError, match="two names of one argument"):
        ls_optim.Adam(learning_rate=0.1, lr=0.1)
    with pytest.raises(TypeError, match="a number or a schedule"):
        ls_optim.Adam("fast")
    with pytest.raises(ValueError, match="0 or more"):
        ls_optim.Adam(-0.1)
    with pytest.raises(ValueError, match="0 or more"):
        optimizer.learning_rate = float("nan")


def test_schedules_follow_the_calls_of_apply() -> None:
    weight = Parameter(np.zeros(1))
    optimizer = ls_optim.SGD(ExponentialDecay(1.0, 1, 0.5))
    seen = []
    for _ in range(3):
        seen.append(optimizer.learning_rate)
        weight.accumulate(np.ones(1))
        optimizer.apply([weight])
    assert seen == [1.0, 0.5, 0.25]
    assert weight.value.tolist() == [-1.75]
    with pytest.raises(TypeError, match="follows a schedule"):
        optimizer.learning_rate = 0.1
    optimizer.learning_rate = lambda step: 10.0 * step
    assert optimizer.learning_rate == 30.0
    optimizer.learning_rate = lambda: 7.0  # Keras' form
    assert optimizer.learning_rate == 7.0


def test_schedules_of_other_hyperparameters() -> None:
    weight = Parameter(np.zeros(1))
    optimizer = ls_optim.SGD(1.0, momentum=0.5, schedules={"momentum": lambda step: [0.5, 0.0][int(step)]})
    for _ in range(2):
        weight.accumulate(np.ones(1))
        optimizer.apply([weight])
    assert weight.value.tolist() == [-2.0]
    wrong = ls_optim.SGD(1.0, schedules={"momentun": CosineDecay(1.0, 5)})
    weight.accumulate(np.ones(1))
    with pytest.raises(ValueError, match="'momentun', which is no hyperparameter of SGD"):
        wrong.apply([weight])


def test_groups_have_their_own_rates() -> None:
    parameters = [Parameter(np.zeros(1)) for _ in range(3)]
    for p, path in zip(parameters, ["model/embedding/embeddings", "model/head/kernel", "model/body/kernel"], strict=True):
        p.path = path
        p.accumulate(np.ones(1))
    ls_optim.SGD(1.0, rate_multipliers={"embedding": 0.1, r"head/": 3.0}).apply(parameters)
    assert [float(p.value[0]) for p in parameters] == [-0.1, -3.0, -1.0]


# --- state and configuration ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_training_goes_on_exactly_from_a_saved_state(name: str) -> None:
    options: dict[str, Any] = {"use_ema": True, "gradient_accumulation_steps": 3, "ema_overwrite_frequency": 2}
    straight = run(make(name, **options), table(np.random.default_rng(0)), 10)
    parameters, first = table(np.random.default_rng(0)), make(name, **options)
    rng = np.random.default_rng(5)
    optimizer = first
    for step in range(10):
        if step == 5:  # between two updates, so that half-accumulated gradients travel too
            state = first.get_state()
            assert all(type(a) is np.ndarray and a.dtype != object for a in state.values())
            optimizer = type(first).from_config(first.get_config())
            optimizer.set_state(state)
            again = optimizer.get_state()
            assert again.keys() == state.keys()
        give(parameters, rng)
        optimizer.apply(parameters)
    for p, wanted in zip(parameters, straight, strict=True):
        np.testing.assert_array_equal(p.value, wanted)


def test_state_errors() -> None:
    same = [Parameter(np.zeros(2)), Parameter(np.zeros(2))]
    optimizer = ls_optim.Adam()
    run(optimizer, same, 1)
    with pytest.raises(ValueError, match="two Parameters of the optimiser have the path 'parameter'"):
        optimizer.get_state()
    other, weight = ls_optim.Adam(), Parameter(np.zeros(3), name="w")
    run(other, [weight], 1)
    optimizer.set_state(other.get_state())
    with pytest.raises(ValueError, match=r"the optimiser's state 'w/m' has shape \(3,\), its Parameter wants \(2,\)"):
        run(optimizer, [Parameter(np.zeros(2), name="w")], 1)


def test_the_learning_rate_travels_with_the_state() -> None:
    optimizer = ls_optim.SGD(0.5)
    optimizer.learning_rate = 0.25
    other = ls_optim.SGD(0.5)
    other.set_state(optimizer.get_state())
    assert other.learning_rate == 0.25


def test_converted_parameters_take_their_state_along() -> None:
    weight, optimizer = Parameter(np.zeros(2)), ls_optim.Adam()
    run(optimizer, [weight], 2)
    weight.value = weight.value.astype("float32")
    run(optimizer, [weight], 1)
    assert optimizer.state(weight)["m"].dtype == "float32"


@pytest.mark.parametrize("name", NAMES)
def test_configuration(name: str) -> None:
    optimizer = make(name, learning_rate=CosineDecay(0.1, 5), clipnorm=1.0, lazy_rows=False, rate_multipliers={"a": 2.0})
    config = serialize(optimizer)
    again = deserialize("optimizer", config)
    assert type(again) is type(optimizer)
    assert serialize(again) == config
    assert again.learning_rate == optimizer.learning_rate
    assert not again.lazy_rows
    changed = ls_optim.SGD(lr=0.1, momentum=0.5)
    changed.learning_rate, changed.momentum = 0.2, 0.75
    assert {k: changed.get_config()[k] for k in ("learning_rate", "momentum")} == {"learning_rate": 0.2, "momentum": 0.75}


def test_wrong_arguments() -> None:
    for arguments, message in [
        ({"clipnorm": 1.0, "clipvalue": 1.0}, "exclude each other"),
        ({"gradient_accumulation_steps": 1}, "2 or more"),
        ({"ema_momentum": 1.5}, "between 0 and 1"),
        ({"ema_overwrite_frequency": 0}, "1 or more"),
        ({"momentum": 2.0}, "SGD: momentum"),
    ]:
        with pytest.raises(ValueError, match=message):
            ls_optim.SGD(**arguments)
    with pytest.raises(TypeError):
        ls_optim.SGD(rate=0.1)
    with pytest.raises(ValueError, match="AdamW: weight_decay"):
        ls_optim.AdamW(weight_decay=None)
    with pytest.raises(ValueError, match="Lion: beta_1"):
        ls_optim.Lion(beta_1=0.0)
    with pytest.raises(ValueError, match="Ftrl: learning_rate_power"):
        ls_optim.Ftrl(learning_rate_power=0.5)


# --- a device -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shared", [{}, {"clipnorm": 0.5}, {"global_clipnorm": 0.5, "weight_decay": 0.1}, {"clipvalue": 0.2, "use_ema": True}], ids=str
)
@pytest.mark.parametrize("name", NAMES)
def test_device(name: str, shared: dict[str, Any], rng: np.random.Generator) -> None:
    start, rows = rng.normal(size=(4, 3)), np.array([0, 2])
    results = []
    for place in ("numpy", "standin"):
        weight, other = (Parameter(ls_core.to_device(start.copy(), place), name=n) for n in "ab")
        optimizer = make(name, **shared)
        for step in range(3):
            g = np.random.default_rng(step).normal(size=(4, 3))
            weight.accumulate(ls_core.to_device(g, place))
            other.accumulate(RowGradient(ls_core.to_device(rows, place), ls_core.to_device(g[rows], place), (4, 3)))
            with host_syncs() as waits:
                optimizer.apply([weight, other])
            assert not waits
        assert ls_core.backend.backend_of(weight.value).name == place
        results.append([ls_core.to_host(p.value) for p in (weight, other)])
    np.testing.assert_allclose(results[0], results[1], rtol=1e-12)
