"""Binary cross-entropy: l = mean_C -(t log p + (1 - t) log(1 - p)), on probabilities p or on logits z, p = sigmoid(z).

On logits: -(t log p + (1 - t) log(1 - p)) = max(z, 0) - z t + log(1 + exp(-|z|)), which neither overflows nor loses
digits. C the axis of the mean.
"""

from __future__ import annotations

from typing import Any

from ..backend import get_xp
from ..kernel import kernel
from ..types import Array
from .loss import Loss, clip_probabilities, function_form


@kernel
def binary_crossentropy_forward(t: Array, p: Array, axis: int) -> tuple[Array, Any]:
    xp = get_xp(p)
    q, inside = clip_probabilities(p)  # (..., C)
    each = -(t * xp.log(q) + (1.0 - t) * xp.log(1.0 - q))  # (..., C)
    return each.mean(axis=axis), (t, q, inside)


@kernel
def binary_crossentropy_backward(weights: Array, t: Array, q: Array, inside: Array, axis: int) -> Array:
    xp = get_xp(weights)
    # 3. losses = each.mean(axis)
    deach = xp.expand_dims(weights * (1.0 / q.shape[axis]), axis)
    # 2. each = -(t log(q) + (1 - t) log(1 - q)):  d each / dq = (q - t) / (q (1 - q))
    dq = deach * ((q - t) / (q * (1.0 - q)))  # (..., C)
    # 1. q = clip(p)
    return dq * inside


@kernel
def binary_crossentropy_logits_forward(t: Array, z: Array, axis: int) -> tuple[Array, Any]:
    xp = get_xp(z)
    e = xp.exp(-xp.abs(z))  # (..., C), in (0, 1]
    each = xp.maximum(z, 0.0) - z * t + xp.log1p(e)  # (..., C)
    return each.mean(axis=axis), (t, z, e)


@kernel
def binary_crossentropy_logits_backward(weights: Array, t: Array, z: Array, e: Array, axis: int) -> Array:
    xp = get_xp(weights)
    # 2. losses = each.mean(axis)
    deach = xp.expand_dims(weights * (1.0 / z.shape[axis]), axis)
    # 1. each = -(t log(p) + (1 - t) log(1 - p)), p = sigmoid(z):  d each / dz = p - t
    p = xp.where(z >= 0, 1.0, e) / (1.0 + e)  # sigmoid(z), by e = exp(-|z|)
    return deach * (p - t)


class BinaryCrossentropy(Loss):
    """Cross-entropy of independent yes/no targets: ``-mean(t log(p) + (1 - t) log(1 - p))``.

    Parameters
    ----------
    from_logits : bool
        y_pred holds logits rather than probabilities. Default False; probabilities are kept within [1e-7, 1 - 1e-7].
    label_smoothing : float in [0, 1]
        s: targets become t (1 - s) + s / 2. Default 0.
    axis : int
        Axis of the mean, default -1.
    reduction, name, dtype
        See ``Loss``.

    Notes
    -----
    y_true and y_pred have one shape, (B, C) or (B, ..., C); (B,) stands for (B, 1).
    Gradient on logits: (sigmoid(z) - t) / C; on probabilities (p - t) / (p (1 - p) C), and 0 where p was clipped.

    Source: Keras 3, ``keras.losses.BinaryCrossentropy``.

    Examples
    --------
    >>> loss = BinaryCrossentropy(from_logits=True)
    >>> value, gradient = loss.value_and_grad([[1.0], [0.0]], [[0.0], [0.0]])
    >>> round(float(value), 4), gradient.tolist()
    (0.6931, [[-0.25], [0.25]])
    """

    closing_activation = "sigmoid"

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "binary_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis

    def align(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        if y_true.ndim == y_pred.ndim - 1 and y_pred.shape[-1] > 1 and y_true.shape == y_pred.shape[:-1]:
            raise self.mismatch(
                y_true,
                y_pred,
                "It wants a yes/no target for every output: end the model in one unit, one-hot encode the labels, "
                "or use sparse_categorical_crossentropy for class ids.",
            )
        return super().align(y_true, y_pred)

    def per_sample(self, y_true: Array, y_pred: Array) -> Any:
        if self.label_smoothing:
            y_true = y_true * (1.0 - self.label_smoothing) + 0.5 * self.label_smoothing
        forward = binary_crossentropy_logits_forward if self.from_logits else binary_crossentropy_forward
        return forward(y_true, y_pred, self.axis)

    def per_sample_gradient(self, weights: Array, saved: Any) -> Array:
        backward = binary_crossentropy_logits_backward if self.from_logits else binary_crossentropy_backward
        return backward(weights, *saved, self.axis)


binary_crossentropy = function_form(BinaryCrossentropy)
