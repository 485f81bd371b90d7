"""Every loss against Keras 3, values and gradients; CTC against PyTorch as well."""

from __future__ import annotations

import inspect
import itertools
from typing import Any

import keras
import numpy as np
import pytest
import torch

from ls_core import losses

from .keras_judge import BAR, relative_error

pytestmark = pytest.mark.judges

REDUCTIONS = ["sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none", None]
B, T, C = 4, 3, 5


def targets(kind: str, shape: tuple[int, ...], g: np.random.Generator, axis: int = -1) -> tuple[np.ndarray, np.ndarray]:
    """y_true and y_pred of a kind, away from kinks and clips."""
    if kind == "real":
        return g.normal(size=shape), g.normal(size=shape)
    if kind == "positive":
        return g.uniform(0.2, 3.0, shape), g.uniform(0.2, 3.0, shape)
    if kind == "signs":
        return np.sign(g.normal(size=shape)), g.normal(size=shape)
    if kind == "binary":
        return (g.uniform(size=shape) > 0.5).astype(float), g.uniform(0.05, 0.95, shape)
    if kind == "binary logits":
        return (g.uniform(size=shape) > 0.5).astype(float), 3 * g.normal(size=shape)
    classes = shape[axis]
    ids = g.integers(0, classes, size=np.delete(shape, axis))
    y_pred = 2 * g.normal(size=shape) if kind.endswith("logits") else g.uniform(0.1, 1.0, shape)
    if kind.startswith("ids"):
        return ids, y_pred
    return np.moveaxis(np.eye(classes)[ids], -1, axis), y_pred


def compare(name: str, arguments: dict[str, Any], y_true: Any, y_pred: np.ndarray, weight: Any = None) -> None:
    theirs = getattr(keras.losses, name)(**arguments)
    config = theirs.get_config()
    ours = getattr(losses, name)(**(config if set(arguments) <= set(config) else arguments))
    for key, value in config.items():
        assert ours.get_config()[key] == (list(value) if isinstance(value, tuple) else value), key
    tensor = torch.tensor(y_pred, requires_grad=True)
    expected = theirs(torch.tensor(y_true), tensor, None if weight is None else torch.tensor(weight))
    expected.sum().backward()
    before = y_pred.copy()
    value, gradient = ours.value_and_grad(y_true, y_pred, weight)
    assert relative_error(ours(y_true, y_pred, weight), value) == 0
    assert relative_error(value, expected.detach().numpy()) < BAR
    assert tensor.grad is not None
    assert relative_error(gradient, tensor.grad.numpy()) < BAR
    assert gradient.dtype == y_pred.dtype
    np.testing.assert_array_equal(y_pred, before)


def weights_for(shape: tuple[int, ...], g: np.random.Generator) -> list[Any]:
    """No weights, one for each loss, weights of the whole rank with a last axis of 1, and some zeros."""
    full = g.uniform(0.1, 2.0, shape)
    zeros = full * (np.arange(full.size).reshape(shape) % 2)
    return [None, full, zeros, full[..., None]]


