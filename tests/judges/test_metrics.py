"""Every metric against Keras 3, over several batches, with and without sample weights."""

from __future__ import annotations

import inspect
from typing import Any

import keras
import numpy as np
import pytest
import torch

import ls_core
from ls_core import metrics
from ls_core.registry import lookup

from .keras_judge import BAR, relative_error

pytestmark = pytest.mark.judges

B, T, C = 6, 3, 7


@pytest.fixture(autouse=True)
def _float64() -> None:
    ls_core.set_floatx("float64")


def batch(kind: str, shape: tuple[int, ...], g: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    if kind == "labels":
        return g.integers(0, 3, shape), g.integers(0, 3, shape)
    if kind == "real":
        return g.normal(size=shape), g.normal(size=shape)
    if kind == "positive":
        return g.uniform(0.2, 3, shape), g.uniform(0.2, 3, shape)
    if kind == "binary":
        return (g.uniform(size=shape) > 0.5).astype(float), g.uniform(0.02, 0.98, shape)
    if kind == "signs":
        return np.sign(g.normal(size=shape)), g.normal(size=shape)
    ids = g.integers(0, shape[-1], shape[:-1])
    y_pred = g.normal(size=shape) if kind.endswith("logits") else g.dirichlet(np.ones(shape[-1]), shape[:-1])
    if kind.startswith("ids"):
        return ids, y_pred
    return np.eye(shape[-1])[ids], y_pred


def compare(name: str, arguments: dict[str, Any], batches: list[tuple[Any, Any, Any]], bar: float = BAR) -> None:
    theirs = getattr(keras.metrics, name)(**arguments)
    ours = getattr(metrics, name)(**arguments)
    config = theirs.get_config()
    rebuilt = type(ours)(**(config if set(arguments) <= set(config) else ours.get_config()))
    for key, value in config.items():
        known = ours.get_config()
        if key in known and key not in ("name", "dtype", "num_thresholds"):
            wanted = list(value) if isinstance(value, (tuple, torch.Tensor)) else value
            if key == "thresholds" and isinstance(known[key], list):
                known[key].sort()
            assert known[key] == wanted or np.allclose(known[key], wanted), key
    for y_true, y_pred, weight in batches:
        for metric in (ours, rebuilt):
            metric.update_state(y_true, y_pred, weight)
        theirs.update_state(*(None if x is None else torch.tensor(x) for x in (y_true, y_pred, weight)))
        expected = theirs.result().detach().numpy()
        assert relative_error(ours.result(), expected) < bar
        assert relative_error(rebuilt.result(), expected) < bar
    ours.reset_state()
    y_true, y_pred, weight = batches[0]
    theirs.reset_state()
    theirs.update_state(*(None if x is None else torch.tensor(x) for x in (y_true, y_pred, weight)))
    assert relative_error(ours(y_true, y_pred, weight), theirs.result().detach().numpy()) < bar


MEANS = [
    ("Accuracy", {}, "labels"),
    ("BinaryAccuracy", {}, "binary"),
    ("BinaryAccuracy", {"threshold": 0.3}, "binary"),
    ("CategoricalAccuracy", {}, "one hot"),
    ("SparseCategoricalAccuracy", {}, "ids"),
    ("TopKCategoricalAccuracy", {"k": 2}, "one hot"),
    ("TopKCategoricalAccuracy", {}, "one hot"),
    ("SparseTopKCategoricalAccuracy", {"k": 3}, "ids"),
    ("MeanSquaredError", {}, "real"),
    ("MeanAbsoluteError", {}, "real"),
    ("MeanAbsolutePercentageError", {}, "real"),
    ("MeanSquaredLogarithmicError", {}, "positive"),
    ("RootMeanSquaredError", {}, "real"),
    ("CosineSimilarity", {}, "real"),
    ("LogCoshError", {}, "real"),
    ("PearsonCorrelation", {}, "real"),
    ("ConcordanceCorrelation", {}, "real"),
    ("KLDivergence", {}, "one hot"),
    ("Poisson", {}, "positive"),
    ("BinaryCrossentropy", {}, "binary"),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "binary"),
    ("CategoricalCrossentropy", {}, "one hot"),
    ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "one hot logits"),
    ("SparseCategoricalCrossentropy", {}, "ids"),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, "ids logits"),
    ("Hinge", {}, "signs"),
    ("Hinge", {}, "binary"),
    ("SquaredHinge", {}, "signs"),
    ("CategoricalHinge", {}, "one hot logits"),
]


