"""Rows for the losses: how to make each, and targets and predictions that suit it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..registry import lookup

Inputs = Callable[[np.random.Generator], "tuple[Any, ...]"]


@dataclass(frozen=True)
class LossCase:
    """``inputs(generator)`` returns (y_true, y_pred) or (y_true, y_pred, sample_weight)."""

    loss: str
    inputs: Inputs
    arguments: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        given = ", ".join(f"{key}={value!r}" for key, value in self.arguments.items())
        return f"{self.loss}({given})"

    def make(self) -> Any:
        """The loss."""
        return lookup("loss", self.loss)(**self.arguments)


def _softmax(g: np.random.Generator, *shape: int) -> np.ndarray:
    e = np.exp(g.normal(size=shape))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def _real(g: np.random.Generator) -> tuple[Any, ...]:
    return g.normal(size=(4, 3)), g.normal(size=(4, 3)), g.uniform(0.5, 2, size=4)


def _positive(g: np.random.Generator) -> tuple[Any, ...]:
    return g.uniform(0.5, 2, size=(4, 3)), g.uniform(0.5, 2, size=(4, 3))


def _probabilities(g: np.random.Generator) -> tuple[Any, ...]:
    return g.integers(0, 2, size=(4, 3)).astype(float), g.uniform(0.1, 0.9, size=(4, 3))


def _one_hot(g: np.random.Generator) -> tuple[Any, ...]:
    return np.eye(3)[g.integers(0, 3, 4)], _softmax(g, 4, 3), g.uniform(0.5, 2, size=4)


def _one_hot_logits(g: np.random.Generator) -> tuple[Any, ...]:
    return np.eye(3)[g.integers(0, 3, 4)], g.normal(size=(4, 3))


def _ids(g: np.random.Generator) -> tuple[Any, ...]:
    return g.integers(0, 3, size=(2, 3)), _softmax(g, 2, 3, 3)


def _ids_logits(g: np.random.Generator) -> tuple[Any, ...]:
    return g.integers(0, 3, size=(2, 3)), g.normal(size=(2, 3, 3))


def _signs(g: np.random.Generator) -> tuple[Any, ...]:
    return g.choice([-1.0, 1.0], size=(4, 3)), g.normal(size=(4, 3))


def _binary_logits(g: np.random.Generator) -> tuple[Any, ...]:
    return g.integers(0, 2, size=(4, 3)).astype(float), g.normal(size=(4, 3))


def _distributions(g: np.random.Generator) -> tuple[Any, ...]:
    return _softmax(g, 4, 3), _softmax(g, 4, 3)


def _embeddings(g: np.random.Generator) -> tuple[Any, ...]:
    y = g.normal(size=(5, 3))
    return np.array([0, 1, 0, 1, 2]), y / np.linalg.norm(y, axis=1, keepdims=True)


def _sequences(g: np.random.Generator) -> tuple[Any, ...]:
    return np.array([[1, 2, 2], [3, 0, 0]]), g.normal(size=(2, 6, 4))


LOSS_CASES = [
    LossCase("MeanSquaredError", _real),
    LossCase("MeanSquaredError", _real, {"reduction": "sum"}),
    LossCase("MeanSquaredError", _real, {"reduction": "none"}),
    LossCase("MeanAbsoluteError", _real),
    LossCase("MeanAbsolutePercentageError", _positive),
    LossCase("MeanSquaredLogarithmicError", _positive),
    LossCase("Huber", _real),
    LossCase("LogCosh", _real),
    LossCase("CosineSimilarity", _real),
    LossCase("Poisson", _positive),
    LossCase("KLDivergence", _distributions),
    LossCase("BinaryCrossentropy", _probabilities),
    LossCase("BinaryCrossentropy", _binary_logits, {"from_logits": True, "label_smoothing": 0.1}),
    LossCase("BinaryFocalCrossentropy", _probabilities, {"apply_class_balancing": True}),
    LossCase("BinaryFocalCrossentropy", _binary_logits, {"from_logits": True}),
    LossCase("CategoricalCrossentropy", _one_hot),
    LossCase("CategoricalCrossentropy", _one_hot_logits, {"from_logits": True, "label_smoothing": 0.1}),
    LossCase("CategoricalFocalCrossentropy", _one_hot),
    LossCase("CategoricalFocalCrossentropy", _one_hot_logits, {"from_logits": True}),
    LossCase("CategoricalGeneralizedCrossEntropy", _ids),
    LossCase("SparseCategoricalCrossentropy", _ids),
    LossCase("SparseCategoricalCrossentropy", _ids_logits, {"from_logits": True, "ignore_class": 1}),
    LossCase("Hinge", _signs),
    LossCase("SquaredHinge", _signs),
    LossCase("CategoricalHinge", _one_hot_logits),
    LossCase("Dice", _probabilities),
    LossCase("Tversky", _probabilities, {"alpha": 0.3, "beta": 0.7}),
    LossCase("Circle", _embeddings, {"gamma": 2.0}),
    LossCase("CTC", _sequences),
]
