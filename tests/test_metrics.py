"""Metrics: streaming, the stand-in device, independent values, errors; the confusion matrix, the report, BLEU."""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ls_core
from ls_core import losses, metrics
from ls_core.errors import ShapeError
from ls_core.metrics import BLEU, ConfusionMatrix, classification_report, confusion_matrix, resolve_metric
from ls_core.registry import deserialize, serialize
from ls_core.testing.standin import host_syncs
from ls_core.testing.tolerances import assert_close
from ls_layers import Dense

N, C = 24, 5


def labels(g: np.random.Generator) -> tuple[Any, Any]:
    return g.integers(0, C, N), g.integers(0, C, N)


def yes_no(g: np.random.Generator) -> tuple[Any, Any]:
    return (g.uniform(size=N) < 0.5).astype(float), g.uniform(size=N)


def multi_hot(g: np.random.Generator) -> tuple[Any, Any]:
    return (g.uniform(size=(N, C)) < 0.4).astype(float), g.uniform(size=(N, C))


def one_hot(g: np.random.Generator) -> tuple[Any, Any]:
    return np.eye(C)[g.integers(0, C, N)], g.dirichlet(np.ones(C), N)


def ids(g: np.random.Generator) -> tuple[Any, Any]:
    return g.integers(0, C, N), g.dirichlet(np.ones(C), N)


def tokens(g: np.random.Generator) -> tuple[Any, Any]:
    return g.integers(0, C, (N, 3)), g.dirichlet(np.ones(C), (N, 3))


def real(g: np.random.Generator) -> tuple[Any, Any]:
    return g.normal(size=(N, C)), g.normal(size=(N, C))


def positive(g: np.random.Generator) -> tuple[Any, Any]:
    return g.uniform(0.2, 3, (N, C)), g.uniform(0.2, 3, (N, C))


TABLE: list[tuple[Callable[[], Any], Callable[[np.random.Generator], tuple[Any, Any]]]] = [
    (metrics.Accuracy, labels),
    (metrics.BinaryAccuracy, yes_no),
    (lambda: metrics.BinaryAccuracy(threshold=0.2), multi_hot),
    (metrics.CategoricalAccuracy, one_hot),
    (metrics.SparseCategoricalAccuracy, ids),
    (metrics.SparseCategoricalAccuracy, tokens),
    (lambda: metrics.TopKCategoricalAccuracy(2), one_hot),
    (lambda: metrics.SparseTopKCategoricalAccuracy(2), tokens),
    (metrics.MeanSquaredError, real),
    (metrics.RootMeanSquaredError, real),
    (metrics.MeanAbsoluteError, real),
    (metrics.MeanAbsolutePercentageError, positive),
    (metrics.MeanSquaredLogarithmicError, positive),
    (metrics.CosineSimilarity, real),
    (metrics.LogCoshError, real),
    (metrics.R2Score, real),
    (lambda: metrics.R2Score(None, num_regressors=2), real),
    (metrics.PearsonCorrelation, real),
    (metrics.ConcordanceCorrelation, real),
    (metrics.KLDivergence, one_hot),
    (metrics.Poisson, positive),
    (metrics.BinaryCrossentropy, multi_hot),
    (metrics.CategoricalCrossentropy, one_hot),
    (metrics.SparseCategoricalCrossentropy, tokens),
    (lambda: metrics.SparseCategoricalCrossentropy(ignore_class=1), tokens),
    (lambda: metrics.Perplexity(mask_token_id=0), tokens),
    (metrics.Hinge, multi_hot),
    (metrics.SquaredHinge, multi_hot),
    (metrics.CategoricalHinge, one_hot),
    (metrics.F1Score, one_hot),
    (lambda: metrics.FBetaScore("weighted", 2.0, 0.5), multi_hot),
    (lambda: metrics.F1Score("micro"), one_hot),
    (metrics.TruePositives, yes_no),
    (metrics.FalsePositives, yes_no),
    (metrics.TrueNegatives, yes_no),
    (metrics.FalseNegatives, yes_no),
    (metrics.Precision, yes_no),
    (lambda: metrics.Precision([0.2, 0.7], class_id=2), multi_hot),
    (lambda: metrics.Recall(top_k=2), one_hot),
    (lambda: metrics.Recall([0.0, 0.5, 1.0]), yes_no),
    (lambda: metrics.SensitivityAtSpecificity(0.3), yes_no),
    (lambda: metrics.SpecificityAtSensitivity(0.3), yes_no),
    (lambda: metrics.PrecisionAtRecall(0.3), yes_no),
    (lambda: metrics.RecallAtPrecision(0.3), yes_no),
    (metrics.AUC, yes_no),
    (lambda: metrics.AUC(curve="PR"), multi_hot),
    (lambda: metrics.AUC(curve="PRGAIN", summation_method="minoring"), multi_hot),
    (lambda: metrics.AUC(multi_label=True, label_weights=[1.0, 2.0, 0.0, 1.0, 3.0]), multi_hot),
    (lambda: metrics.AUC(thresholds=[0.2, 0.6], from_logits=True, label_weights=[1.0, 2.0, 0.0, 1.0, 3.0]), multi_hot),
    (lambda: metrics.IoU(C, [0, 2], ignore_class=1), labels),
    (lambda: metrics.MeanIoU(C, sparse_y_pred=False), ids),
    (lambda: metrics.OneHotIoU(C, [1]), one_hot),
    (lambda: metrics.OneHotMeanIoU(C), one_hot),
    (metrics.BinaryIoU, yes_no),
    (lambda: ConfusionMatrix(C), ids),
]
rows = pytest.mark.parametrize(("make", "batch"), TABLE, ids=[f"{make().__class__.__name__} {i}" for i, (make, _) in enumerate(TABLE)])