ELEMENTWISE = [
    ("MeanSquaredError", {}, "real"),
    ("MeanAbsoluteError", {}, "real"),
    ("MeanAbsolutePercentageError", {}, "real"),
    ("MeanSquaredLogarithmicError", {}, "positive"),
    ("MeanSquaredLogarithmicError", {}, "real"),
    ("CosineSimilarity", {}, "real"),
    ("Huber", {}, "real"),
    ("Huber", {"delta": 0.3}, "real"),
    ("LogCosh", {}, "real"),
    ("Hinge", {}, "signs"),
    ("Hinge", {}, "binary"),
    ("Hinge", {}, "real"),
    ("SquaredHinge", {}, "signs"),
    ("SquaredHinge", {}, "binary"),
    ("CategoricalHinge", {}, "one hot logits"),
    ("KLDivergence", {}, "one hot"),
    ("KLDivergence", {}, "positive"),
    ("Poisson", {}, "positive"),
    ("BinaryCrossentropy", {}, "binary"),
    ("BinaryCrossentropy", {"label_smoothing": 0.2}, "binary"),
    ("BinaryCrossentropy", {"from_logits": True}, "binary logits"),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "binary logits"),
    ("BinaryFocalCrossentropy", {}, "binary"),
    ("BinaryFocalCrossentropy", {"gamma": 0.0}, "binary"),
    ("BinaryFocalCrossentropy", {"gamma": 1.0}, "binary"),
    ("BinaryFocalCrossentropy", {"apply_class_balancing": True, "alpha": 0.4, "gamma": 1.5}, "binary"),
    ("BinaryFocalCrossentropy", {"from_logits": True, "label_smoothing": 0.2}, "binary logits"),
    ("BinaryFocalCrossentropy", {"from_logits": True, "apply_class_balancing": True}, "binary logits"),
    ("CategoricalCrossentropy", {}, "one hot"),
    ("CategoricalCrossentropy", {"label_smoothing": 0.2}, "one hot"),
    ("CategoricalCrossentropy", {"from_logits": True}, "one hot logits"),
    ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "one hot logits"),
    ("CategoricalCrossentropy", {"from_logits": True}, "real"),
    ("CategoricalFocalCrossentropy", {}, "one hot"),
    ("CategoricalFocalCrossentropy", {"alpha": 0.6, "gamma": 1.0, "label_smoothing": 0.1}, "one hot"),
    ("CategoricalFocalCrossentropy", {"alpha": [0.1, 0.2, 0.3, 0.4, 0.5]}, "one hot"),
    ("CategoricalFocalCrossentropy", {"from_logits": True}, "one hot logits"),
    ("CategoricalFocalCrossentropy", {"from_logits": True, "gamma": 0.5}, "one hot logits"),
    ("SparseCategoricalCrossentropy", {}, "ids"),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, "ids logits"),
    ("SparseCategoricalCrossentropy", {"ignore_class": 2}, "ids"),
    ("SparseCategoricalCrossentropy", {"ignore_class": 2, "from_logits": True}, "ids logits"),
]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", [(B, C), (B, T, C)])
@pytest.mark.parametrize(("name", "arguments", "kind"), ELEMENTWISE)
def test_loss(name: str, arguments: dict[str, Any], kind: str, shape: tuple[int, ...], reduction: str | None) -> None:
    g = np.random.default_rng(3)
    for weight in weights_for(shape[:-1], g):
        y_true, y_pred = targets(kind, shape, g)
        compare(name, {**arguments, "reduction": reduction}, y_true, y_pred, weight)


@pytest.mark.parametrize("axis", [1, 2, -2])
@pytest.mark.parametrize(
    ("name", "arguments", "kind"),
    [
        ("CosineSimilarity", {}, "real"),
        ("BinaryCrossentropy", {}, "binary"),
        ("BinaryCrossentropy", {"from_logits": True}, "binary logits"),
        ("BinaryFocalCrossentropy", {}, "binary"),
        ("CategoricalCrossentropy", {}, "one hot"),
        ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "one hot logits"),
        ("CategoricalFocalCrossentropy", {}, "one hot"),
        ("CategoricalFocalCrossentropy", {"from_logits": True}, "one hot logits"),
        ("SparseCategoricalCrossentropy", {}, "ids"),
        ("SparseCategoricalCrossentropy", {"from_logits": True}, "ids logits"),
        ("SparseCategoricalCrossentropy", {"from_logits": True, "ignore_class": 1}, "ids logits"),
    ],
)
def test_axis(name: str, arguments: dict[str, Any], kind: str, axis: int) -> None:
    g = np.random.default_rng(4)
    y_true, y_pred = targets(kind, (B, T, C), g, axis)
    compare(name, {**arguments, "axis": axis}, y_true, y_pred)
    compare(name, {**arguments, "axis": axis}, y_true, y_pred, g.uniform(size=(B, C if axis != 2 else T)))


@pytest.mark.parametrize("name", ["MeanSquaredError", "MeanAbsoluteError", "Huber", "LogCosh", "Poisson", "BinaryCrossentropy", "Hinge"])
@pytest.mark.parametrize("shapes", [((4,), (4, 1)), ((4, 1), (4,)), ((4,), (4,)), ((4, 3), (4, 3, 1)), ((4, 3, 1), (4, 3))])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_last_axis_of_one(name: str, shapes: tuple[tuple[int, ...], tuple[int, ...]], weighted: bool) -> None:
    g = np.random.default_rng(5)
    y_true, y_pred = targets("binary", (12,), g)
    y_true, y_pred = (x[: int(np.prod(s))].reshape(s) for x, s in zip((y_true, y_pred), shapes, strict=True))
    compare(name, {}, y_true, y_pred, g.uniform(size=4) if weighted else None)


