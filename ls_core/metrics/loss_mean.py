"""LossMean: the metric that is the mean of a loss."""

from __future__ import annotations

from typing import Any

from ..losses.loss import Loss
from .reduction import Mean


class LossMean(Mean):
    """The mean of the values of ``loss``, a Loss without reduction."""

    def __init__(self, loss: Loss, name: str, dtype: Any = None) -> None:
        super().__init__(name, dtype)
        self.loss = loss

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        self.add(self.loss(y_true, y_pred), sample_weight)