@pytest.mark.parametrize("shape", [(B, C), (B, T, C)])
@pytest.mark.parametrize("weighted", [None, "one axis", "all axes", "zeros", "column"])
@pytest.mark.parametrize(("name", "arguments", "kind"), MEANS)
def test_means(name: str, arguments: dict[str, Any], kind: str, shape: tuple[int, ...], weighted: str | None) -> None:
    g = np.random.default_rng(3)
    weights = {
        None: lambda: None,
        "one axis": lambda: g.uniform(size=B),
        "all axes": lambda: g.uniform(size=shape[:-1]),
        "zeros": lambda: g.integers(0, 2, shape[:-1]).astype(float),
        "column": lambda: g.uniform(size=(B, 1)),
    }
    batches = [(*batch(kind, shape, g), weights[weighted]()) for _ in range(3)]
    compare(name, arguments, batches)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shapes", [((B,), (B, 1)), ((B, 1), (B,)), ((B,), (B,)), ((B, T), (B, T, 1))])
@pytest.mark.parametrize(
    "name",
    ["Accuracy", "BinaryAccuracy", "RootMeanSquaredError", "Precision"],
)
def test_a_last_axis_of_one(name: str, shapes: tuple[tuple[int, ...], tuple[int, ...]], weighted: bool) -> None:
    g = np.random.default_rng(4)
    batches = []
    for _ in range(2):
        y_true, y_pred = (x[: int(np.prod(s))].reshape(s) for x, s in zip(batch("binary", (B * T,), g), shapes, strict=True))
        batches.append((y_true, y_pred, g.uniform(size=B) if weighted else None))
    compare(name, {}, batches)


def test_sparse_ids_of_shape_b_1() -> None:
    g = np.random.default_rng(5)
    for name in ("SparseCategoricalAccuracy", "SparseTopKCategoricalAccuracy", "SparseCategoricalCrossentropy"):
        for weight in (None, g.uniform(size=B), g.uniform(size=(B, 1))):
            ids, y_pred = batch("ids", (B, C), g)
            compare(name, {}, [(ids[:, None], y_pred, weight)])


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("shape", [(B, C), (B, T, C)])
@pytest.mark.parametrize("weighted", [False, True])
def test_ignored_class(weighted: bool, shape: tuple[int, ...], from_logits: bool) -> None:
    g = np.random.default_rng(17)
    kind = "ids logits" if from_logits else "ids"
    batches = [(*batch(kind, shape, g), g.uniform(size=shape[:-1]) if weighted else None) for _ in range(3)]
    compare("SparseCategoricalCrossentropy", {"ignore_class": 1, "from_logits": from_logits}, batches)


def test_sorted_ids() -> None:
    g = np.random.default_rng(6)
    ids, scores = batch("ids", (B, C), g)
    compare("SparseTopKCategoricalAccuracy", {"k": 2, "from_sorted_ids": True}, [(ids, np.argsort(-scores, axis=1), None)])


@pytest.mark.parametrize("name", ["Mean", "Sum"])
@pytest.mark.parametrize("shape", [(), (B,), (B, T), (B, T, C)])
def test_reductions(name: str, shape: tuple[int, ...]) -> None:
    g = np.random.default_rng(7)
    theirs, ours = getattr(keras.metrics, name)(), getattr(metrics, name)()
    weights = [None, *[g.uniform(size=shape[:n]) for n in range(1, len(shape) + 1)]]
    for weight in weights:
        values = g.normal(size=shape)
        ours.update_state(values, weight)
        theirs.update_state(torch.tensor(values), None if weight is None else torch.tensor(weight))
        assert relative_error(ours.result(), theirs.result().numpy()) < BAR