def test_ids_of_shape_b_1() -> None:
    g = np.random.default_rng(6)
    y_true, y_pred = targets("ids", (B, C), g)
    compare("SparseCategoricalCrossentropy", {}, y_true[:, None], y_pred, g.uniform(size=B))
    compare("SparseCategoricalCrossentropy", {}, y_true[:, None].astype(float), y_pred)


@pytest.mark.parametrize("kind", ["CategoricalCrossentropy", "SparseCategoricalCrossentropy", "BinaryCrossentropy", "KLDivergence"])
def test_clipped_probabilities(kind: str) -> None:
    y_pred = np.array([[1.0, 0.0, 0.0], [1e-9, 0.3, 0.7 - 1e-9], [1e-8, 1.0 - 1e-8, 0.0]])
    y_true: np.ndarray = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    if kind.startswith("Sparse"):
        y_true = y_true.argmax(axis=1)
    compare(kind, {}, y_true, y_pred)


@pytest.mark.parametrize("scale", [1e2, 1e4])
@pytest.mark.parametrize("name", ["CategoricalCrossentropy", "SparseCategoricalCrossentropy", "BinaryCrossentropy", "LogCosh"])
def test_large_logits(name: str, scale: float) -> None:
    g = np.random.default_rng(7)
    y_true, y_pred = targets("ids logits" if name.startswith("Sparse") else "one hot logits", (B, C), g)
    compare(name, {} if name == "LogCosh" else {"from_logits": True}, y_true, y_pred * scale)


@pytest.mark.parametrize("axis", [None, -1, (1, 2), [1, 2, 3], 1])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("name", "arguments"), [("Dice", {}), ("Tversky", {}), ("Tversky", {"alpha": 0.2, "beta": 0.9})])
def test_overlaps(name: str, arguments: dict[str, Any], reduction: str | None, axis: Any) -> None:
    g = np.random.default_rng(8)
    y_true, y_pred = targets("binary", (B, 2, 3, 2), g)
    compare(name, {**arguments, "axis": axis, "reduction": reduction}, y_true, y_pred)
    if axis == [1, 2, 3] or axis is None:
        compare(name, {**arguments, "axis": axis, "reduction": reduction}, y_true, y_pred, g.uniform(size=B))


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("arguments", [{}, {"gamma": 5.0}, {"gamma": 3.0, "margin": 0.1}, {"gamma": 3.0, "remove_diagonal": False}])
@pytest.mark.parametrize("unit", [True, False])
def test_circle(arguments: dict[str, Any], reduction: str | None, unit: bool) -> None:
    g = np.random.default_rng(9)
    y_pred = g.normal(size=(6, 4))
    if unit:
        y_pred /= np.linalg.norm(y_pred, axis=1, keepdims=True) * 1.001
    y_true = np.array([0, 1, 2, 0, 1, 2])
    compare("Circle", {**arguments, "reduction": reduction}, y_true, y_pred)
    compare("Circle", {**arguments, "reduction": reduction}, y_true[:, None], y_pred, g.uniform(0.5, 2, size=6))


def test_circle_without_neighbours() -> None:
    y_pred = np.random.default_rng(10).normal(size=(4, 3))
    y_true = np.array([0, 0, 1, 2])  # samples 2 and 3 have none of their own class
    value = losses.Circle(gamma=2.0)(y_true, y_pred)
    expected = keras.losses.Circle(gamma=2.0)(torch.tensor(y_true), torch.tensor(y_pred))
    assert relative_error(value, expected.numpy()) < BAR


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("q", [0.1, 0.5, 0.9])
def test_generalized_cross_entropy(q: float, reduction: str | None) -> None:
    g = np.random.default_rng(11)
    y_true, y_pred = targets("ids", (B, C), g)
    for weight in (None, g.uniform(size=B)):
        compare("CategoricalGeneralizedCrossEntropy", {"q": q, "reduction": reduction}, y_true, y_pred, weight)


