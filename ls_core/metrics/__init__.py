"""Metrics under Keras' names, and reports on a classification."""

from ..registry import register, register_module
from .accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
)
from .at_threshold import PrecisionAtRecall, RecallAtPrecision, SensitivityAtSpecificity, SpecificityAtSensitivity
from .auc import AUC
from .bleu import BLEU
from .classification_report import ClassificationReport, classification_report
from .confusion_matrix import ConfusionMatrix, confusion_matrix
from .f_score import F1Score, FBetaScore
from .hinge import CategoricalHinge, Hinge, SquaredHinge
from .iou import BinaryIoU, IoU, MeanIoU, OneHotIoU, OneHotMeanIoU
from .metric import Metric
from .perplexity import Perplexity
from .precision_recall import FalseNegatives, FalsePositives, Precision, Recall, TrueNegatives, TruePositives
from .probabilistic import BinaryCrossentropy, CategoricalCrossentropy, KLDivergence, Poisson, SparseCategoricalCrossentropy
from .r2_score import R2Score
from .reduction import Mean, MeanMetricWrapper, Sum
from .regression import (
    ConcordanceCorrelation,
    CosineSimilarity,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    PearsonCorrelation,
    RootMeanSquaredError,
)
from .resolve import resolve_metric

__all__ = [
    "AUC",
    "Accuracy",
    "BLEU",
    "BinaryAccuracy",
    "BinaryCrossentropy",
    "BinaryIoU",
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "CategoricalHinge",
    "ClassificationReport",
    "ConcordanceCorrelation",
    "ConfusionMatrix",
    "CosineSimilarity",
    "F1Score",
    "FBetaScore",
    "FalseNegatives",
    "FalsePositives",
    "Hinge",
    "IoU",
    "KLDivergence",
    "LogCoshError",
    "Mean",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanIoU",
    "MeanMetricWrapper",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Metric",
    "OneHotIoU",
    "OneHotMeanIoU",
    "PearsonCorrelation",
    "Perplexity",
    "Poisson",
    "Precision",
    "PrecisionAtRecall",
    "R2Score",
    "Recall",
    "RecallAtPrecision",
    "RootMeanSquaredError",
    "SensitivityAtSpecificity",
    "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy",
    "SpecificityAtSensitivity",
    "SquaredHinge",
    "Sum",
    "TopKCategoricalAccuracy",
    "TrueNegatives",
    "TruePositives",
    "classification_report",
    "confusion_matrix",
    "resolve_metric",
]

_ALIASES = {
    BinaryCrossentropy: ("bce",),
    KLDivergence: ("kld",),
    MeanAbsoluteError: ("mae",),
    MeanAbsolutePercentageError: ("mape",),
    MeanSquaredError: ("mse",),
    MeanSquaredLogarithmicError: ("msle",),
    LogCoshError: ("logcosh",),
    RootMeanSquaredError: ("rmse",),
    F1Score: ("f1",),
}

register_module("metric", {name: globals()[name] for name in __all__}, Metric)
for _metric, _names in _ALIASES.items():
    for _name in _names:
        register("metric", _name, _metric)
