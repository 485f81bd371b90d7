"""Categorical focal cross-entropy: l = sum_C alpha (1 - r)^gamma (-t log r), r the probabilities.

C the axis of the classes, t a distribution over them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import constant, get_xp
from ..kernel import kernel
from ..types import Array
from .categorical_crossentropy import align_one_hot
from .loss import Loss, clip_probabilities, function_form


@kernel
def categorical_focal_crossentropy_forward(t: Array, y: Array, alpha: Any, gamma: float, logits: bool, axis: int) -> tuple[Array, Any]:
    xp = get_xp(y)
    p = xp.exp(y - y.max(axis=axis, keepdims=True)) if logits else y  # (..., C)
    total = p.sum(axis=axis, keepdims=True)  # (..., 1)
    q = p / total
    r, inside = clip_probabilities(q)
    logs = xp.log(r)
    return -(alpha * (1.0 - r) ** gamma * (t * logs)).sum(axis=axis), (t, q, r, inside, logs, total)


@kernel
def categorical_focal_crossentropy_backward(weights: Array, saved: Any, alpha: Any, gamma: float, logits: bool, axis: int) -> Array:
    xp = get_xp(weights)
    t, q, r, inside, logs, total = saved
    # 3. losses = -sum_C alpha (1 - r)^gamma t log(r)
    dr = alpha * t * (gamma * (1.0 - r) ** (gamma - 1.0) * logs - (1.0 - r) ** gamma / r)  # (..., C)
    # 2. r = clip(q)
    dq = dr * inside * xp.expand_dims(weights, axis)
    # 1. q = p / sum_C p; on logits p = exp(y), so the division by the sum cancels
    d = dq - (dq * q).sum(axis=axis, keepdims=True)
    return d * q if logits else d / total


class CategoricalFocalCrossentropy(Loss):
    """Cross-entropy in which what is right already counts less: ``sum(-alpha (1 - p)^gamma y_true log(p))``.

    Parameters
    ----------
    alpha : float or list of C floats
        Weight of all classes, or of each. Default 0.25.
    gamma : float
        Default 2.0; 0 is alpha times the plain cross-entropy.
    from_logits : bool
        y_pred holds logits rather than probabilities.
    label_smoothing : float in [0, 1]
        s: targets become t (1 - s) + s / C.
    axis : int
        Axis of the classes, default -1.
    reduction, name, dtype
        See ``Loss``.

    Notes
    -----
    Probabilities are divided by their sum and kept within [1e-7, 1 - 1e-7], on logits as well.

    Source: Lin et al. 2017, "Focal Loss for Dense Object Detection", eq. 4 and 5; Keras 3,
    ``keras.losses.CategoricalFocalCrossentropy``.

    Examples
    --------
    >>> value, gradient = CategoricalFocalCrossentropy().value_and_grad([[1.0, 0.0]], [[0.5, 0.5]])
    >>> round(float(value), 4)
    0.0433
    >>> print(gradient.round(4))
    [[-0.1491  0.1491]]
    """

    def __init__(
        self,
        alpha: Any = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "categorical_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.alpha = alpha
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.options = (gamma, from_logits, axis)
        self.closing_activation = "softmax" if axis == -1 else None

    def align(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        return align_one_hot(self, y_true, y_pred)

    def per_sample(self, y_true: Array, y_pred: Array) -> Any:
        if self.label_smoothing:
            y_true = y_true * (1.0 - self.label_smoothing) + self.label_smoothing / y_true.shape[-1]
        alpha = self.alpha
        if not isinstance(alpha, (int, float)):
            alpha = constant(np.asarray(alpha, dtype=y_pred.dtype), y_pred)
        losses, saved = categorical_focal_crossentropy_forward(y_true, y_pred, alpha, *self.options)
        return losses, (saved, alpha)

    def per_sample_gradient(self, weights: Array, saved: Any) -> Array:
        return categorical_focal_crossentropy_backward(weights, *saved, *self.options)


categorical_focal_crossentropy = function_form(CategoricalFocalCrossentropy)