CTC_LABELS = [
    [[1, 2, 3], [2, 2, 0], [3, 0, 0], [1, 1, 1]],
    [[4, 0, 0], [0, 0, 0], [1, 2, 1], [3, 3, 0]],
    [[1], [0], [2], [4]],
]


@pytest.mark.parametrize("labels", CTC_LABELS)
@pytest.mark.parametrize("time", [5, 6, 9, 40])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_ctc(labels: list[list[int]], time: int, reduction: str | None) -> None:
    g = np.random.default_rng(12)
    for weight in (None, g.uniform(size=4)):
        compare("CTC", {"reduction": reduction}, np.array(labels), 2 * g.normal(size=(4, time, 5)), weight)


def test_ctc_long_sequences_against_pytorch() -> None:
    g = np.random.default_rng(13)
    y_pred, y_true = g.normal(size=(3, 400, 30)), g.integers(1, 30, size=(3, 90))
    y_true[1, 50:] = 0
    lengths = torch.tensor([90, 50, 90])
    tensor = torch.tensor(y_pred, requires_grad=True)
    logs = torch.log_softmax(tensor, -1).transpose(0, 1)
    expected = torch.nn.functional.ctc_loss(logs, torch.tensor(y_true), torch.full((3,), 400), lengths, reduction="none")
    expected.sum().backward()
    value, gradient = losses.CTC(reduction="sum").value_and_grad(y_true, y_pred)
    assert relative_error(value, expected.sum().detach().numpy()) < BAR
    assert tensor.grad is not None
    assert relative_error(gradient, tensor.grad.numpy()) < BAR


def test_functions() -> None:
    """Each function of keras.losses has its counterpart, which gives the same losses."""
    g = np.random.default_rng(14)
    kinds = {"categorical_crossentropy": "one hot", "categorical_focal_crossentropy": "one hot", "sparse_categorical_crossentropy": "ids"}
    others = ("ctc", "circle", "categorical_generalized_cross_entropy")  # compared above
    names = [name for name in losses.__all__ if name.islower() and hasattr(keras.losses, name) and name not in others]
    assert len(names) == 19
    for name, shape in itertools.product(names, [(B, C), (B, T, C)]):
        y_true, y_pred = targets(kinds.get(name, "binary"), shape, g)
        expected = getattr(keras.losses, name)(torch.tensor(y_true), torch.tensor(y_pred))
        assert list(inspect.signature(getattr(losses, name)).parameters) == list(inspect.signature(getattr(keras.losses, name)).parameters)
        assert relative_error(getattr(losses, name)(y_true, y_pred), expected.numpy()) < BAR, name
    y_true, y_pred = targets("real", (B, C), g)
    assert relative_error(losses.huber(y_true, y_pred, 0.3), keras.losses.huber(y_true, y_pred, 0.3).numpy()) < BAR


def test_names() -> None:
    """Every name under which keras.losses.get finds a loss finds one here."""
    from keras.src.losses import ALL_OBJECTS_DICT

    from ls_core.registry import deserialize

    for name in ALL_OBJECTS_DICT:
        if name not in ("Loss", "LossFunctionWrapper"):
            assert isinstance(deserialize("loss", name), losses.Loss), name


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
def test_a_mask_from_the_layers(reduction: str | None, weighted: bool) -> None:
    """Keras' mask on y_pred is the ``mask`` argument here."""
    g = np.random.default_rng(15)
    y_true, y_pred = targets("ids logits", (B, T, C), g)
    mask = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1], [1, 1, 0]], dtype=bool)
    weight = g.uniform(size=(B, T)) if weighted else None
    for ignored in (None, 2):
        tensor = torch.tensor(y_pred, requires_grad=True)
        keras.src.backend.set_keras_mask(tensor, torch.tensor(mask))
        options: dict[str, Any] = {"from_logits": True, "ignore_class": ignored, "reduction": reduction}
        expected = keras.losses.SparseCategoricalCrossentropy(**options)(torch.tensor(y_true), tensor, weight)
        expected.sum().backward()
        value, gradient = losses.SparseCategoricalCrossentropy(**options).value_and_grad(y_true, y_pred, weight, mask)
        assert relative_error(value, expected.detach().numpy()) < BAR
        assert tensor.grad is not None
        assert relative_error(gradient, tensor.grad.numpy()) < BAR
