"""The table of losses: every loss has a row here, or the test suite fails. The gradient checks run on each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .binary_crossentropy import BinaryCrossentropy
from .binary_focal_crossentropy import BinaryFocalCrossentropy
from .categorical_crossentropy import CategoricalCrossentropy
from .categorical_focal_crossentropy import CategoricalFocalCrossentropy
from .categorical_generalized_cross_entropy import CategoricalGeneralizedCrossEntropy
from .categorical_hinge import CategoricalHinge
from .circle import Circle
from .cosine_similarity import CosineSimilarity
from .ctc import CTC
from .dice import Dice
from .hinge import Hinge
from .huber import Huber
from .kl_divergence import KLDivergence
from .log_cosh import LogCosh
from .loss import Loss
from .mean_absolute_error import MeanAbsoluteError
from .mean_absolute_percentage_error import MeanAbsolutePercentageError
from .mean_squared_error import MeanSquaredError
from .mean_squared_logarithmic_error import MeanSquaredLogarithmicError
from .poisson import Poisson
from .sparse_categorical_crossentropy import SparseCategoricalCrossentropy
from .squared_hinge import SquaredHinge
from .tversky import Tversky


class LossCase(NamedTuple):
    """One row: its name, how to make the loss, and ``inputs(generator) -> (y_true, y_pred)`` or with sample weights."""

    name: str
    make: Callable[[], Loss]
    inputs: Callable[[np.random.Generator], tuple[Any, ...]]


def _real(g: np.random.Generator) -> tuple[Any, ...]:
    return g.normal(size=(4, 3)), g.normal(size=(4, 3))


def _positive(g: np.random.Generator) -> tuple[Any, ...]:
    return g.uniform(0.5, 3, (4, 3)), g.uniform(0.5, 3, (4, 3))


def _signs(g: np.random.Generator) -> tuple[Any, ...]:
    return np.where(g.uniform(size=(4, 3)) < 0.5, -1.0, 1.0), g.normal(size=(4, 3))


def _zeros_and_ones(g: np.random.Generator) -> tuple[Any, ...]:
    return (g.uniform(size=(4, 3)) < 0.5).astype(float), g.uniform(0.1, 0.9, (4, 3))


def _binary_logits(g: np.random.Generator) -> tuple[Any, ...]:
    return (g.uniform(size=(4, 3)) < 0.5).astype(float), 3 * g.normal(size=(4, 3))


def _distributions(g: np.random.Generator) -> tuple[Any, ...]:
    return g.dirichlet(np.ones(4), size=3), g.uniform(0.2, 1.0, (3, 4))


def _distribution_logits(g: np.random.Generator) -> tuple[Any, ...]:
    return g.dirichlet(np.ones(4), size=3), 2 * g.normal(size=(3, 4))


def _one_hot(g: np.random.Generator) -> tuple[Any, ...]:
    return np.eye(4)[g.integers(0, 4, 3)], g.normal(size=(3, 4))


def _ids(g: np.random.Generator) -> tuple[Any, ...]:
    return g.integers(0, 4, 3), g.uniform(0.2, 1.0, (3, 4))


def _id_logits(g: np.random.Generator) -> tuple[Any, ...]:
    return g.integers(0, 4, (2, 3)), 2 * g.normal(size=(2, 3, 4))


def _images(g: np.random.Generator) -> tuple[Any, ...]:
    return (g.uniform(size=(2, 3, 2, 1)) < 0.5).astype(float), g.uniform(0.1, 0.9, (2, 3, 2, 1))


def _embeddings(g: np.random.Generator) -> tuple[Any, ...]:
    y = g.normal(size=(5, 3))
    return np.array([0, 1, 0, 1, 2]), y / np.linalg.norm(y, axis=1, keepdims=True)


def _sequences(g: np.random.Generator) -> tuple[Any, ...]:
    return np.array([[1, 2, 2], [3, 0, 0], [0, 0, 0]]), g.normal(size=(3, 6, 4))


def _weighted(inputs: Callable[[np.random.Generator], tuple[Any, ...]]) -> Callable[[np.random.Generator], tuple[Any, ...]]:
    """With one sample weight for each sample of the batch, one of them 0."""

    def make(g: np.random.Generator) -> tuple[Any, ...]:
        y_true, y_pred = inputs(g)
        weight = g.uniform(0.5, 2, len(y_pred))
        weight[0] = 0.0
        return y_true, y_pred, weight

    return make


LOSS_TABLE = [
    LossCase("MeanSquaredError", MeanSquaredError, _real),
    LossCase("MeanSquaredError weighted", MeanSquaredError, _weighted(_real)),
    LossCase("MeanSquaredError sum, weighted", lambda: MeanSquaredError("sum"), _weighted(_real)),
    LossCase("MeanSquaredError over weights", lambda: MeanSquaredError("mean_with_sample_weight"), _weighted(_real)),
    LossCase("MeanSquaredError none, weighted", lambda: MeanSquaredError("none"), _weighted(_real)),
    LossCase("MeanAbsoluteError", MeanAbsoluteError, _real),
    LossCase("MeanAbsolutePercentageError", MeanAbsolutePercentageError, _positive),
    LossCase("MeanSquaredLogarithmicError", MeanSquaredLogarithmicError, _positive),
    LossCase("MeanSquaredLogarithmicError clipped", MeanSquaredLogarithmicError, _real),
    LossCase("CosineSimilarity", CosineSimilarity, _real),
    LossCase("CosineSimilarity axis 0", lambda: CosineSimilarity(axis=0), _real),
    LossCase("Huber", Huber, _real),
    LossCase("Huber delta", lambda: Huber(delta=0.3), _real),
    LossCase("LogCosh", LogCosh, _real),
    LossCase("Hinge", Hinge, _signs),
    LossCase("Hinge 0 and 1", Hinge, _zeros_and_ones),
    LossCase("SquaredHinge", SquaredHinge, _signs),
    LossCase("SquaredHinge 0 and 1", SquaredHinge, _zeros_and_ones),
    LossCase("CategoricalHinge", CategoricalHinge, _one_hot),
    LossCase("KLDivergence", KLDivergence, _distributions),
    LossCase("Poisson", Poisson, _positive),
    LossCase("BinaryCrossentropy", BinaryCrossentropy, _zeros_and_ones),
    LossCase("BinaryCrossentropy smoothed, weighted", lambda: BinaryCrossentropy(label_smoothing=0.2), _weighted(_zeros_and_ones)),
    LossCase("BinaryCrossentropy logits", lambda: BinaryCrossentropy(from_logits=True), _binary_logits),
    LossCase("BinaryCrossentropy axis 0", lambda: BinaryCrossentropy(from_logits=True, axis=0), _binary_logits),
    LossCase("BinaryFocalCrossentropy", BinaryFocalCrossentropy, _zeros_and_ones),
    LossCase(
        "BinaryFocalCrossentropy balanced, smoothed",
        lambda: BinaryFocalCrossentropy(True, gamma=1.5, label_smoothing=0.1),
        _zeros_and_ones,
    ),
    LossCase("BinaryFocalCrossentropy gamma 0", lambda: BinaryFocalCrossentropy(gamma=0.0), _zeros_and_ones),
    LossCase("BinaryFocalCrossentropy logits", lambda: BinaryFocalCrossentropy(from_logits=True), _binary_logits),
    LossCase("CategoricalCrossentropy", CategoricalCrossentropy, _distributions),
    LossCase("CategoricalCrossentropy smoothed", lambda: CategoricalCrossentropy(label_smoothing=0.2), _weighted(_distributions)),
    LossCase("CategoricalCrossentropy logits", lambda: CategoricalCrossentropy(from_logits=True), _distribution_logits),
    LossCase("CategoricalCrossentropy logits axis 0", lambda: CategoricalCrossentropy(True, axis=0), _distribution_logits),
    LossCase("CategoricalCrossentropy logits, no distribution", lambda: CategoricalCrossentropy(True), _real),
    LossCase("CategoricalFocalCrossentropy", CategoricalFocalCrossentropy, _distributions),
    LossCase("CategoricalFocalCrossentropy alphas", lambda: CategoricalFocalCrossentropy([0.1, 0.4, 0.3, 0.2], 1.0), _distributions),
    LossCase("CategoricalFocalCrossentropy logits", lambda: CategoricalFocalCrossentropy(from_logits=True), _distribution_logits),
    LossCase("SparseCategoricalCrossentropy", SparseCategoricalCrossentropy, _ids),
    LossCase("SparseCategoricalCrossentropy logits", lambda: SparseCategoricalCrossentropy(True), _id_logits),
    LossCase("SparseCategoricalCrossentropy logits, weighted", lambda: SparseCategoricalCrossentropy(True), _weighted(_id_logits)),
    LossCase(
        "SparseCategoricalCrossentropy logits axis 1",
        lambda: SparseCategoricalCrossentropy(True, axis=1),
        lambda g: (g.integers(0, 3, (2, 4)), g.normal(size=(2, 3, 4))),
    ),
    LossCase(
        "SparseCategoricalCrossentropy ignoring",
        lambda: SparseCategoricalCrossentropy(True, ignore_class=-1),
        lambda g: (np.array([[1, -1, 0], [-1, 3, 2]]), g.normal(size=(2, 3, 4))),
    ),
    LossCase("CategoricalGeneralizedCrossEntropy", CategoricalGeneralizedCrossEntropy, _ids),
    LossCase("Dice", Dice, _images),
    LossCase("Dice each", lambda: Dice(axis=(1, 2, 3)), _weighted(_images)),
    LossCase("Tversky", lambda: Tversky(0.3, 0.8), _images),
    LossCase("Tversky each", lambda: Tversky(0.3, 0.8, axis=(1, 2, 3)), _weighted(_images)),
    LossCase("Circle", lambda: Circle(gamma=3.0), _embeddings),
    LossCase("Circle with the diagonal", lambda: Circle(gamma=2.0, margin=0.1, remove_diagonal=False), _embeddings),
    LossCase("CTC", CTC, _sequences),
    LossCase("CTC weighted", CTC, _weighted(_sequences)),
]