def weights_like(y_true: Any, g: np.random.Generator) -> Any:
    return g.integers(0, 9, len(y_true)) / 4


# --- every metric --------------------------------------------------------------------------------


def test_every_metric_has_a_row() -> None:
    classes = {n for n in metrics.__all__ if isinstance(getattr(metrics, n), type) and issubclass(getattr(metrics, n), metrics.Metric)}
    assert classes - {type(make()).__name__ for make, _ in TABLE} == {"BLEU", "Mean", "MeanMetricWrapper", "Metric", "Sum"}


@rows
@pytest.mark.parametrize("weighted", [False, True])
def test_two_batches_are_one(make: Any, batch: Any, weighted: bool, rng: np.random.Generator) -> None:
    y_true, y_pred = batch(rng)
    weight = weights_like(y_true, rng) if weighted else None
    whole, parts = make(), make()
    whole.update_state(y_true, y_pred, weight)
    for part in (slice(0, 7), slice(7, 7), slice(7, None)):
        parts.update_state(y_true[part], y_pred[part], None if weight is None else weight[part])
    np.testing.assert_allclose(parts.result(), whole.result(), rtol=1e-12)
    parts.reset_state()
    np.testing.assert_allclose(parts(y_true, y_pred, weight), whole.result(), rtol=1e-12)


@rows
def test_a_weight_of_zero_leaves_out(make: Any, batch: Any, rng: np.random.Generator) -> None:
    if type(make()) is metrics.R2Score and make().num_regressors:
        return  # Keras' adjustment counts the samples, not their weights
    y_true, y_pred = batch(rng)
    keep = np.arange(N) % 3 > 0
    np.testing.assert_allclose(
        make()(y_true, y_pred, keep.astype(float)), make()(y_true[keep], y_pred[keep], np.ones(keep.sum())), rtol=1e-12
    )


@rows
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("device", ["standin", pytest.param("cupy", marks=pytest.mark.gpu)])
def test_on_a_device(make: Any, batch: Any, weighted: bool, device: str, rng: np.random.Generator) -> None:
    """What the host computes (the stand-in: bit for bit); update_state reads nothing back."""
    y_true, y_pred = batch(rng)
    weight = weights_like(y_true, rng) if weighted else None
    host, on_device = make(), make()
    host.update_state(y_true, y_pred, weight)
    moved = [None if x is None else ls_core.to_device(x, device) for x in (y_true, y_pred, weight)]
    with host_syncs() as found:
        on_device.update_state(*moved)
    assert not found
    assert_close(np.asarray(ls_core.to_host(on_device.result())), np.asarray(host.result()))
    if device == "standin":
        np.testing.assert_array_equal(ls_core.to_host(on_device.result()), host.result())


@rows
def test_config(make: Any, batch: Any, rng: np.random.Generator) -> None:
    metric = make()
    again = deserialize("metric", serialize(metric))
    assert again.get_config() == metric.get_config()
    given = batch(rng)
    np.testing.assert_array_equal(again(*given), metric(*given))