def test_a_function() -> None:
    g = np.random.default_rng(8)
    y_true, y_pred = g.normal(size=(2, B, C))

    def distance(a: Any, b: Any, power: int) -> Any:
        return abs(a - b) ** power

    theirs, ours = keras.metrics.MeanMetricWrapper(distance, power=3), metrics.MeanMetricWrapper(distance, power=3)
    assert relative_error(ours(y_true, y_pred), theirs(torch.tensor(y_true), torch.tensor(y_pred)).numpy()) < BAR


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("average", [None, "micro", "macro", "weighted"])
@pytest.mark.parametrize("arguments", [{}, {"threshold": 0.4}, {"beta": 2.0}, {"beta": 0.5, "threshold": 0.9}])
def test_f_scores(arguments: dict[str, Any], average: str | None, weighted: bool) -> None:
    g = np.random.default_rng(9)
    for kind in ("one hot", "binary"):
        batches = [(*batch(kind, (B, C), g), g.uniform(size=B) if weighted else None) for _ in range(3)]
        compare("FBetaScore", {**arguments, "average": average}, batches)
        if "beta" not in arguments:
            compare("F1Score", {**arguments, "average": average}, batches)


def eighths(g: np.random.Generator, shape: Any) -> np.ndarray:
    """Weights whose sums are exact in float32, in which Keras adds them up for evenly spaced thresholds."""
    return g.integers(1, 16, shape) / 8


EVEN = [0.0, 0.25, 0.5, 0.75, 1.0]
COUNTS = ["TruePositives", "FalsePositives", "TrueNegatives", "FalseNegatives", "Precision", "Recall"]


@pytest.mark.parametrize("weighted", [None, "rows", "all"])
@pytest.mark.parametrize("shape", [(B,), (B, C)])
@pytest.mark.parametrize("thresholds", [None, 0.3, [0.2, 0.7], EVEN, list(np.linspace(0, 1, 11))])
@pytest.mark.parametrize("name", COUNTS)
def test_counts(name: str, thresholds: Any, shape: tuple[int, ...], weighted: str | None) -> None:
    g = np.random.default_rng(10)
    batches = []
    for _ in range(3):
        y_true, y_pred = batch("binary", shape, g)
        y_pred.flat[:4] = [0.0, 1.0, 0.25, 0.5]  # on the thresholds
        weight = {None: None, "rows": eighths(g, B), "all": eighths(g, shape)}[weighted]
        batches.append((y_true, y_pred, weight))
    compare(name, {"thresholds": thresholds}, batches)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("arguments", [{"top_k": 2}, {"top_k": 3, "class_id": 1}, {"class_id": 4}, {"top_k": 1, "thresholds": 0.3}])
@pytest.mark.parametrize("name", ["Precision", "Recall"])
def test_top_k_and_class_id(name: str, arguments: dict[str, Any], weighted: bool) -> None:
    g = np.random.default_rng(11)
    for kind in ("one hot", "binary"):
        compare(name, arguments, [(*batch(kind, (B, C), g), eighths(g, B) if weighted else None) for _ in range(3)])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("num_thresholds", [200, 1, 2, 5])
@pytest.mark.parametrize("bound", [0.0, 0.3, 0.8, 1.0])
@pytest.mark.parametrize("name", ["SensitivityAtSpecificity", "SpecificityAtSensitivity", "PrecisionAtRecall", "RecallAtPrecision"])
def test_one_rate_at_another(name: str, bound: float, num_thresholds: int, weighted: bool) -> None:
    g = np.random.default_rng(12)
    word = {"Sen": "specificity", "Spe": "sensitivity", "Pre": "recall", "Rec": "precision"}[name[:3]]
    for class_id, shape in ((None, (B * 4,)), (2, (B * 4, C))):
        arguments = {word: bound, "num_thresholds": num_thresholds, "class_id": class_id}
        batches = []
        for _ in range(2):
            y_true, y_pred = batch("binary", shape, g)
            y_pred.flat[:3] = [0.0, 1.0, 0.5]
            batches.append((y_true, y_pred, eighths(g, B * 4) if weighted else None))
        compare(name, arguments, batches)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("curve", ["ROC", "PR", "PRGAIN"])
