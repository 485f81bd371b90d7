"""Losses: gradients, independent values, reductions, dtypes, errors, and the stand-in device."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

import ls_core
from ls_core import losses
from ls_core.errors import ShapeError
from ls_core.gradcheck import GradientError, check_loss
from ls_core.losses.cases import LOSS_TABLE, LossCase
from ls_core.losses.loss import REDUCTIONS, Loss
from ls_core.registry import deserialize, serialize
from ls_core.testing.standin import host_syncs
from ls_core.testing.tolerances import assert_close

rows = pytest.mark.parametrize("case", LOSS_TABLE, ids=[case.name for case in LOSS_TABLE])


def inputs_of(case: LossCase, seed: int = 0) -> tuple[Any, Any, Any]:
    found = case.inputs(np.random.default_rng(seed))
    return found[0], found[1], found[2] if len(found) == 3 else None


# --- every row -----------------------------------------------------------------------------------


def test_every_loss_has_a_row() -> None:
    classes = {name for name in losses.__all__ if isinstance(getattr(losses, name), type)} - {"Loss"}
    assert classes == {type(case.make()).__name__ for case in LOSS_TABLE}


@rows
def test_gradient(case: LossCase) -> None:
    check_loss(case.make(), *inputs_of(case))


@rows
def test_a_gradient_one_percent_off_is_caught(case: LossCase) -> None:
    loss = case.make()
    right = loss.per_sample_gradient
    loss.per_sample_gradient = lambda weights, saved: right(weights, saved) * 1.01  # type: ignore[method-assign]
    with pytest.raises(GradientError):
        check_loss(loss, *inputs_of(case))


@rows
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_dtype_is_kept(case: LossCase, dtype: str) -> None:
    y_true, y_pred, weight = inputs_of(case)
    wide, wide_gradient = case.make().value_and_grad(y_true, y_pred, weight)
    value, gradient = case.make().value_and_grad(y_true, y_pred.astype(dtype), weight)
    assert value.dtype == gradient.dtype == dtype
    assert_close(value, wide)
    assert_close(gradient, wide_gradient)


@rows
def test_inputs_stay_and_the_gradient_is_fresh(case: LossCase) -> None:
    given = inputs_of(case)
    for part in given:
        if part is not None:
            part.flags.writeable = False
    _, gradient = case.make().value_and_grad(*given)
    assert gradient.shape == given[1].shape
    assert not any(np.shares_memory(gradient, part) for part in given if part is not None)
    gradient += 1.0


@rows
def test_views_give_the_same(case: LossCase) -> None:
    y_true, y_pred, weight = inputs_of(case)
    spread = np.zeros((*y_pred.shape[:-1], 2 * y_pred.shape[-1]))
    spread[..., ::2] = y_pred
    value, gradient = case.make().value_and_grad(y_true, y_pred, weight)
    other, other_gradient = case.make().value_and_grad(np.asfortranarray(y_true), spread[..., ::2], weight)
    np.testing.assert_allclose(other, value, rtol=1e-14)
    np.testing.assert_allclose(other_gradient, gradient, rtol=1e-12, atol=1e-15)


@rows
@pytest.mark.parametrize("device", ["standin", pytest.param("cupy", marks=pytest.mark.gpu)])
def test_on_a_device(case: LossCase, device: str) -> None:
    """What the references compute on the host (the stand-in: bit for bit), nothing read back in between."""
    given = inputs_of(case)
    with ls_core.use_references():
        wanted = case.make().value_and_grad(*given)
    moved = [None if part is None else ls_core.to_device(part, device) for part in given]
    with host_syncs() as found:
        got = case.make().value_and_grad(*moved)
        called = case.make()(*moved)
    assert not found
    for on_device, on_host in zip((*got, called), (*wanted, wanted[0]), strict=True):
        assert_close(on_device, on_host)
        if device == "standin":
            np.testing.assert_array_equal(ls_core.to_host(on_device), on_host)


@rows
def test_config(case: LossCase) -> None:
    loss = case.make()
    again = deserialize("loss", serialize(loss))
    assert again.get_config() == loss.get_config()
    given = inputs_of(case)
    np.testing.assert_array_equal(again(*given), loss(*given))


@rows
def test_reductions_agree(case: LossCase) -> None:
    """Each reduction is the sum of what 'none' gives, divided by what it says."""
    y_true, y_pred, weight = inputs_of(case)
    made: dict[Any, Any] = {}
    for reduction in REDUCTIONS:
        loss = type(case.make()).from_config({**case.make().get_config(), "reduction": reduction})
        made[reduction] = loss.value_and_grad(y_true, y_pred, weight)
    each, gradient = made["none"]
    if isinstance(case.make(), losses.Circle) or getattr(case.make(), "ignore_class", None) is not None:
        return  # their masks change the divisor; test_ignored_classes_and_masks
    divisors = {"sum": 1.0, "mean": each.size, "sum_over_batch_size": each.size, None: 1.0}
    for reduction, divisor in divisors.items():
        expected = each if reduction is None else each.sum() / divisor
        np.testing.assert_allclose(made[reduction][0], expected, rtol=1e-13)
        np.testing.assert_allclose(made[reduction][1], gradient / divisor, rtol=1e-12, atol=1e-15)


def test_a_batch_of_zero() -> None:
    for loss, y_true, y_pred in (
        (losses.MeanSquaredError(), np.zeros((0, 3)), np.zeros((0, 3))),
        (losses.BinaryCrossentropy(), np.zeros((0, 1)), np.zeros((0, 1))),
        (losses.CategoricalCrossentropy(from_logits=True), np.zeros((0, 3)), np.zeros((0, 3))),
        (losses.SparseCategoricalCrossentropy(from_logits=True), np.zeros(0, int), np.zeros((0, 3))),
    ):
        value, gradient = loss.value_and_grad(y_true, y_pred)
        assert float(value) == 0.0
        assert gradient.shape == y_pred.shape


# --- independent values --------------------------------------------------------------------------


def by_loops(each: Any) -> Any:
    """The mean over samples of the mean over entries of ``each(t, p)``, in plain Python."""

    def mean(y_true: Any, y_pred: Any) -> float:
        samples = [sum(map(each, t, p)) / len(t) for t, p in zip(y_true.tolist(), y_pred.tolist(), strict=True)]
        return sum(samples) / len(samples)

    return mean


def over_classes(each: Any) -> Any:
    """The mean over samples of ``each(t, p)`` on whole rows."""

    def mean(y_true: Any, y_pred: Any) -> float:
        y_true = y_true.reshape(-1, *y_true.shape[y_pred.ndim - 1 :])
        found = [each(t, p) for t, p in zip(y_true.tolist(), y_pred.reshape(-1, y_pred.shape[-1]).tolist(), strict=True)]
        return sum(found) / len(found)

    return mean


def softmax(z: list[float]) -> list[float]:
    e = [math.exp(x) for x in z]
    return [x / sum(e) for x in e]


def share(p: list[float]) -> list[float]:
    return [x / sum(p) for x in p]


def binary(t: float, p: float) -> float:
    return -(t * math.log(p) + (1 - t) * math.log(1 - p))


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def focal(t: float, p: float) -> float:
    return float((t * (1 - p) + (1 - t) * p) ** 2 * binary(t, p))


def overlap(y_true: Any, y_pred: Any, a: float, b: float) -> float:
    pairs = list(zip(y_true.ravel().tolist(), y_pred.ravel().tolist(), strict=True))
    both = sum(t * p for t, p in pairs)
    return 1 - both / (both + a * sum(t * (1 - p) for t, p in pairs) + b * sum((1 - t) * p for t, p in pairs))


def paths(labels: list[int], time: int, classes: int) -> Any:
    """Every path of ``time`` classes that collapses to ``labels``: repeats joined, then blanks (0) dropped."""
    for path in itertools.product(range(classes), repeat=time):
        if [c for i, c in enumerate(path) if c and (i == 0 or path[i - 1] != c)] == labels:
            yield path


def ctc(labels: Any, logits: Any) -> float:
    found = []
    for row, z in zip(labels.tolist(), logits, strict=True):
        p = [softmax(step) for step in z.tolist()]
        total = sum(math.prod(p[i][c] for i, c in enumerate(path)) for path in paths([c for c in row if c], len(p), len(p[0])))
        found.append(-math.log(total))
    return sum(found) / len(found)


def circle(ids: Any, y: Any) -> float:
    gamma, m, found = 3.0, 0.4, []
    for i in range(len(ids)):
        s = [max(1 - float(y[i] @ y[j]), 0.0) for j in range(len(ids))]
        like = sum(math.exp(-gamma * (m + s[j]) * (m - s[j])) for j in range(len(ids)) if j != i and ids[j] == ids[i])
        unlike = sum(math.exp(gamma * max(1 + m - s[j], 0.0) * (1 - m - s[j])) for j in range(len(ids)) if ids[j] != ids[i])
        if like and unlike:
            found.append(math.log(1 + like * unlike))
    return sum(found) / len(found)


EXPECTED = {
    "MeanSquaredError": by_loops(lambda t, p: (t - p) ** 2),
    "MeanAbsoluteError": by_loops(lambda t, p: abs(t - p)),
    "MeanAbsolutePercentageError": by_loops(lambda t, p: 100 * abs((t - p) / t)),
    "MeanSquaredLogarithmicError": by_loops(lambda t, p: (math.log(1 + t) - math.log(1 + p)) ** 2),
    "CosineSimilarity": over_classes(lambda t, p: -sum(map(lambda a, b: a * b, t, p)) / math.hypot(*t) / math.hypot(*p)),
    "Huber": by_loops(lambda t, p: (t - p) ** 2 / 2 if abs(t - p) <= 1 else abs(t - p) - 0.5),
    "LogCosh": by_loops(lambda t, p: math.log(math.cosh(t - p))),
    "Hinge": by_loops(lambda t, p: max(0.0, 1 - t * p)),
    "Hinge 0 and 1": by_loops(lambda t, p: max(0.0, 1 - (2 * t - 1) * p)),
    "SquaredHinge": by_loops(lambda t, p: max(0.0, 1 - t * p) ** 2),
    "CategoricalHinge": over_classes(lambda t, p: max(0.0, 1 + max(0 if a else b for a, b in zip(t, p, strict=True)) - p[t.index(1.0)])),
    "KLDivergence": over_classes(lambda t, p: sum(a * math.log(a / b) for a, b in zip(t, p, strict=True))),
    "Poisson": by_loops(lambda t, p: p - t * math.log(p + 1e-7)),
    "BinaryCrossentropy": by_loops(binary),
    "BinaryCrossentropy logits": by_loops(lambda t, z: binary(t, sigmoid(z))),
    "BinaryFocalCrossentropy": by_loops(focal),
    "BinaryFocalCrossentropy logits": by_loops(lambda t, z: focal(t, sigmoid(z))),
    "CategoricalCrossentropy": over_classes(lambda t, p: -sum(a * math.log(b) for a, b in zip(t, share(p), strict=True))),
    "CategoricalCrossentropy logits": over_classes(lambda t, z: -sum(a * math.log(b) for a, b in zip(t, softmax(z), strict=True))),
    "CategoricalFocalCrossentropy": over_classes(
        lambda t, p: -sum(0.25 * (1 - b) ** 2 * a * math.log(b) for a, b in zip(t, share(p), strict=True))
    ),
    "SparseCategoricalCrossentropy": over_classes(lambda y, p: -math.log(share(p)[y])),
    "SparseCategoricalCrossentropy logits": over_classes(lambda y, z: -math.log(softmax(z)[y])),
    "CategoricalGeneralizedCrossEntropy": over_classes(lambda y, p: (1 - math.sqrt(p[y])) / 0.5),
    "Dice": lambda t, p: overlap(t, p, 0.5, 0.5),
    "Tversky": lambda t, p: overlap(t, p, 0.3, 0.8),
    "Circle": circle,
    "CTC": ctc,
}


@pytest.mark.parametrize("name", EXPECTED)
def test_value(name: str) -> None:
    case = next(case for case in LOSS_TABLE if case.name == name)
    y_true, y_pred, _ = inputs_of(case)
    assert float(case.make()(y_true, y_pred)) == pytest.approx(EXPECTED[name](y_true, y_pred), rel=2e-7)


def test_every_loss_has_a_value() -> None:
    assert {name.split()[0] for name in EXPECTED} == {case.name.split()[0] for case in LOSS_TABLE}


# --- sample weights and masks --------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 3), (4, 3, 1), (1,), ()])
def test_sample_weights_stand_for_the_first_axes(shape: tuple[int, ...], rng: np.random.Generator) -> None:
    y_true, y_pred = rng.normal(size=(2, 4, 3, 2))
    weight = rng.uniform(size=shape)
    each = ((y_true - y_pred) ** 2).mean(axis=-1)  # (4, 3)
    full = weight.reshape(*shape, *(1,) * (2 - len(shape))) if len(shape) < 3 else weight[..., 0]
    assert float(losses.MeanSquaredError()(y_true, y_pred, weight)) == pytest.approx(float((each * full).mean()))
    check_loss("mse", y_true, y_pred, weight)


def test_weights_of_a_square_batch_are_the_rows(rng: np.random.Generator) -> None:
    """(3,) on losses (3, 3) weighs the rows, not the columns."""
    y_true, y_pred = rng.normal(size=(2, 3, 3, 2))
    each = ((y_true - y_pred) ** 2).mean(axis=-1)
    weight = np.array([1.0, 2.0, 0.0])
    assert float(losses.MeanSquaredError()(y_true, y_pred, weight)) == pytest.approx(float((each * weight[:, None]).mean()))


def test_weights_that_do_not_fit() -> None:
    for shape in ((2,), (4, 4), (4, 1, 1)):
        with pytest.raises(ShapeError, match=rf"sample_weight has shape \({', '.join(map(str, shape))},?\), the losses \(4,\)"):
            losses.MeanSquaredError()(np.zeros((4, 1)), np.zeros((4, 1)), np.ones(shape))


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean_with_sample_weight"])
def test_ignored_classes_and_masks(reduction: str, rng: np.random.Generator) -> None:
    """What is left out counts neither above nor below the fraction."""
    ids, logits = np.array([[1, 0, 2], [2, 2, 1]]), rng.normal(size=(2, 3, 4))
    mask = np.array([[True, False, True], [False, True, True]])
    options: dict[str, Any] = {"from_logits": True, "reduction": reduction}
    kept = losses.SparseCategoricalCrossentropy(**options)(ids[mask], logits[mask])
    ignored = losses.SparseCategoricalCrossentropy(ignore_class=9, **options)
    marked = np.where(mask, ids, 9)
    for value, gradient in (
        losses.SparseCategoricalCrossentropy(**options).value_and_grad(ids, logits, mask=mask),
        ignored.value_and_grad(marked, logits),
        ignored.value_and_grad(marked, logits, mask=mask),
    ):
        assert float(value) == pytest.approx(float(kept))
        assert (gradient[~mask] == 0).all()
        assert (gradient[mask] != 0).any()
    both = ignored.value_and_grad(marked, logits, np.ones((2, 3)), mask=np.array([[True, True, True], [True, False, True]]))[0]
    left = mask & np.array([[True, True, True], [True, False, True]])
    assert float(both) == pytest.approx(float(losses.SparseCategoricalCrossentropy(**options)(ids[left], logits[left])))


def test_all_masked_is_zero(rng: np.random.Generator) -> None:
    value, gradient = losses.MeanSquaredError().value_and_grad(np.ones((2, 1)), np.zeros((2, 1)), mask=np.zeros(2, bool))
    assert float(value) == 0
    assert (gradient == 0).all()


def test_all_weights_zero_is_zero() -> None:
    value, gradient = losses.MeanSquaredError("mean_with_sample_weight").value_and_grad(np.ones((2, 1)), np.zeros((2, 1)), np.zeros(2))
    assert float(value) == 0
    assert (gradient == 0).all()


# --- logits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["binary", "categorical", "sparse", "binary focal", "categorical focal"])
def test_with_logits(kind: str, rng: np.random.Generator) -> None:
    """The loss after its closing activation is the loss on logits, which with_logits() gives."""
    loss = {
        "binary": losses.BinaryCrossentropy(label_smoothing=0.1),
        "categorical": losses.CategoricalCrossentropy(label_smoothing=0.1),
        "sparse": losses.SparseCategoricalCrossentropy(ignore_class=3, reduction="sum"),
        "binary focal": losses.BinaryFocalCrossentropy(gamma=1.0),
        "categorical focal": losses.CategoricalFocalCrossentropy(alpha=0.5),
    }[kind]
    logits = rng.normal(size=(5, 4))
    y_true = np.array([0, 1, 3, 2, 1]) if kind == "sparse" else np.eye(4)[[0, 1, 3, 2, 1]]
    activation = deserialize("activation", loss.closing_activation)
    p, saved = activation.forward(logits)
    value, gradient = loss.value_and_grad(y_true, p)
    fused = loss.with_logits()
    assert fused.get_config() == {**loss.get_config(), "from_logits": True}
    assert fused.closing_activation == loss.closing_activation
    fused_value, fused_gradient = fused.value_and_grad(y_true, logits)
    np.testing.assert_allclose(fused_value, value, rtol=1e-12)
    np.testing.assert_allclose(fused_gradient, activation.backward(gradient, saved), rtol=1e-9, atol=1e-14)


def test_no_form_on_logits() -> None:
    assert losses.MeanSquaredError().closing_activation is None
    assert losses.CategoricalCrossentropy(axis=1).closing_activation is None  # softmax runs along the last axis
    with pytest.raises(ValueError, match="MeanSquaredError 'mean_squared_error' has no form on logits"):
        losses.MeanSquaredError().with_logits()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_extreme_logits_stay_finite(dtype: str) -> None:
    z = np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4]], dtype=dtype)
    for loss, y_true in (
        (losses.CategoricalCrossentropy(from_logits=True), np.eye(3)[[1, 2]]),
        (losses.SparseCategoricalCrossentropy(from_logits=True), np.array([1, 2])),
        (losses.BinaryCrossentropy(from_logits=True), np.eye(3)[[1, 2]]),
        (losses.BinaryFocalCrossentropy(from_logits=True), np.eye(3)[[1, 2]]),
        (losses.CategoricalFocalCrossentropy(from_logits=True), np.eye(3)[[1, 2]]),
        (losses.LogCosh(), np.eye(3)[[1, 2]]),
    ):
        value, gradient = loss.value_and_grad(y_true, z)
        assert np.isfinite(value), loss
        assert np.isfinite(gradient).all(), loss
        assert value.dtype == gradient.dtype == dtype


def test_small_probabilities_keep_their_digits_on_logits() -> None:
    """A confident, right prediction has a loss of about exp(-40), not 0 or 1e-7."""
    value, gradient = losses.BinaryCrossentropy(from_logits=True).value_and_grad([[1.0]], np.array([[40.0]]))
    assert float(value) == pytest.approx(math.exp(-40), rel=1e-12)
    assert float(gradient[0, 0]) == pytest.approx(-math.exp(-40), abs=1e-15)
    sparse = losses.SparseCategoricalCrossentropy(from_logits=True)
    assert float(sparse([0], np.array([[30.0, 0.0]]))) == pytest.approx(math.exp(-30), rel=1e-3)


def test_minus_infinity_masks_a_class() -> None:
    """A logit of -inf means probability 0; its own gradient is 0."""
    z = np.array([[0.0, -np.inf, 0.0]])
    value, gradient = losses.SparseCategoricalCrossentropy(from_logits=True).value_and_grad([2], z)
    assert float(value) == pytest.approx(math.log(2))
    np.testing.assert_allclose(gradient, [[0.5, 0.0, -0.5]])


@rows
def test_nan_is_not_hidden(case: LossCase) -> None:
    y_true, y_pred, weight = inputs_of(case)
    y_pred = y_pred.copy()
    y_pred[-1, ...] = np.nan
    if case.name == "SparseCategoricalCrossentropy ignoring":
        y_true = np.maximum(y_true, 0)
    if case.name.startswith("Circle"):
        y_pred[0] = np.nan  # the last sample has no neighbour, hence no loss
    with np.errstate(invalid="ignore"):
        value = np.asarray(case.make()(y_true, y_pred, weight))
    assert np.isnan(value).any(), value


# --- what came and what was wanted ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "y_true", "y_pred", "message"),
    [
        ("categorical_crossentropy", (4,), (4, 3), r"y_true has shape \(4,\), y_pred has \(4, 3\)\. These look like integer labels"),
        ("categorical_crossentropy", (4, 1), (4, 3), "use sparse_categorical_crossentropy, or one-hot encode"),
        ("categorical_focal_crossentropy", (4, 2), (4, 3), "They must be equal, with the classes on the last axis"),
        ("sparse_categorical_crossentropy", (4, 3), (4, 3), "look like one-hot labels: use categorical_crossentropy"),
        ("sparse_categorical_crossentropy", (5,), (4, 3), r"one class id for each sample: y_true of shape \(4,\)"),
        ("binary_crossentropy", (4,), (4, 3), "wants a yes/no target for every output"),
        ("binary_crossentropy", (4, 2), (4, 3), "They must be equal"),
        ("mean_squared_error", (4, 3), (4, 2), r"MeanSquaredError 'mean_squared_error': y_true has shape \(4, 3\), y_pred has \(4, 2\)"),
        ("mean_squared_error", (3,), (3, 3), "They must be equal"),
        ("hinge", (4, 1), (4, 3), "They must be equal"),
        ("categorical_hinge", (4,), (4, 3), "These look like integer labels"),
        ("circle", (4, 2), (4, 3), r"class ids \(batch,\) and embeddings \(batch, size\)"),
        ("ctc", (4,), (4, 5, 3), r"labels \(batch, length\) and logits \(batch, time, classes\)"),
        ("categorical_generalized_cross_entropy", (4, 3), (4, 3), "use categorical_crossentropy"),
    ],
)
def test_shapes_that_do_not_fit(loss: str, y_true: tuple[int, ...], y_pred: tuple[int, ...], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        deserialize("loss", loss)(np.zeros(y_true), np.full(y_pred, 0.5))


@pytest.mark.parametrize("bad", [3, -1, 100])
@pytest.mark.parametrize("name", ["sparse_categorical_crossentropy", "categorical_generalized_cross_entropy"])
def test_class_ids_outside(name: str, bad: int) -> None:
    ids = np.array([[0, 1], [bad, 2]])
    with pytest.raises(
        ValueError, match=rf"'{name}': the class id {bad} at position \(1, 0\) of y_true is outside 0 \.\. 2: y_pred has 3 classes"
    ):
        deserialize("loss", name)(ids, np.full((2, 2, 3), 1 / 3))
    flat = deserialize("loss", name)
    with pytest.raises(ValueError, match="at position 1 of y_true"):
        flat(np.array([0, bad]), np.full((2, 3), 1 / 3))


def test_ctc_labels_outside() -> None:
    with pytest.raises(ValueError, match=r"the class id 4 at position \(0, 1\) of y_true is outside 0 \.\. 3"):
        losses.CTC()(np.array([[1, 4]]), np.zeros((1, 6, 4)))


def test_ctc_that_needs_more_steps() -> None:
    """Two equal neighbours need a blank between them: three steps, not two."""
    labels = np.array([[1, 1], [1, 2]])
    value, gradient = losses.CTC(reduction="none").value_and_grad(labels, np.zeros((2, 2, 3)))
    assert value[0] == np.inf
    assert value[1] == pytest.approx(2 * math.log(3))
    assert np.isfinite(gradient[1]).all()


def test_unknown_arguments() -> None:
    with pytest.raises(ValueError, match="reduction is one of"):
        losses.MeanSquaredError(reduction="average")
    with pytest.raises(ValueError, match="q lies between 0 and 1, not 1"):
        losses.CategoricalGeneralizedCrossEntropy(q=1)
    with pytest.raises(ValueError, match=r"there is no loss called 'mean_square'\. Did you mean"):
        deserialize("loss", "mean_square")


# --- names, dtypes, own losses -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("mse", losses.MeanSquaredError),
        ("MAE", losses.MeanAbsoluteError),
        ("mape", losses.MeanAbsolutePercentageError),
        ("msle", losses.MeanSquaredLogarithmicError),
        ("bce", losses.BinaryCrossentropy),
        ("kld", losses.KLDivergence),
        ("logcosh", losses.LogCosh),
        ("log_cosh", losses.LogCosh),
        ("huber", losses.Huber),
        ("huber_loss", losses.Huber),
        ("cosine_similarity", losses.CosineSimilarity),
        ("ctc", losses.CTC),
        ("sparse_categorical_crossentropy", losses.SparseCategoricalCrossentropy),
    ],
)
def test_names(name: str, cls: type[Loss]) -> None:
    assert type(deserialize("loss", name)) is cls


def test_crossentropy_by_shapes() -> None:
    kinds = [type(losses.resolve_loss("crossentropy", *shapes)) for shapes in (((4, 1), (4, 1)), ((4,), (4, 3)), ((4, 3), (4, 3)))]
    assert kinds == [losses.BinaryCrossentropy, losses.SparseCategoricalCrossentropy, losses.CategoricalCrossentropy]


def test_dtype_argument() -> None:
    """Half-precision predictions, a loss computed in float32, a gradient in half precision again."""
    y_pred = np.full((2, 1), 3.0, dtype="float16")
    value, gradient = losses.MeanSquaredError(dtype="float32").value_and_grad(np.zeros((2, 1)), y_pred)
    assert value.dtype == "float32"
    assert gradient.dtype == "float16"


def test_lists_and_integers() -> None:
    value = losses.MeanSquaredError()([[1], [2]], [[2], [4]])
    assert (float(value), value.dtype) == (2.5, ls_core.floatx())


def test_float16_means_do_not_overflow() -> None:
    y_pred = np.full((5000, 1), 10.0, dtype="float16")
    assert float(losses.MeanSquaredError()(np.zeros((5000, 1)), y_pred)) == 100.0


def test_ids_of_any_integer_type() -> None:
    logits = np.zeros((3, 4))
    for dtype in ("int8", "uint8", "int32", "int64", "float32"):
        value = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=3)(np.array([0, 3, 1], dtype=dtype), logits)
        assert float(value) == pytest.approx(math.log(4))


def test_own_loss() -> None:
    @ls_core.register_serializable(package="tests")
    class Quartic(Loss):
        def per_sample(self, y_true: Any, y_pred: Any) -> Any:
            error = y_pred - y_true
            return (error**4).sum(axis=-1), error

        def per_sample_gradient(self, weights: Any, saved: Any) -> Any:
            return 4.0 * saved**3 * weights[..., None]

    check_loss(Quartic(), np.zeros((3, 2)), np.random.default_rng(0).normal(size=(3, 2)), np.array([1.0, 0.0, 2.0]))
    assert Quartic().name == "quartic"
    assert isinstance(deserialize("loss", serialize(Quartic())), Quartic)


def test_functions() -> None:
    y_true, y_pred = np.array([[0.0, 1.0]]), np.array([[1.0, 3.0]])
    assert losses.mean_squared_error(y_true, y_pred).tolist() == [2.5]
    assert losses.huber(y_true, y_pred, 0.5).tolist() == [pytest.approx((0.375 + 0.875) / 2)]
    assert losses.huber.__name__ == "huber"