@rows
def test_inputs_stay(make: Any, batch: Any, rng: np.random.Generator) -> None:
    y_true, y_pred = batch(rng)
    y_true.flags.writeable = y_pred.flags.writeable = False
    make().update_state(y_true, y_pred, weights_like(y_true, rng))


@rows
def test_float32_data(make: Any, batch: Any, rng: np.random.Generator) -> None:
    y_true, y_pred = batch(rng)
    narrow = y_pred.astype("float32") if y_pred.dtype.kind == "f" else y_pred
    assert_close(np.asarray(make()(y_true, narrow)), np.asarray(make()(y_true, y_pred)), "float32")


@rows
def test_before_the_first_batch(make: Any, batch: Any) -> None:
    assert not np.asarray(make().result()).any()


def test_counts_stay_exact_beyond_float32() -> None:
    metric = metrics.Mean(dtype="float32")
    metric.update_state(np.ones(3, "float32"))
    metric.total, metric.count = metric.total + 2.0**24, metric.count + 2.0**24
    metric.update_state(np.ones(1, "float32"))
    assert float(metric.count) == 2**24 + 4
    assert float(metric.result()) == 1.0


# --- independent values --------------------------------------------------------------------------


def test_counts_by_loops(rng: np.random.Generator) -> None:
    y_true, y_pred = yes_no(rng)
    y_pred[:3] = [0.0, 0.5, 1.0]
    weight = rng.uniform(size=N)
    for thresholds in ([0.3], [0.2, 0.9], [0.0, 0.5, 1.0], list(np.linspace(0, 1, 21))):
        expected: dict[str, list[float]] = {"TruePositives": [], "FalsePositives": [], "TrueNegatives": [], "FalseNegatives": []}
        for t in thresholds:
            found = dict.fromkeys(expected, 0.0)
            for label, p, w in zip(y_true, y_pred, weight, strict=True):
                found[f"{'True' if (p > t) == bool(label) else 'False'}{'Positives' if p > t else 'Negatives'}"] += w
            for name, total in found.items():
                expected[name].append(total)
        for name, totals in expected.items():
            np.testing.assert_allclose(getattr(metrics, name)(thresholds)(y_true, y_pred, weight).reshape(-1), totals, atol=1e-12)


def test_auc_is_the_chance_to_rank_right(rng: np.random.Generator) -> None:
    """The area under the ROC curve is the share of (positive, negative) pairs in the right order, ties counting half."""
    y_true = (rng.uniform(size=60) < 0.4).astype(float)
    y_pred = rng.integers(0, 40, 60) / 40  # with ties, and no two values in one bucket of the 200 thresholds
    pairs = list(itertools.product(y_pred[y_true == 1], y_pred[y_true == 0]))
    expected = sum((p > n) + 0.5 * (p == n) for p, n in pairs) / len(pairs)
    assert float(metrics.AUC()(y_true, y_pred)) == pytest.approx(expected, abs=1e-12)


def test_top_k_with_ties_and_nan() -> None:
    y_pred = np.array([[0.3, 0.3, 0.3, 0.1], [0.4, 0.3, 0.2, 0.1], [np.nan, 0.9, 0.05, 0.05]])
    found = metrics.SparseTopKCategoricalAccuracy(k=1)
    assert float(found(np.array([2, 1, 0]), y_pred)) == pytest.approx(1 / 3)  # equal to the best counts as best; NaN does not


def test_perplexity(rng: np.random.Generator) -> None:
    y_true, y_pred = np.array([[1, 2, 0], [3, 0, 0]]), rng.dirichlet(np.ones(4), (2, 3))
    chosen = [y_pred[0, 0, 1], y_pred[0, 1, 2], y_pred[1, 0, 3]]
    expected = math.exp(-sum(map(math.log, chosen)) / 3)
    assert float(metrics.Perplexity(mask_token_id=0)(y_true, y_pred)) == pytest.approx(expected)
    assert float(metrics.Perplexity()(y_true, y_pred, y_true != 0)) == pytest.approx(expected)
    assert float(metrics.Perplexity(from_logits=True, mask_token_id=0)(y_true, np.log(y_pred))) == pytest.approx(expected)


