"""Binary focal cross-entropy: l = mean_C f^gamma b, b the binary cross-entropy, f = 1 - (probability of the truth).

C the axis of the mean, t the targets, p the probabilities, or sigmoid of the logits.
"""

from __future__ import annotations

from typing import Any

from ..backend import get_xp
from ..kernel import kernel
from ..types import Array
from .loss import Loss, clip_probabilities, function_form, sigmoid


@kernel
def binary_focal_crossentropy_forward(
    t: Array, y: Array, balance: float | None, gamma: float, logits: bool, axis: int
) -> tuple[Array, Any]:
    xp = get_xp(y)
    p = sigmoid(y) if logits else y  # (..., C)
    q, inside = clip_probabilities(p)
    b = -(t * xp.log(q) + (1.0 - t) * xp.log(1.0 - q))
    f = t * (1.0 - p) + (1.0 - t) * p
    each = f**gamma * b
    if balance is not None:
        each = each * (t * balance + (1.0 - t) * (1.0 - balance))
    return each.mean(axis=axis), (t, p, q, inside, b, f)


@kernel
def binary_focal_crossentropy_backward(weights: Array, saved: Any, balance: float | None, gamma: float, logits: bool, axis: int) -> Array:
    xp = get_xp(weights)
    t, p, q, inside, b, f = saved
    # 6. losses = each.mean(axis)
    deach = xp.expand_dims(weights * (1.0 / t.shape[axis]), axis)  # (..., 1)
    # 5. each = each * (t balance + (1 - t)(1 - balance))
    if balance is not None:
        deach = deach * (t * balance + (1.0 - t) * (1.0 - balance))
    # 4. each = f^gamma b
    db = deach * f**gamma  # (..., C)
    df = deach * b * (gamma * f ** (gamma - 1.0)) if gamma else 0.0
    # 3. f = t (1 - p) + (1 - t) p
    dp = df * (1.0 - 2.0 * t)
    # 2. b = -(t log(q) + (1 - t) log(1 - q)), q = clip(p)
    dp = dp + db * ((q - t) / (q * (1.0 - q))) * inside
    # 1. p = sigmoid(y)
    return dp * p * (1.0 - p) if logits else dp


class BinaryFocalCrossentropy(Loss):
    """Binary cross-entropy in which what is right already counts less: ``mean((1 - p_t)^gamma (-log(p_t)))``.

    p_t is the probability given to the true answer: y_pred for targets 1, 1 - y_pred for targets 0.

    Parameters
    ----------
    apply_class_balancing : bool
        Weigh targets 1 by alpha and targets 0 by 1 - alpha. Default False.
    alpha, gamma : float
        Defaults 0.25 and 2.0; gamma 0 is the plain binary cross-entropy.
    from_logits : bool
        y_pred holds logits rather than probabilities.
    label_smoothing : float in [0, 1]
        s: targets become t (1 - s) + s / 2.
    axis : int
        Axis of the mean, default -1.
    reduction, name, dtype
        See ``Loss``.

    Notes
    -----
    In the logarithm probabilities are kept within [1e-7, 1 - 1e-7], on logits as well.

    Source: Lin et al. 2017, "Focal Loss for Dense Object Detection", eq. 4 and 5; Keras 3,
    ``keras.losses.BinaryFocalCrossentropy``.

    Examples
    --------
    >>> value, gradient = BinaryFocalCrossentropy().value_and_grad([[1.0], [0.0]], [[0.5], [0.5]])
    >>> round(float(value), 4)
    0.1733
    >>> print(gradient.round(4))
    [[-0.5966]
     [ 0.5966]]
    """

    closing_activation = "sigmoid"

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "binary_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.options = (alpha if apply_class_balancing else None, gamma, from_logits, axis)

    def per_sample(self, y_true: Array, y_pred: Array) -> Any:
        if self.label_smoothing:
            y_true = y_true * (1.0 - self.label_smoothing) + 0.5 * self.label_smoothing
        return binary_focal_crossentropy_forward(y_true, y_pred, *self.options)

    def per_sample_gradient(self, weights: Array, saved: Any) -> Array:
        return binary_focal_crossentropy_backward(weights, saved, *self.options)


binary_focal_crossentropy = function_form(BinaryFocalCrossentropy)
