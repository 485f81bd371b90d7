"""Tversky: l = 1 - I / (I + alpha A + beta B + 1e-7), I = sum(t p), A = sum(t (1 - p)), B = sum((1 - t) p)."""

from __future__ import annotations

from typing import Any

from ..kernel import kernel
from ..types import Array
from .dice import over_axis
from .loss import EPSILON, Loss, function_form


@kernel
def tversky_forward(t: Array, p: Array, alpha: float, beta: float, axis: Any) -> tuple[Array, Any]:
    both = (t * p).sum(axis=axis)  # the losses' shape: the axes that are not summed over
    missed = (t * (1.0 - p)).sum(axis=axis)
    wrong = ((1.0 - t) * p).sum(axis=axis)
    size = both + alpha * missed + beta * wrong + EPSILON
    return 1.0 - both / size, (t, both, size)


@kernel
def tversky_backward(weights: Array, t: Array, both: Array, size: Array, alpha: float, beta: float, axis: Any) -> Array:
    # 2. losses = 1 - both / size
    dboth = over_axis(-weights / size, axis)
    dsize = over_axis(weights * both / (size * size), axis)
    # 1. size = both + alpha sum(t (1 - p)) + beta sum((1 - t) p),  both = sum(t p)
    return dboth * t + dsize * (t - alpha * t + beta * (1.0 - t))  # p's shape


class Tversky(Loss):
    """One less the Tversky index, an overlap of two masks in which misses and false alarms count differently.

    Parameters
    ----------
    alpha, beta : float
        Weights of what y_true has and y_pred misses, and of what y_pred has beyond y_true. Defaults 0.5 and 0.5, which
        is Dice.
    axis : int or tuple of int, optional
        Axes that the sums run over; default None: all, which makes one loss of the whole batch.
    reduction, name, dtype
        See ``Loss``.

    Source: Salehi et al. 2017, "Tversky loss function for image segmentation using 3D fully convolutional deep
    networks", eq. 4; Keras 3, ``keras.losses.Tversky`` (whose two weights stand the other way round in its text).

    Examples
    --------
    >>> value, gradient = Tversky().value_and_grad([[1.0, 0.0]], [[0.5, 0.5]])
    >>> round(float(value), 4)
    0.5
    >>> print(gradient.round(4))
    [[-0.75  0.25]]
    """

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str = "tversky",
        axis: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.options = (alpha, beta, tuple(axis) if isinstance(axis, (list, tuple)) else axis)

    def per_sample(self, y_true: Array, y_pred: Array) -> Any:
        return tversky_forward(y_true, y_pred, *self.options)

    def per_sample_gradient(self, weights: Array, saved: Any) -> Array:
        return tversky_backward(weights, *saved, *self.options)


tversky = function_form(Tversky)