def test_iou_by_sets() -> None:
    true, predicted = np.array([[0, 1, 1], [2, 2, 0]]), np.array([[0, 1, 2], [2, 0, 0]])
    each = [len(a & b) / len(a | b) for a, b in (({*np.flatnonzero(true == c)}, {*np.flatnonzero(predicted == c)}) for c in range(3))]
    assert float(metrics.MeanIoU(3)(true, predicted)) == pytest.approx(sum(each) / 3)
    assert float(metrics.MeanIoU(4)(true, predicted)) == pytest.approx(sum(each) / 3)  # class 3 does not occur


def test_r2_of_constant_targets() -> None:
    metric = metrics.R2Score(class_aggregation=None)
    scores = metric(np.array([[1.0, 1.0], [1.0, 1.0]]), np.array([[1.0, 0.0], [1.0, 2.0]]))
    assert math.isnan(scores[0])
    assert scores[1] == 0.0


def test_r2_with_too_many_regressors() -> None:
    metric = metrics.R2Score(num_regressors=3)
    metric.update_state([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]])
    with pytest.warns(UserWarning, match="3 regressors want more than 3 samples"):
        assert float(metric.result()) == pytest.approx(4 / 7)


# --- sample weights, errors ----------------------------------------------------------------------


def test_mean_of_masked_tokens() -> None:
    """A mask (B, T) as weights: each token counts once."""
    ids, y_pred = np.array([[0, 1], [1, 1]]), np.eye(2)[[[0, 1], [0, 0]]]
    metric = metrics.SparseCategoricalAccuracy()
    assert float(metric(ids, y_pred, np.array([[True, True], [True, False]]))) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("metric", "y_true", "y_pred", "message"),
    [
        (metrics.CategoricalAccuracy(), (4,), (4, 3), "for class ids use SparseCategoricalAccuracy, or 'accuracy'"),
        (metrics.TopKCategoricalAccuracy(), (4,), (4, 3), "for class ids use SparseTopKCategoricalAccuracy"),
        (metrics.SparseCategoricalAccuracy(), (4, 3), (4, 3), "For one-hot labels use CategoricalAccuracy"),
        (metrics.SparseCategoricalAccuracy(name="acc"), (5,), (4, 3), r"'acc': y_true has shape \(5,\), y_pred has \(4, 3\)"),
        (metrics.Accuracy(), (4, 3), (4,), "They must be equal"),
        (metrics.BinaryAccuracy(), (4,), (4, 3), "They must be equal"),
        (metrics.Precision(), (4,), (4, 3), "Precision wants a yes/no label for each prediction"),
        (metrics.Precision(class_id=1), (4,), (4,), "class_id wants y_pred of shape"),
        (metrics.AUC(multi_label=True), (4,), (4,), "multi_label=True wants shape"),
        (metrics.F1Score(), (4,), (4, 3), "one-hot labels and predictions, both of shape"),
        (metrics.R2Score(), (4,), (4,), r"It wants shape \(batch, outputs\)"),
        (metrics.MeanSquaredError(), (4, 2), (4, 3), "They must be equal"),
        (metrics.MeanIoU(3), (4,), (4, 3), "say with sparse_y_true/_pred which is one-hot"),
        (metrics.Perplexity(), (4, 3), (4, 5, 7), "one class id for each sample"),
        (ConfusionMatrix(3), (4,), (5,), "one class id, or one row of scores"),
    ],
)
def test_shapes_that_do_not_fit(metric: Any, y_true: tuple[int, ...], y_pred: tuple[int, ...], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        metric.update_state(np.zeros(y_true), np.full(y_pred, 0.5))


@pytest.mark.parametrize("metric", [metrics.MeanSquaredError(), metrics.Precision(), metrics.F1Score(), metrics.Mean()])
def test_weights_that_do_not_fit(metric: Any) -> None:
    given = (np.zeros((4, 3)),) if type(metric) is metrics.Mean else (np.zeros((4, 3)), np.zeros((4, 3)))
    with pytest.raises(ShapeError, match=r"sample_weight has shape \(5,\)"):
        metric.update_state(*given, sample_weight=np.ones(5))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: metrics.Precision(1.5), r"Precision: thresholds lie in \[0, 1\], not \[1\.5\]"),
        (lambda: metrics.FBetaScore(beta=0.0), "beta is a positive float"),
        (lambda: metrics.F1Score("mean"), "average is None, 'micro'"),
        (lambda: metrics.F1Score(threshold=0.0), r"threshold is a float in \(0, 1\]"),
        (lambda: metrics.AUC(curve="XY"), "curve is 'ROC', 'PR' or 'PRGAIN'"),
        (lambda: metrics.AUC(summation_method="middle"), "summation_method is 'interpolation'"),
        (lambda: metrics.AUC(num_thresholds=1), "num_thresholds is 2 or more"),
        (lambda: metrics.AUC(num_labels=3), "num_labels goes with multi_label=True"),
        (lambda: metrics.PrecisionAtRecall(2.0), r"recall lies in \[0, 1\], not 2\.0"),
        (lambda: metrics.RecallAtPrecision(0.5, num_thresholds=0), "num_thresholds is 1 or more"),
        (lambda: metrics.R2Score("sum"), "class_aggregation is"),
        (lambda: metrics.R2Score(num_regressors=-1), "num_regressors is 0 or more"),
        (lambda: metrics.IoU(2, [2]), r"target_class_ids \[2\] lie outside 0 \.\. 1"),
        (lambda: metrics.BinaryAccuracy(threshold=None), "threshold is a number"),  # type: ignore[arg-type]
    ],
)
def test_arguments_that_do_not_fit(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


# --- from names to metrics -----------------------------------------------------------------------


def test_resolve_metric() -> None:
    def kind(spec: Any, y_true: tuple[int, ...], y_pred: tuple[int, ...]) -> tuple[type, str]:
        metric = resolve_metric(spec, None, y_true, y_pred)
        return type(metric), metric.name

    assert kind("accuracy", (8,), (8, 10)) == (metrics.SparseCategoricalAccuracy, "accuracy")
    assert kind("acc", (8, 1), (8, 1)) == (metrics.BinaryAccuracy, "acc")
    assert kind("accuracy", (8, 10), (8, 10)) == (metrics.CategoricalAccuracy, "accuracy")
    assert kind("mae", (8, 1), (8, 1)) == (metrics.MeanAbsoluteError, "mae")
    assert kind("AUC", (8, 1), (8, 1)) == (metrics.AUC, "AUC")
    assert kind(metrics.Precision(name="p"), (8, 1), (8, 1)) == (metrics.Precision, "p")
    assert kind(metrics.Recall, (8, 1), (8, 1)) == (metrics.Recall, "recall")
    assert kind({"class_name": "F1Score", "config": {"average": "macro"}}, (8, 3), (8, 3)) == (metrics.F1Score, "f1_score")

    def distance(y_true: Any, y_pred: Any) -> Any:
        return abs(y_true - y_pred)

    assert kind(distance, (8, 1), (8, 1)) == (metrics.MeanMetricWrapper, "distance")
    with pytest.raises(ValueError, match="there is no metric called 'acuracy'"):
        resolve_metric("acuracy", None, (8, 1), (8, 1))
    with pytest.raises(TypeError, match="a metric is a name, a Metric or a function"):
        resolve_metric(7, None, (8, 1), (8, 1))


# --- confusion matrix and report -----------------------------------------------------------------


def test_confusion_matrix_counts(rng: np.random.Generator) -> None:
    true, predicted = labels(rng)
    expected = [[int(((true == i) & (predicted == j)).sum()) for j in range(C)] for i in range(C)]
    assert confusion_matrix(true, predicted, labels=range(C)).result().tolist() == expected
    assert confusion_matrix(true, np.eye(C)[predicted], range(C)).result().tolist() == expected
    streamed = ConfusionMatrix(C)
    streamed.update_state(true[:5], predicted[:5])
    streamed.update_state(true[5:, None], np.eye(C)[predicted[5:]])
    assert streamed.result().tolist() == expected


def test_confusion_matrix_of_probabilities() -> None:
    assert confusion_matrix([0, 1, 1], np.array([[0.2], [0.7], [0.4]])).result().tolist() == [[1, 0], [1, 1]]


def test_confusion_matrix_text() -> None:
    matrix = confusion_matrix(["b", "a", "b"], ["b", "b", "b"], labels=["b", "a", "unseen"])
    assert str(matrix).splitlines() == [
        "true \\ predicted  b  a  unseen",
        "b                 2  0       0",
        "a                 1  0       0",
        "unseen            0  0       0",
    ]


def test_pictures_of_a_classification(tmp_path: Path) -> None:
    path = tmp_path / "matrix.png"
    confusion_matrix(["b", "a", "b"], ["b", "b", "b"]).plot(path, title="two classes")
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    classification_report(["b", "a", "b"], ["b", "b", "b"]).plot(tmp_path / "report.png")
    assert (tmp_path / "report.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["matrix.png", "report.png"]


def test_plot_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'ls-engine\[plots\]'"):
        ConfusionMatrix(2).plot(tmp_path / "matrix.png")


def test_report_by_hand() -> None:
    """A worked example: class 0 is found every time, 1 never, 2 twice of three times."""
    report = classification_report([0, 1, 2, 2, 2], [0, 0, 2, 2, 1], labels=["zero", "one", "two"])
    found = report.to_dict()
    assert found["zero"] == {"precision": 0.5, "recall": 1.0, "f1-score": pytest.approx(2 / 3), "support": 1}
    assert found["one"] == {"precision": 0.0, "recall": 0.0, "f1-score": 0.0, "support": 1}
    assert found["two"] == {"precision": 1.0, "recall": pytest.approx(2 / 3), "f1-score": pytest.approx(0.8), "support": 3}
    assert found["accuracy"] == 0.6
    assert found["macro avg"] == {
        "precision": 0.5,
        "recall": pytest.approx(5 / 9),
        "f1-score": pytest.approx((2 / 3 + 0.8) / 3),
        "support": 5,
    }
    assert found["weighted avg"]["f1-score"] == pytest.approx((2 / 3 + 3 * 0.8) / 5)
    assert list(found) == ["zero", "one", "two", "macro avg", "weighted avg", "accuracy"]


def test_report_lines_up() -> None:
    report = classification_report(["a", "a much longer label"], ["a", "a"])
    lines = [line for line in str(report).splitlines() if line]
    assert len({len(line) for line in lines}) == 1
    assert "nan" not in str(report)


def test_report_of_what_models_give() -> None:
    by_scores = classification_report([1, 0], np.array([[0.2, 0.8], [0.1, 0.9]]))
    by_probability = classification_report(np.array([[1], [0]]), np.array([[0.8], [0.9]]))
    assert by_scores == by_probability == classification_report([1, 0], [1, 1])
    assert classification_report(ls_core.to_device(np.array([1, 0]), "standin"), [1, 1]) == by_scores


def test_report_labels() -> None:
    report = classification_report(["b", "a"], ["b", "b"], labels=["b", "a", "c"])
    assert list(report.classes) == ["b", "a", "c"]
    assert report.classes["c"].support == 0
    with pytest.raises(ValueError, match="the data hold the class 'a', which is not among the labels"):
        classification_report(["b", "a"], ["b", "b"], labels=["b", "c"])
    with pytest.raises(ValueError, match="2 labels and 3 predictions"):
        classification_report([0, 1], [0, 1, 1])


# --- BLEU ----------------------------------------------------------------------------------------

MILITARY = "It is a guide to action which ensures that the military always obeys the commands of the party"
REFERENCES = [
    "It is a guide to action that ensures that the military will forever heed Party commands",
    "It is the guiding principle which guarantees the military forces always being under the command of the Party",
    "It is the practical guide for the army always to heed the directions of the party",
]


def test_bleu_of_the_papers_example() -> None:
    """Papineni et al. 2002, section 2.1: 17 of 18 words and 10 of 17 pairs of candidate 1 stand in a reference."""
    metric = BLEU()
    metric.update_state([REFERENCES], [MILITARY])
    assert metric.matches[:2] == [17, 10]
    assert metric.possible[:2] == [18, 17]
    expected = math.exp(sum(math.log(m / p) for m, p in ((17, 18), (10, 17), (7, 16), (4, 15))) / 4)
    assert metric.result() == pytest.approx(expected)
    assert metric.result() == pytest.approx(0.5045666840058485)  # what NLTK gives for it


def test_bleu_of_a_corpus() -> None:
    """NLTK's own example of two sentences."""
    second = "he read the book because he was interested in world history"
    metric = BLEU()
    metric.update_state([REFERENCES], [MILITARY])
    metric.update_state([["he was interested in world history because he read the book"]], [second])
    assert metric.result() == pytest.approx(0.5920778868801042)


def test_bleu_clips_repeated_words() -> None:
    """Papineni et al., section 2.1: seven times 'the' has a precision of 2/7."""
    metric = BLEU(max_order=1)
    assert metric([["the cat is on the mat", "there is a cat on the mat"]], ["the the the the the the the"]) == pytest.approx(2 / 7)


def test_bleu_brevity_and_smoothing() -> None:
    assert BLEU(max_order=1)(["a b c d"], ["a b"]) == pytest.approx(math.exp(1 - 4 / 2))
    assert BLEU()(["a b c d"], ["a b x y"]) == 0.0
    assert BLEU(smooth=True, max_order=2)(["a b c"], ["a c b"]) == pytest.approx(math.sqrt(4 / 4 * 1 / 3))


def test_bleu_of_tokens() -> None:
    tokens = [text.split() for text in REFERENCES]
    assert BLEU()([tokens], [MILITARY.split()]) == BLEU()([REFERENCES], [MILITARY])
    assert BLEU()([tokens[0]], [tokens[0]]) == 1.0
    assert BLEU(tokenizer=list)(["abcd"], ["abcd"]) == 1.0
    assert BLEU().result() == 0.0
    with pytest.raises(ValueError, match="lists of equal length"):
        BLEU().update_state(["a"], ["a", "b"])


# --- functions -------------------------------------------------------------------------------------------


def test_functions_give_what_their_metrics_average() -> None:
    rng = np.random.default_rng(0)
    y_pred, ids = rng.uniform(size=(12, 4)), rng.integers(0, 4, 12)
    one_hot, continuous = np.eye(4)[ids], rng.normal(size=(12, 4))
    for values, metric, y_true in (
        (metrics.binary_accuracy(one_hot, y_pred, 0.3), metrics.BinaryAccuracy(threshold=0.3), one_hot),
        (metrics.categorical_accuracy(one_hot, y_pred), metrics.CategoricalAccuracy(), one_hot),
        (metrics.sparse_categorical_accuracy(ids, y_pred), metrics.SparseCategoricalAccuracy(), ids),
        (metrics.top_k_categorical_accuracy(one_hot, y_pred, 2), metrics.TopKCategoricalAccuracy(2), one_hot),
        (metrics.sparse_top_k_categorical_accuracy(ids, y_pred, k=2), metrics.SparseTopKCategoricalAccuracy(2), ids),
        (metrics.pearson_correlation(continuous, y_pred), metrics.PearsonCorrelation(), continuous),
        (metrics.concordance_correlation(continuous, y_pred, axis=0), metrics.ConcordanceCorrelation(axis=0), continuous),
        (metrics.mean_squared_error(continuous, y_pred), metrics.MeanSquaredError(), continuous),
    ):
        assert values.dtype.kind == "f"
        assert len(values) in (12, 4)
        assert float(metric(y_true, y_pred)) == pytest.approx(float(values.mean()))
    with pytest.raises(ShapeError, match="CategoricalAccuracy"):
        metrics.categorical_accuracy(ids, y_pred)


@pytest.mark.parametrize("name", ["mean_absolute_error", "huber", "cosine_similarity", "binary_accuracy", "dice"])
def test_functions_in_compile_travel_with_the_model(name: str, tmp_path: Path) -> None:
    function = getattr(losses, name, None) or getattr(metrics, name)
    model = ls_core.Sequential([Dense(2, activation="sigmoid")])
    model.compile("sgd", losses.mean_squared_error, metrics=[function])
    x, y = np.random.default_rng(0).normal(size=(8, 3)), np.eye(2)[np.arange(8) % 2]
    model.fit(x, y, verbose=0)
    measured = model.evaluate(x, y, verbose=0, return_dict=True)
    assert measured[name] == pytest.approx(float(np.mean(function(y, model.predict(x)))), rel=1e-5)
    model.save(tmp_path / "model")
    again = ls_core.load_model(tmp_path / "model")
    assert again.evaluate(x, y, verbose=0, return_dict=True) == measured
    again.fit(x, y, verbose=0)


def test_a_loss_without_a_gradient_is_refused_by_compile() -> None:
    with pytest.raises(TypeError, match="no gradient; derive from ls_core.losses.Loss"):
        ls_core.Sequential([Dense(2)]).compile("sgd", lambda y_true, y_pred: (y_true - y_pred) ** 2)
