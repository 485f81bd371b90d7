"""F-scores: the weighted harmonic mean of precision and recall, per class or averaged."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import as_float, get_xp
from ..losses.loss import EPSILON
from ..types import Array
from .metric import Metric, as_weight, untouched


class FBetaScore(Metric):
    """``(1 + beta^2) precision recall / (beta^2 precision + recall)``.

    Parameters
    ----------
    average : {None, 'micro', 'macro', 'weighted'}
        None: one score for each class; 'micro': over all classes counted together; 'macro': the mean of the classes;
        'weighted': their mean weighted by how often each is true.
    beta : float
        How much more recall counts than precision; default 1.0.
    threshold : float in (0, 1], optional
        Predictions above it are positive; None: the largest of each row is.

    Notes
    -----
    y_true one-hot or multi-hot (B, C), y_pred (B, C).

    Source: Keras 3, ``keras.metrics.FBetaScore``.

    Examples
    --------
    >>> metric = FBetaScore(beta=2.0, threshold=0.5)
    >>> metric([[1, 1, 1], [1, 0, 0], [1, 1, 0]], [[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]]).round(4).tolist()
    [0.3846, 0.9091, 0.8333]
    """

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: Any = None,
    ) -> None:
        if average not in (None, "micro", "macro", "weighted"):
            raise ValueError(f"{type(self).__name__}: average is None, 'micro', 'macro' or 'weighted', not {average!r}")
        if not isinstance(beta, float) or beta <= 0:
            raise ValueError(f"{type(self).__name__}: beta is a positive float, not {beta!r}")
        if threshold is not None and not (isinstance(threshold, float) and 0 < threshold <= 1):
            raise ValueError(f"{type(self).__name__}: threshold is a float in (0, 1], not {threshold!r}")
        super().__init__(dtype, name)
        self.average = average
        self.beta = beta
        self.threshold = threshold

    def reset_state(self) -> None:
        self.true_positives: Array = 0.0
        self.false_positives: Array = 0.0
        self.false_negatives: Array = 0.0

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = self.arrays(y_true, y_pred)
        if y_pred.ndim != 2 or y_true.shape != y_pred.shape:
            raise self.mismatch(y_true, y_pred, "It wants one-hot labels and predictions, both of shape (batch, classes).")
        xp = get_xp(y_pred)
        if self.threshold is None:
            positive = (y_pred >= y_pred.max(axis=-1, keepdims=True)) & (xp.abs(y_pred) > 1e-9)
        else:
            positive = y_pred > self.threshold
        true = as_float(y_true).astype(np.float64)  # (B, C)
        positive = positive.astype(np.float64)
        weight = as_weight(sample_weight, true)
        axis = None if self.average == "micro" else 0
        self.true_positives = self.true_positives + (positive * true * weight).sum(axis=axis)
        self.false_positives = self.false_positives + (positive * (1.0 - true) * weight).sum(axis=axis)
        self.false_negatives = self.false_negatives + ((1.0 - positive) * true * weight).sum(axis=axis)

    def result(self) -> Any:
        precision = self.true_positives / (self.true_positives + self.false_positives + EPSILON)
        recall = self.true_positives / (self.true_positives + self.false_negatives + EPSILON)
        squared = self.beta**2
        score = precision * recall / (squared * precision + recall + EPSILON) * (1 + squared)  # (C,), or 0-d for 'micro'
        if self.average is None or untouched(score):
            return score
        if self.average == "weighted":
            support = self.true_positives + self.false_negatives  # how often each class is true
            return (score * (support / (support.sum() + EPSILON))).sum()
        return score.mean()


class F1Score(FBetaScore):
    """The harmonic mean of precision and recall: ``FBetaScore`` with beta 1.

    Source: Keras 3, ``keras.metrics.F1Score``.

    >>> metric = F1Score(threshold=0.5)
    >>> metric([[1, 1, 1], [1, 0, 0], [1, 1, 0]], [[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]]).round(4).tolist()
    [0.5, 0.8, 0.6667]
    """

    def __init__(
        self, average: str | None = None, threshold: float | None = None, name: str | None = "f1_score", dtype: Any = None
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)
