"""Generalised cross-entropy: l = (1 - p_y^q) / q for the class id y, between cross-entropy (q -> 0) and |error| (q = 1).

N samples (every axis but the last, flattened), C classes.
"""

from __future__ import annotations

from typing import Any

from ..backend import get_xp
from ..kernel import kernel
from ..types import Array
from .loss import Loss, function_form
from .sparse_categorical_crossentropy import align_ids, check_ids


@kernel
def categorical_generalized_cross_entropy_forward(ids: Array, p: Array, q: float) -> tuple[Array, Any]:
    chosen = p[get_xp(p).arange(p.shape[0]), ids]  # (N,)
    return (1.0 - chosen**q) / q, (ids, chosen)


@kernel
def categorical_generalized_cross_entropy_backward(weights: Array, ids: Array, chosen: Array, classes: int, q: float) -> Array:
    xp = get_xp(weights)
    # losses = (1 - chosen^q) / q, chosen = p[rows, ids]
    dp = xp.zeros((chosen.shape[0], classes), dtype=chosen.dtype)  # (N, C)
    dp[xp.arange(chosen.shape[0]), ids] = -weights * chosen ** (q - 1.0)
    return dp


class CategoricalGeneralizedCrossEntropy(Loss):
    """A cross-entropy that wrong labels disturb less: ``(1 - p[id]^q) / q``.

    Parameters
    ----------
    q : float in (0, 1)
        Near 0: cross-entropy; near 1: mean absolute error. Default 0.5.
    reduction, name, dtype
        See ``Loss``.

    Notes
    -----
    y_true: class ids (B, ...), y_pred: probabilities (B, ..., C). Gradient at the id: -p^(q - 1); elsewhere 0.

    Source: Zhang and Sabuncu 2018, "Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy
    Labels", eq. 6; Keras 3, ``keras.losses.CategoricalGeneralizedCrossEntropy``.

    Examples
    --------
    >>> value, gradient = CategoricalGeneralizedCrossEntropy().value_and_grad([1], [[0.75, 0.25]])
    >>> float(value), gradient.tolist()
    (1.0, [[0.0, -2.0]])
    """

    dense_labels = False

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str = "categorical_generalized_cross_entropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        if not 0 < q < 1:
            raise ValueError(f"{self}: q lies between 0 and 1, not {q}")
        self.q = q

    def align(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        return align_ids(self, y_true, y_pred, -1)

    def per_sample(self, y_true: Array, y_pred: Array) -> Any:
        check_ids(self, y_true, y_pred.shape[-1])
        classes = y_pred.shape[-1]
        losses, saved = categorical_generalized_cross_entropy_forward(y_true.reshape(-1), y_pred.reshape(-1, classes), self.q)
        return losses.reshape(y_true.shape), (*saved, classes)

    def per_sample_gradient(self, weights: Array, saved: Any) -> Array:
        return categorical_generalized_cross_entropy_backward(weights.reshape(-1), *saved, self.q)  # reshaped by the caller


categorical_generalized_cross_entropy = function_form(CategoricalGeneralizedCrossEntropy)