@pytest.mark.parametrize("summation_method", ["interpolation", "minoring", "majoring"])
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"num_thresholds": 3},
        {"num_thresholds": 50, "from_logits": True},
        {"thresholds": [0.9, 0.1, 0.35]},
        {"thresholds": [0.25, 0.5, 0.75]},
        {"multi_label": True},
        {"multi_label": True, "num_labels": C, "label_weights": [0.25, 0.5, 1.0, 2.0, 0.0, 1.0, 3.0]},
        {"multi_label": True, "thresholds": [0.2, 0.7]},
        {"label_weights": [0.25, 0.5, 1.0, 2.0, 0.0, 1.0, 3.0]},
    ],
)
def test_auc(arguments: dict[str, Any], curve: str, summation_method: str, weighted: bool) -> None:
    g = np.random.default_rng(13)
    shape = (4 * B, C) if arguments.get("multi_label") or "label_weights" in arguments else (4 * B,)
    batches = []
    for _ in range(2):
        y_true, y_pred = batch("binary", shape, g)
        y_pred.flat[:3] = [0.0, 1.0, 0.5]
        batches.append((y_true, y_pred, eighths(g, 4 * B) if weighted else None))
    compare("AUC", {**arguments, "curve": curve, "summation_method": summation_method}, batches)


# Keras divides the counts of the intersection over union in float32, whatever the float type is.
FLOAT32 = 3e-7


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("name", "arguments", "kind"),
    [
        ("IoU", {"num_classes": 3, "target_class_ids": [0, 2]}, "labels"),
        ("IoU", {"num_classes": 3, "target_class_ids": [1], "ignore_class": 0}, "labels"),
        ("IoU", {"num_classes": C, "target_class_ids": [1, 3], "sparse_y_pred": False}, "ids"),
        ("MeanIoU", {"num_classes": 3}, "labels"),
        ("MeanIoU", {"num_classes": 5}, "labels"),
        ("MeanIoU", {"num_classes": C, "sparse_y_pred": False, "sparse_y_true": False}, "one hot"),
        ("OneHotIoU", {"num_classes": C, "target_class_ids": [0, 2]}, "one hot"),
        ("OneHotMeanIoU", {"num_classes": C}, "one hot"),
        ("OneHotMeanIoU", {"num_classes": C, "ignore_class": 1}, "one hot"),
        ("BinaryIoU", {"threshold": 0.4}, "binary"),
        ("BinaryIoU", {"target_class_ids": [1]}, "binary"),
    ],
)
def test_iou(name: str, arguments: dict[str, Any], kind: str, weighted: bool) -> None:
    g = np.random.default_rng(14)
    theirs, ours = getattr(keras.metrics, name)(**arguments, dtype="float64"), getattr(metrics, name)(**arguments)
    ours = type(ours)(**theirs.get_config())
    for _ in range(3):
        y_true, y_pred = batch(kind, (B, T, C) if "hot" in kind or kind == "ids" else (B, T), g)
        weight = g.uniform(size=(B, T)) if weighted else None
        theirs.update_state(torch.tensor(y_true), torch.tensor(y_pred), None if weight is None else torch.tensor(weight))
        ours.update_state(y_true, y_pred, weight)
        assert relative_error(ours.total_cm, theirs.total_cm.numpy()) < BAR
        assert relative_error(ours.result(), theirs.result().numpy()) < FLOAT32


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("outputs", [1, 4])
@pytest.mark.parametrize("num_regressors", [0, 2])
@pytest.mark.parametrize("class_aggregation", [None, "uniform_average", "variance_weighted_average"])
def test_r2_score(class_aggregation: str | None, num_regressors: int, outputs: int, weighted: bool) -> None:
    g = np.random.default_rng(15)
    batches = [(*batch("real", (B, outputs), g), g.uniform(size=B) if weighted else None) for _ in range(3)]
    compare("R2Score", {"class_aggregation": class_aggregation, "num_regressors": num_regressors}, batches)


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("name", ["CosineSimilarity", "PearsonCorrelation", "ConcordanceCorrelation", "CategoricalCrossentropy"])
def test_axis(name: str, axis: int) -> None:
    g = np.random.default_rng(16)
    compare(name, {"axis": axis}, [(*batch("positive", (B, C), g), None)])


