"""True and false positives at each of several thresholds: what precision, recall and the areas under curves count."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import as_float, get_xp
from ..losses.loss import EPSILON, same_rank, sigmoid
from ..types import Array
from .metric import Metric, as_weight, untouched

NEG_INF = -1e10  # what a prediction outside the top k becomes: below every threshold


def parse_thresholds(metric: str, thresholds: Any, default: float) -> list[float]:
    """One threshold or several, as a list.

    >>> parse_thresholds('Precision', None, 0.5), parse_thresholds('Precision', [0.2, 0.8], 0.5)
    ([0.5], [0.2, 0.8])
    """
    if thresholds is None:
        return [default]
    found = list(thresholds) if isinstance(thresholds, (list, tuple, np.ndarray)) else [thresholds]
    bad = [t for t in found if t is None or not 0 <= t <= 1]
    if bad:
        raise ValueError(f"{metric}: thresholds lie in [0, 1], not {bad}")
    return [float(t) for t in found]


def evenly_spaced(thresholds: list[float]) -> bool:
    """Whether the thresholds are 0, 1/(n-1), ..., 1; then a prediction's bucket says which it exceeds."""
    n = len(thresholds)
    return n >= 3 and bool(np.allclose(thresholds, np.arange(n) / (n - 1), atol=EPSILON))


class ThresholdCounts(Metric):
    """A metric that counts, for each threshold, what lies above it.

    States: ``true_positives`` and ``false_positives`` (K, L) for K thresholds and L labels (1 unless the labels are
    counted apart), ``positives`` and ``negatives`` (L,), all weighted.
    """

    thresholds: list[float]
    even = False  # whether they are evenly spaced, so that one addition per prediction suffices
    top_k: int | None = None
    class_id: int | None = None
    multi_label = False
    label_weights: Any = None  # of the last axis's entries, where the labels are not counted apart
    from_logits = False

    def reset_state(self) -> None:
        self.true_positives: Array = 0.0
        self.false_positives: Array = 0.0
        self.positives: Array = 0.0
        self.negatives: Array = 0.0

    def counts(self) -> tuple[Array, Array, Array, Array]:
        """tp, fp, tn, fn, each (K, L); zeros before the first batch."""
        if untouched(self.true_positives):
            zero = np.zeros((len(self.thresholds), 1))
            return zero, zero, zero, zero
        tp, fp = self.true_positives, self.false_positives
        return tp, fp, self.negatives - fp, self.positives - tp

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred, weight = self.prepare(y_true, y_pred, sample_weight)
        tp, fp, positives, negatives = count_above(y_true, y_pred, weight, self.thresholds, self.even)
        self.true_positives = self.true_positives + tp
        self.false_positives = self.false_positives + fp
        self.positives = self.positives + positives
        self.negatives = self.negatives + negatives

    def prepare(self, y_true: Any, y_pred: Any, sample_weight: Any) -> tuple[Array, Array, Array]:
        """Labels (N, L) of 0.0 and 1.0, predictions (N, L), weights (N, L)."""
        y_true, y_pred = self.arrays(y_true, y_pred)
        y_true, y_pred = same_rank(y_true, as_float(y_pred))
        if self.from_logits:
            y_pred = sigmoid(y_pred)
        if y_true.shape != y_pred.shape:
            fix = f"{type(self).__name__} wants a yes/no label for each prediction; one-hot encode class ids, and name one with class_id."
            raise self.mismatch(y_true, y_pred, fix)
        if self.multi_label and y_pred.ndim != 2:
            raise self.mismatch(y_true, y_pred, "multi_label=True wants shape (batch, labels).")
        weight = as_weight(sample_weight, y_pred)
        if self.label_weights is not None and not self.multi_label:
            weight = weight * get_xp(weight).asarray(self.label_weights)
        if self.top_k is not None:
            y_pred = keep_top_k(y_pred, self.top_k)
        if self.class_id is not None:
            if y_pred.ndim < 2:
                raise self.mismatch(y_true, y_pred, "class_id wants y_pred of shape (batch, classes).")
            one = (..., slice(self.class_id, self.class_id + 1))
            y_true, y_pred, weight = y_true[one], y_pred[one], weight[one]
        shape = y_pred.shape if self.multi_label else (y_pred.size, 1)
        true = (y_true != 0).astype(np.float64)
        return true.reshape(shape), y_pred.reshape(shape), weight.reshape(shape)


def count_above(true: Array, y_pred: Array, weight: Array, thresholds: list[float], even: bool) -> tuple[Array, Array, Array, Array]:
    """tp (K, L), fp (K, L), positives (L,), negatives (L,), for labels, predictions and weights (N, L)."""
    xp = get_xp(y_pred)
    positive, negative = true * weight, (1.0 - true) * weight  # (N, L)
    if even:
        tp, fp = _count_by_bucket(positive, negative, y_pred, thresholds)
    else:
        levels = xp.asarray(np.asarray(thresholds, dtype=y_pred.dtype))
        above = (y_pred[None] > levels[:, None, None]).astype(np.float64)  # (K, N, L)
        tp, fp = (above * positive).sum(axis=1), (above * negative).sum(axis=1)
    return tp, fp, positive.sum(axis=0), negative.sum(axis=0)


def _count_by_bucket(positive: Array, negative: Array, y_pred: Array, thresholds: list[float]) -> tuple[Array, Array]:
    # p exceeds k / (K - 1) exactly where ceil(p (K - 1)) - 1 >= k: one addition per prediction, then a running sum.
    xp = get_xp(y_pred)
    K, L = len(thresholds), y_pred.shape[1]
    bucket = xp.ceil(xp.clip(y_pred, 0.0, 1.0) * (K - 1.0)) - 1.0  # (N, L), -1 for p = 0
    inside = (bucket >= 0) | (thresholds[0] < 0)  # the first threshold is a little below 0 where 0 is to exceed it
    flat = (xp.maximum(bucket, 0.0).astype("int64") * L + xp.arange(L)).reshape(-1)
    found = []
    for part in (positive, negative):
        sums = xp.zeros(K * L, dtype=np.float64)
        xp.add.at(sums, flat, (part * inside).reshape(-1))
        found.append(sums.reshape(K, L)[::-1].cumsum(axis=0)[::-1])
    return found[0], found[1]


def keep_top_k(y_pred: Array, k: int) -> Array:
    """``y_pred`` with all but the ``k`` largest of each row far below every threshold."""
    xp = get_xp(y_pred)
    best = xp.argsort(-y_pred, axis=-1)[..., :k]
    kept = (best[..., None] == xp.arange(y_pred.shape[-1])).any(axis=-2)  # (..., C)
    return xp.where(kept, y_pred, NEG_INF)
