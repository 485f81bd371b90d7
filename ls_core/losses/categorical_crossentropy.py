"""Categorical cross-entropy: l = -sum_C t log p, on probabilities p or on logits z, p = softmax(z).

On logits: -log p_c = log sum_j exp(z_j) - z_c, by the log-sum-exp with the largest logit taken out. C the axis of the
classes, t a distribution over them (one-hot, or smoothed).
"""

from __future__ import annotations

from typing import Any

from ..backend import get_xp
from ..kernel import kernel
from ..types import Array
from .loss import Loss, clip_probabilities, function_form


@kernel
def categorical_crossentropy_forward(t: Array, p: Array, axis: int) -> tuple[Array, Any]:
    xp = get_xp(p)
    total = p.sum(axis=axis, keepdims=True)  # (..., 1)
    q = p / total  # (..., C)
    r, inside = clip_probabilities(q)
    return -(t * xp.log(r)).sum(axis=axis), (t, q, r, inside, total)


@kernel
def categorical_crossentropy_backward(weights: Array, t: Array, q: Array, r: Array, inside: Array, total: Array, axis: int) -> Array:
    xp = get_xp(weights)
    # 3. losses = -sum_C t log(r)
    dr = -t / r * xp.expand_dims(weights, axis)  # (..., C)
    # 2. r = clip(q)
    dq = dr * inside
    # 1. q = p / sum_C p
    return (dq - (dq * q).sum(axis=axis, keepdims=True)) / total


@kernel
def categorical_crossentropy_logits_forward(t: Array, z: Array, axis: int) -> tuple[Array, Any]:
    xp = get_xp(z)
    z = z - z.max(axis=axis, keepdims=True)  # (..., C)
    e = xp.exp(z)
    total = e.sum(axis=axis, keepdims=True)  # (..., 1)
    # -sum_C t (z - log total), so that a target 0 on a logit of -inf stays apart
    return (t * (xp.log(total) - z)).sum(axis=axis), (t, e, total)


@kernel
def categorical_crossentropy_logits_backward(weights: Array, t: Array, e: Array, total: Array, axis: int) -> Array:
    xp = get_xp(weights)
    # losses = sum_C t (log sum_C exp(z) - z):  d losses / dz = p sum_C t - t, p = softmax(z) = e / total
    return (e * (t.sum(axis=axis, keepdims=True) / total) - t) * xp.expand_dims(weights, axis)  # (..., C)


class CategoricalCrossentropy(Loss):
    """Cross-entropy between target distributions and predicted ones: ``-sum_c t_c log(p_c)``.

    Parameters
    ----------
    from_logits : bool
        y_pred holds logits rather than probabilities. Default False; probabilities are divided by their sum and kept
        within [1e-7, 1 - 1e-7].
    label_smoothing : float in [0, 1]
        s: targets become t (1 - s) + s / C, C the size of the last axis (also where ``axis`` is another, as in Keras).
    axis : int
        Axis of the classes, default -1.
    reduction, name, dtype
        See ``Loss``.

    Notes
    -----
    y_true and y_pred have one shape, (B, ..., C). Integer labels: ``SparseCategoricalCrossentropy``.
    Gradient on logits: softmax(z) sum_C t - t.

    Source: Keras 3, ``keras.losses.CategoricalCrossentropy``.

    Examples
    --------
    >>> loss = CategoricalCrossentropy(from_logits=True)
    >>> value, gradient = loss.value_and_grad([[0.0, 1.0]], [[1.0, 1.0]])
    >>> round(float(value), 4), gradient.tolist()
    (0.6931, [[0.5, -0.5]])
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis
        self.closing_activation = "softmax" if axis == -1 else None

    def align(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        return align_one_hot(self, y_true, y_pred)

    def per_sample(self, y_true: Array, y_pred: Array) -> Any:
        if self.label_smoothing:
            y_true = y_true * (1.0 - self.label_smoothing) + self.label_smoothing / y_true.shape[-1]
        forward = categorical_crossentropy_logits_forward if self.from_logits else categorical_crossentropy_forward
        return forward(y_true, y_pred, self.axis)

    def per_sample_gradient(self, weights: Array, saved: Any) -> Array:
        backward = categorical_crossentropy_logits_backward if self.from_logits else categorical_crossentropy_backward
        return backward(weights, *saved, self.axis)


categorical_crossentropy = function_form(CategoricalCrossentropy)


def align_one_hot(loss: Loss, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
    """Equal shapes with an axis of classes; the error knows integer labels."""
    if y_true.shape == y_pred.shape and y_pred.ndim > 0:
        return y_true, y_pred
    if y_true.shape in (y_pred.shape[:-1], (*y_pred.shape[:-1], 1)):
        fix = "These look like integer labels: use sparse_categorical_crossentropy, or one-hot encode them."
    else:
        fix = "They must be equal, with the classes on the last axis."
    raise loss.mismatch(y_true, y_pred, fix)
