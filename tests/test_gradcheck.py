"""The gradient checker: right backwards pass with room to spare, wrong ones are caught, and nothing of the caller's moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ls_core
from ls_core import Layer, Model, Parameter, RowGradient, Sequential
from ls_core.gradcheck import GradientError, check_activation, check_function, check_layer, check_loss
from ls_core.gradcheck.probes import CAPS, derived_tolerance
from ls_core.testing import standin
from ls_layers import Add, Dense, Dropout, Embedding

assert standin.STANDIN  # makes backend 'standin' known


class Affine(Layer):
    """y = x W + b, whose backward a test can spoil."""

    spoil: Callable[[np.ndarray, str], Any] = staticmethod(lambda g, name: g)

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight((input_shape[-1], 3), name="kernel")
        self.bias = self.add_weight((3,), "zeros", name="bias")

    def forward(self, x: Any, training: bool = False) -> Any:
        return x @ self.kernel.value + self.bias.value, x

    def backward(self, dy: Any, saved: Any) -> Any:
        self.kernel.accumulate(self.spoil(saved.T @ dy, "kernel"))
        self.bias.accumulate(self.spoil(dy.sum(axis=0), "bias"))
        return self.spoil(dy @ self.kernel.value.T, "input")


def affine(spoil: Callable[[np.ndarray, str], Any] | None = None) -> Affine:
    layer = Affine()
    if spoil is not None:
        layer.__dict__["spoil"] = spoil
    return layer


X = np.random.default_rng(0).normal(size=(4, 2))

# --- right gradients -----------------------------------------------------------------------------


def test_report() -> None:
    report = check_layer(affine(), X, seed=3)
    assert [(row.target, row.mode) for row in report.rows] == [
        (target, mode) for target in ("input", "kernel", "bias") for mode in ("central", "complex")
    ]
    for row in report.rows:
        assert row.error <= row.tolerance <= CAPS[row.mode]
        assert row.margin == row.tolerance / row.error if row.error else row.margin == np.inf
        assert row.resampled == 0
    assert report.error("complex") < 1e-14
    assert report.worst in report.rows
    assert report.seed == 3
    text = str(report)
    for word in ("Affine 'affine' (seed 3)", "kernel", "central", "complex", "tolerance", "margin"):
        assert word in text


@pytest.mark.parametrize("seed", range(20))
def test_never_flaky(seed: int) -> None:
    """Any seed passes, with a margin: the bound is not one that luck decides."""
    rng = np.random.default_rng(seed)
    model = Sequential([Dense(4, activation="tanh"), Dense(3, activation="relu"), Dense(2, activation="softmax")])
    report = check_layer(model, rng.normal(size=(3, 5)), seed=seed)
    assert all(row.margin > 5 for row in report.rows), str(report)


def test_modes() -> None:
    assert {row.mode for row in check_layer(affine(), X, mode="central").rows} == {"central"}
    assert {row.mode for row in check_layer(affine(), X, mode="complex").rows} == {"complex"}
    with pytest.raises(ValueError, match="mode is"):
        check_layer(affine(), X, mode="both")


def test_a_forward_that_refuses_complex_numbers_says_so() -> None:
    def forward(x: np.ndarray) -> Any:
        return np.floor(x) * 0 + x * x, x

    report = check_function(forward, lambda dy, x: 2 * x * dy, X)
    assert {row.mode for row in report.rows} == {"central"}
    assert "does not run on complex numbers (TypeError" in report.notes["input"]
    assert "no complex step" in str(report)
    with pytest.raises(GradientError, match="no complex step for input"):
        check_function(forward, lambda dy, x: 2 * x * dy, X, mode="complex")


@pytest.mark.parametrize(
    ("forward", "backward"),
    [
        (lambda x: (np.abs(x), x), lambda dy, x: dy * np.sign(x)),
        (lambda x: (x * x.real, x), lambda dy, x: dy * 2 * x),
        (lambda x: (np.abs(x) ** 2 + x, x), lambda dy, x: dy * (2 * x + 1)),
        (lambda x: (np.sqrt((x * np.conj(x)).sum(axis=1)), x), lambda dy, x: dy[:, None] * x / np.sqrt((x * x).sum(axis=1))[:, None]),
    ],
)
def test_a_forward_that_is_not_analytic_is_seen(forward: Any, backward: Any) -> None:
    report = check_function(forward, backward, X)
    assert {row.mode for row in report.rows} == {"central"}
    assert "analytic" in report.notes["input"] or "real ones" in report.notes["input"]


def test_maximum_is_analytic_away_from_ties() -> None:
    report = check_function(lambda x: (np.maximum(x, 0), x > 0), lambda dy, m: dy * m, X)
    assert {row.mode for row in report.rows} == {"central", "complex"}


def test_several_inputs_outputs_and_integers() -> None:
    class Pick(Layer):
        def forward(self, x: Any, ids: Any, mask: Any = None, training: bool = False) -> Any:
            y = x[ids] if mask is None else x[ids] * mask[:, None]
            return (y, ids, x * x), (x, ids, mask)

        def backward(self, dy: Any, saved: Any) -> Any:
            x, ids, mask = saved
            assert dy[1] is None
            dx = 2 * x * dy[2]
            np.add.at(dx, ids, dy[0] if mask is None else dy[0] * mask[:, None])
            return dx, None

    ids = np.array([1, 1, 3])
    assert [row.target for row in check_layer(Pick(), X, ids).rows] == ["input 0", "input 0"]
    check_layer(Pick(), X, ids, mask=np.array([True, False, True]))

    class Wrong(Pick):
        def backward(self, dy: Any, saved: Any) -> Any:
            return saved[0] * 0, saved[1] * 0

    with pytest.raises(GradientError, match="input 1 holds no floating numbers, so backward returns None"):
        check_layer(Wrong(), X, ids)


def test_keyword_inputs_with_gradients() -> None:
    class Start(Layer):
        gradient_keywords = ("initial_state",)

        def forward(self, x: Any, initial_state: Any = None, training: bool = False) -> Any:
            h, c = initial_state
            return x * h + c, (x, h)

        def backward(self, dy: Any, saved: Any) -> Any:
            x, h = saved
            return dy * h, dy * x, self.factor * dy

        factor = 1.0

    state = [X + 1, X - 1]
    report = check_layer(Start(), X, initial_state=state)
    assert sorted({row.target for row in report.rows}) == ["input 0", "input 1", "input 2"]
    Start.factor = 0.99
    with pytest.raises(GradientError, match="the gradient of input 2 is wrong"):
        check_layer(Start(), X, initial_state=state)


def test_row_gradients() -> None:
    ids = np.array([[0, 2], [2, 2]])
    report = check_layer(Embedding(4, 3), ids)
    assert {row.target for row in report.rows} == {"embeddings"}
    layer = Embedding(4, 3)
    backward = layer.backward

    def half(dy: Any, cache: Any) -> Any:
        result = backward(dy, cache)
        grad = layer.embeddings.grad
        layer.embeddings.grad = RowGradient(grad.rows, grad.values * 0.5, grad.shape)
        return result

    assert half(*_forward(layer, ids)) is None
    assert isinstance(layer.embeddings.grad, RowGradient)


def _forward(layer: Layer, *inputs: Any) -> tuple[Any, Any]:
    y, cache = layer.forward(*inputs)
    return np.ones_like(y), cache


def test_containers() -> None:
    shared = Dense(3, activation="tanh")
    a, b = ls_core.Input((2,)), ls_core.Input((2,))
    model = Model([a, b], [Add()([shared(a), shared(b)]), Dense(1)(shared(b))])
    report = check_layer(model, X, X[::-1] + 1)
    assert {row.target for row in report.rows} == {"input 0", "input 1", "dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias"}


def test_zero_gradients_are_right_where_mathematics_says_so() -> None:
    """softmax is blind to a common shift: the true gradient is rounding error, which must not fail the check."""

    class Shifted(Layer):
        def build(self, input_shape: Any) -> None:
            self.shift = self.add_weight((1,), name="shift")
            self.softmax = Dense(3, activation="softmax")

        def forward(self, x: Any, training: bool = False) -> Any:
            z = x + self.shift.value
            e = np.exp(z)
            y = e / e.sum(axis=-1, keepdims=True)
            return y, y

        def backward(self, dy: Any, y: Any) -> Any:
            dz = y * (dy - (dy * y).sum(axis=-1, keepdims=True))
            self.shift.accumulate(dz.sum().reshape(1))
            return dz

    with pytest.raises(GradientError, match="the gradient of shift is zero in 2 random probes"):
        check_layer(Shifted(), X)
    report = check_layer(Shifted(), X, dead=["shift"])
    assert {row.target for row in report.rows} == {"input", "shift"}
    with pytest.raises(GradientError, match="bias was said to be dead"):
        check_layer(affine(), X, dead=["bias"])


# --- the caller's things stay --------------------------------------------------------------------


def test_the_layer_and_the_streams_stay_as_they_were() -> None:
    layer = Sequential([Dense(3), Dropout(0.5), Dense(2)])
    layer(X.astype(np.float32))
    layer.parameters()[0].accumulate(np.ones_like(layer.parameters()[0].value))
    before = [w.copy() for w in layer.get_weights()], layer.parameters()[0].grad.copy(), ls_core.get_random_state()
    check_layer(layer, X, training=True)
    for w, old in zip(layer.get_weights(), before[0], strict=True):
        assert w.dtype == np.float32
        np.testing.assert_array_equal(w, old)
    np.testing.assert_array_equal(layer.parameters()[0].grad, before[1])
    assert layer.parameters()[1].grad is None
    assert ls_core.get_random_state() == before[2]


def test_an_unbuilt_layer_stays_unbuilt() -> None:
    layer = Dense(3)
    check_layer(layer, X.astype(np.float32))
    assert not layer.built
    assert ls_core.random_stream("dense/kernel").generator.random() == ls_core.random.Stream("dense/kernel", 0).generator.random()


def test_dropout_masks_repeat() -> None:
    report = check_layer(Sequential([Dense(4, activation="tanh"), Dropout(0.5), Dense(2)]), X, training=True)
    assert report.error() < 1e-7


def test_state_is_put_back_between_forwards() -> None:
    class Counting(Layer):
        def build(self, input_shape: Any) -> None:
            self.count = self.add_weight((), "ones", state=True, name="count")

        def forward(self, x: Any, training: bool = False) -> Any:
            factor = self.count.value.copy()
            self.count.assign(factor + 1)
            return x * factor, factor

        def backward(self, dy: Any, saved: Any) -> Any:
            return dy * saved

    layer = Counting()
    check_layer(layer, X)
    layer(X)
    assert float(layer.count.value) == 2.0
    check_layer(layer, X)
    assert float(layer.count.value) == 2.0


def test_a_layer_inside_a_model() -> None:
    model = Sequential([Dense(3, activation="tanh"), Dense(2)])
    model(X)
    report = check_layer(model.layers[1], np.ones((2, 3)))
    assert {row.target for row in report.rows} == {"input", "kernel", "bias"}
    assert model.layers[1]._parent is model


# --- wrong gradients -----------------------------------------------------------------------------

WRONG: dict[str, Callable[[np.ndarray, str], Any]] = {
    "1 % off": lambda g, name: g * 1.01,
    "a millionth off": lambda g, name: g * (1 + 1e-6),
    "sign": lambda g, name: -g,
    "zero": lambda g, name: g * 0,
    "1/N": lambda g, name: g / 4,
    "one element": lambda g, name: g + np.eye(g.size)[0].reshape(g.shape) * 1e-4,
    "swapped rows": lambda g, name: g[::-1].copy(),
    "NaN": lambda g, name: g * np.nan,
}


@pytest.mark.parametrize("target", ["input", "kernel", "bias"])
@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_gradients_are_caught(wrong: str, target: str) -> None:
    layer = affine(lambda g, name: WRONG[wrong](g, name) if name == target else g)
    with pytest.raises(GradientError) as caught:
        check_layer(layer, X, seed=5)
    message = str(caught.value)
    assert "Affine 'affine'" in message
    assert target in message
    assert "seed 5" in message
    if wrong == "1 % off":
        assert "derivative" in message
        assert "backward" in message
        assert "e-03" in message


@pytest.mark.parametrize("target", ["input", "kernel", "bias"])
def test_an_error_far_below_what_central_differences_see_is_seen_by_the_complex_step(target: str) -> None:
    layer = affine(lambda g, name: g * (1 + 1e-10) if name == target else g)
    with pytest.raises(GradientError, match="complex derivative"):
        check_layer(layer, X)
    check_layer(layer, X, mode="central")
    check_layer(layer, X, tolerance=1e-6)


def test_missing_and_misshapen_gradients() -> None:
    with pytest.raises(GradientError, match="backward returned None for input 0"):
        check_layer(affine(lambda g, name: None if name == "input" else g), X)
    with pytest.raises(GradientError, match=r"has shape \(2, 4\), the input \(4, 2\)"):
        check_layer(affine(lambda g, name: g.T if name == "input" else g), X)
    with pytest.raises(GradientError, match="2 gradients for 1 inputs"):
        check_layer(affine(lambda g, name: (g, g) if name == "input" else g), X)
    with pytest.raises(ValueError, match="a sum over the broadcast axes is probably missing"):
        check_layer(affine(lambda g, name: np.ones((4, 3)) if name == "bias" else g), X)


def test_a_gradient_that_is_overwritten() -> None:
    class Overwriting(Affine):
        def backward(self, dy: Any, saved: Any) -> Any:
            self.kernel.accumulate(saved.T @ dy)
            self.bias.grad = dy.sum(axis=0)
            return dy @ self.kernel.value.T

    with pytest.raises(GradientError, match="a second backward does not add to the gradient of bias"):
        check_layer(Overwriting(), X)


def test_an_all_ones_cotangent_would_be_blind() -> None:
    def forward(x: np.ndarray) -> Any:
        e = np.exp(x)
        y = e / e.sum(axis=-1, keepdims=True)
        return y, y

    y = forward(X)[0]
    assert np.abs(y * (1 - y.sum(axis=-1, keepdims=True))).max() < 1e-15  # the true dx for a dy of ones
    with pytest.raises(GradientError):
        check_function(forward, lambda dy, y: 0 * dy, X)


def test_a_forward_that_is_not_deterministic() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(GradientError, match="two forwards on the same inputs differ"):
        check_function(lambda x: (x + rng.normal(), None), lambda dy, _: dy, X)


def test_a_forward_that_is_not_finite() -> None:
    with pytest.raises(GradientError, match="output is not finite"):
        check_function(lambda x: (x * np.inf, None), lambda dy, _: dy, X)


# --- kinks ---------------------------------------------------------------------------------------


def relu(x: np.ndarray) -> Any:
    return np.maximum(x, 0), x


@pytest.mark.parametrize("distance", [0.0, 1e-9, 3e-6, 6.6667e-6, 9e-6, 1.2e-5, 1.9e-5])
def test_kinks_are_resampled_and_counted(distance: float) -> None:
    """Wherever the kink lies within the steps, the check neither fails a right gradient nor passes a wrong one."""
    x = np.full((1, 1), distance)
    report = check_function(relu, lambda dy, x: dy * (x > 0), x)
    assert abs(distance) > 1e-6 or report.rows[0].resampled == 1
    with pytest.raises(GradientError):
        check_function(relu, lambda dy, x: dy * (x > 0) * 1.001, x)


def test_ties() -> None:
    def forward(x: np.ndarray) -> Any:
        return x.max(axis=1), x

    def backward(dy: np.ndarray, x: np.ndarray) -> Any:
        return dy[:, None] * (x == x.max(axis=1, keepdims=True))  # right but for ties

    assert check_function(forward, backward, np.ones((2, 3))).rows[0].resampled == 1
    given = check_function(forward, backward, np.ones((2, 3)), resample=lambda g: (g.normal(size=(2, 3)),))
    assert given.rows[0].resampled == 1


def test_kinks_of_parameters() -> None:
    class Hinge(Layer):
        def build(self, input_shape: Any) -> None:
            self.bias = self.add_weight((2,), "zeros", name="bias")

        def forward(self, x: Any, training: bool = False) -> Any:
            y = np.maximum(x * 0 + self.bias.value, 0)
            return y, y

        def backward(self, dy: Any, y: Any) -> Any:
            self.bias.accumulate((dy * (y > 0)).sum(axis=0))
            return dy * 0

    report = check_layer(Hinge(), X, noise=0.0, mode="central")
    assert all(row.resampled > 0 for row in report.rows)


def test_no_smooth_place() -> None:
    steps = np.vectorize(lambda v: np.floor(v * 1e6) / 1e6)
    with pytest.raises(GradientError, match=r"near a kink or a tie .* and so it was at 10 other inputs"):
        check_function(lambda x: (steps(x), None), lambda dy, _: dy, X)


def test_a_strongly_curved_forward_is_no_kink() -> None:
    """Truncation alone is above the bound here; a smaller step shows that the gradient is right."""
    report = check_function(lambda x: (np.sin(3000 * x), x), lambda dy, x: dy * 3000 * np.cos(3000 * x), X, mode="central")
    assert report.rows[0].resampled == 0


# --- the other checks ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["relu", "tanh", "sigmoid", "softmax", "gelu", "linear"])
@pytest.mark.parametrize("backend", ["numpy", "standin"])
def test_activations(name: str, backend: str) -> None:
    report = check_activation(name, X, backend=backend)
    assert report.name == f"activation {name}"
    assert report.rows


def test_losses() -> None:
    labels = np.eye(2)[[0, 1, 1, 0]]
    for reduction in ("sum_over_batch_size", "sum", "none"):
        report = check_loss(ls_core.losses.CategoricalCrossentropy(from_logits=True, reduction=reduction), labels, X)
        assert {row.target for row in report.rows} == {"y_pred"}
    check_loss("mean_squared_error", labels, X, np.array([1.0, 0.0, 2.0, 1.0]))
    check_loss("mean_squared_error", labels, X, backend="standin")

    class Forgetful(ls_core.losses.MeanSquaredError):
        def value_and_grad(self, *args: Any, **named: Any) -> Any:
            value, gradient = super().value_and_grad(*args, **named)
            return value, gradient * len(X)  # 1/N forgotten

    with pytest.raises(GradientError, match="the gradient of y_pred is wrong"):
        check_loss(Forgetful(), labels, X)

    class Another(ls_core.losses.MeanSquaredError):
        def __call__(self, *args: Any, **named: Any) -> Any:
            return super().__call__(*args, **named) * 2

    with pytest.raises(GradientError, match="value_and_grad's value is"):
        check_loss(Another(), labels, X)


def test_on_the_standin() -> None:
    report = check_layer(Dense(3, activation="gelu"), X, backend="standin")
    assert {row.mode for row in report.rows} >= {"central"}

    class Implicit(Layer):
        def forward(self, x: Any, training: bool = False) -> Any:
            return np.tanh(x), x

        def backward(self, dy: Any, x: Any) -> Any:
            return dy * (1 - np.tanh(x) ** 2)

    check_layer(Implicit(), X)
    with pytest.raises(TypeError):
        check_layer(Implicit(), X, backend="standin")


def test_derived_tolerance() -> None:
    for mode, cap in CAPS.items():
        assert derived_tolerance(mode, 1e-5, 10**12) == cap
        assert derived_tolerance(mode, 1e-5, 1) < cap
    assert derived_tolerance("central", 1e-3, 1) == 1e-7


def test_frozen_parameters_are_no_targets() -> None:
    layer = Dense(3)
    layer(X)
    layer.kernel.trainable = False
    assert {row.target for row in check_layer(layer, X).rows} == {"input", "bias"}


def test_empty_and_nothing_to_check() -> None:
    assert check_function(lambda x: (x * 2, None), lambda dy, _: dy * 2, np.zeros((0, 3))).rows == []
    report = check_function(lambda ids: (ids * 1.0, None), lambda dy, _: None, np.array([1, 2]))
    assert report.rows == []
    assert report.worst is None
    assert np.isnan(report.error())
    assert "nothing here carries a gradient" in str(report)


def test_parameters_of_the_copy_are_plain() -> None:
    table = Parameter(np.ones((3, 2)), name="table")

    class Tied(Layer):
        def __init__(self) -> None:
            super().__init__()
            self.first = table
            self.second = table

        def forward(self, x: Any, training: bool = False) -> Any:
            return x @ self.first.value @ self.second.value.T, x

        def backward(self, dy: Any, x: Any) -> Any:
            W = self.first.value
            self.first.accumulate(x.T @ (dy @ W))
            self.second.accumulate((x @ W).T @ dy if False else dy.T @ (x @ W))
            return dy @ W @ W.T

    report = check_layer(Tied(), np.random.default_rng(1).normal(size=(2, 3)))
    assert {row.target for row in report.rows} == {"input", "table"}
    np.testing.assert_array_equal(table.value, np.ones((3, 2)))


# --- the mistakes of a layer's author, told as such ---------------------------------------------------


class Linear(Layer):
    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight((input_shape[-1], 2), name="kernel")

    def output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[:-1], 2)

    def forward(self, x: Any, training: bool = False) -> Any:
        return x @ self.kernel.value, x

    def backward(self, dy: Any, x: Any) -> Any:
        self.kernel.accumulate(x.T @ dy)
        return dy @ self.kernel.value.T


class OnSelf(Linear):
    def forward(self, x: Any, training: bool = False) -> Any:
        self.last = x
        return x @ self.kernel.value, None

    def backward(self, dy: Any, saved: Any) -> Any:
        self.kernel.accumulate(self.last.T @ dy)
        return dy @ self.kernel.value.T


class WritesInput(Linear):
    def forward(self, x: Any, training: bool = False) -> Any:
        x -= 1.0
        return x @ self.kernel.value, x


class WritesDy(Linear):
    def backward(self, dy: Any, x: Any) -> Any:
        dy *= 2.0
        self.kernel.accumulate(x.T @ dy / 2)
        return dy @ self.kernel.value.T / 2


class WritesSaved(Linear):
    def forward(self, x: Any, training: bool = False) -> Any:
        return x @ self.kernel.value, x.copy()

    def backward(self, dy: Any, x: Any) -> Any:
        self.kernel.accumulate(x.T @ dy)
        x *= 2.0
        return dy @ self.kernel.value.T


class Coarse(Linear):
    def forward(self, x: Any, training: bool = False) -> Any:
        return (x @ self.kernel.value).astype(np.float32), x


class Flipped(Linear):
    def backward(self, dy: Any, x: Any) -> Any:
        self.kernel.accumulate(x.T @ dy)
        return -dy @ self.kernel.value.T


class Transposed(Linear):
    def backward(self, dy: Any, x: Any) -> Any:
        self.kernel.accumulate(dy.T @ x)
        return dy @ self.kernel.value.T


class NoPair(Linear):
    def forward(self, x: Any, training: bool = False) -> Any:
        return x @ self.kernel.value


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (OnSelf, "the gradient of kernel changes when another forward comes before backward.*Keep what backward needs in `saved`"),
        (WritesInput, "forward writes to input"),
        (WritesDy, "backward writes to dy"),
        (WritesSaved, "backward writes to an array in `saved`"),
        (Coarse, "forward gives float32 for float64 inputs"),
        (Flipped, r"the gradient of input is wrong: .* \(-1 times as much\)"),
        (Transposed, "it is probably transposed"),
        (NoPair, r"forward returns \(y, saved\), not ndarray"),
    ],
)
def test_what_is_wrong_is_told(kind: Any, message: str, rng: np.random.Generator) -> None:
    check_layer(Linear(), rng.normal(size=(4, 3)))
    with pytest.raises((GradientError, ValueError, TypeError), match=message):
        check_layer(kind(), rng.normal(size=(4, 3)))


def test_what_is_no_layer_or_no_array(rng: np.random.Generator) -> None:
    wrong: Any = Linear
    with pytest.raises(TypeError, match=r"make one: Linear\(...\)"):
        check_layer(wrong, rng.normal(size=(4, 3)))
    with pytest.raises(TypeError, match="and then the inputs of its forward"):
        check_layer(Linear())
    with pytest.raises(TypeError, match=r"np.array\(...\)"):
        check_layer(Linear(), [[1.0, 2.0, 3.0]])


def test_the_contract_says_which_check_failed() -> None:
    from ls_core import register_serializable
    from ls_core.gradcheck import Case
    from ls_core.testing.contract import check_case

    @register_serializable()
    class Factored(Linear):
        def __init__(self, factor: float = 1.0, **options: Any) -> None:
            super().__init__(**options)
            self.factor = factor

        def get_config(self) -> dict[str, Any]:
            return {"name": self.name}

        def forward(self, x: Any, training: bool = False) -> Any:
            return x @ self.kernel.value * self.factor, x

        def backward(self, dy: Any, x: Any) -> Any:
            self.kernel.accumulate(x.T @ dy * self.factor)
            return dy @ self.kernel.value.T * self.factor

    def inputs(g: np.random.Generator) -> Any:
        return (g.normal(size=(4, 3)),)

    check_case(Case("Factored", Factored, inputs))
    with pytest.raises(AssertionError, match=r"^Factored 2: check 'config_round_trip' \(.*get_config.*\) failed with"):
        check_case(Case("Factored 2", lambda: Factored(2.0), inputs))
    with pytest.raises(AssertionError, match=r"returns a tuple with the layer's inputs, \(x,\) for one"):
        check_case(Case("Factored 3", Factored, lambda g: inputs(g)[0]))