FUNCTIONS = [name for name in dir(keras.metrics) if inspect.isfunction(getattr(keras.metrics, name))]
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "binary_accuracy": [{"threshold": 0.2}],
    "top_k_categorical_accuracy": [{"k": 1}, {"k": 3}],
    "sparse_top_k_categorical_accuracy": [{"k": 1}, {"k": 3}],
    "pearson_correlation": [{"axis": 0}],
    "concordance_correlation": [{"axis": 0}],
    "huber": [{"delta": 0.2}],
    "binary_crossentropy": [{"label_smoothing": 0.2}, {"from_logits": True}],
    "categorical_crossentropy": [{"label_smoothing": 0.2}, {"from_logits": True}],
    "sparse_categorical_crossentropy": [{"from_logits": True}, {"ignore_class": 2}],
    "binary_focal_crossentropy": [{"apply_class_balancing": True, "alpha": 0.4, "gamma": 1.0}],
    "categorical_focal_crossentropy": [{"alpha": 0.4, "gamma": 1.0}],
}


@pytest.mark.parametrize("shape", [(B, C), (B, T, C)], ids=str)
@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in ("get", "serialize", "deserialize")])
def test_functions(name: str, shape: tuple[int, ...]) -> None:
    """Each function of keras.metrics has its counterpart: the same arguments in the same order, the same values."""
    ours, theirs = getattr(metrics, name), getattr(keras.metrics, name)
    wanted = {p.name: p.default for p in inspect.signature(theirs).parameters.values()}
    assert {p.name: p.default for p in inspect.signature(ours).parameters.values()} == wanted
    assert list(inspect.signature(ours).parameters) == list(wanted)
    g = np.random.default_rng(18)
    kind = "ids" if name.startswith("sparse") else "one hot" if "categorical" in name else "real" if "correlation" in name else "binary"
    y_true, y_pred = batch(kind, shape, g)
    for options in ({}, *OPTIONS.get(name, [])):
        expected = theirs(torch.tensor(y_true), torch.tensor(y_pred), **options)
        assert relative_error(ours(y_true, y_pred, **options), expected.numpy()) < BAR, options
        assert (
            relative_error(ours(y_true, y_pred, *options.values()), theirs(torch.tensor(y_true), torch.tensor(y_pred), *options.values()))
            < BAR
        )


def test_names() -> None:
    """Every name under which keras.metrics.get finds a metric finds one here."""
    from keras.src.metrics import ALL_OBJECTS_DICT

    for name in ALL_OBJECTS_DICT:
        if name not in ("Metric", "metric"):
            assert issubclass(lookup("metric", name), metrics.Metric), name


@pytest.mark.parametrize("spec", ["accuracy", "acc", "Accuracy"])
@pytest.mark.parametrize(
    ("y_true", "y_pred"),
    [((4,), (4, 3)), ((4, 1), (4, 3)), ((4, 3), (4, 3)), ((4, 1), (4, 1)), ((4,), (4, 1)), ((4, 2), (4, 2, 5)), ((4, 2, 1), (4, 2, 5))],
)
def test_resolve_accuracy(spec: str, y_true: tuple[int, ...], y_pred: tuple[int, ...]) -> None:
    from keras.src.trainers.compile_utils import get_metric

    expected = get_metric(spec, np.zeros(y_true), np.zeros(y_pred))
    ours = metrics.resolve_metric(spec, None, y_true, y_pred)
    assert (type(ours).__name__, ours.name) == (type(expected).__name__, expected.name)
