"""Dice: l = 1 - 2 sum(t p) / (sum(t) + sum(p) + 1e-7), the sums over ``axis`` (None: over everything)."""

from __future__ import annotations

from typing import Any

from ..backend import get_xp
from ..kernel import kernel
from ..types import Array
from .loss import EPSILON, Loss, function_form


@kernel
def dice_forward(t: Array, p: Array, axis: Any) -> tuple[Array, Any]:
    both = (t * p).sum(axis=axis)  # the losses' shape: the axes that are not summed over
    size = t.sum(axis=axis) + p.sum(axis=axis) + EPSILON
    return 1.0 - 2.0 * both / size, (t, both, size)


@kernel
def dice_backward(weights: Array, t: Array, both: Array, size: Array, axis: Any) -> Array:
    # losses = 1 - 2 both / size:  d both / dp = t,  d size / dp = 1
    dboth = over_axis(-2.0 * weights / size, axis)
    dsize = over_axis(2.0 * weights * both / (size * size), axis)
    return dboth * t + dsize  # p's shape


def over_axis(x: Array, axis: Any) -> Array:
    """``x`` with axes of size 1 where a sum over ``axis`` took them away."""
    return x if axis is None else get_xp(x).expand_dims(x, axis)


class Dice(Loss):
    """One less the Dice coefficient, the overlap of two masks: ``1 - 2 sum(t p) / (sum(t) + sum(p))``.

    Parameters
    ----------
    axis : int or tuple of int, optional
        Axes that the sums run over; default None: all, which makes one loss of the whole batch.
    reduction, name, dtype
        See ``Loss``.

    Notes
    -----
    y_true and y_pred have one shape, with the sums' 1e-7 against a division by 0.

    Source: Keras 3, ``keras.losses.Dice``.

    Examples
    --------
    >>> value, gradient = Dice().value_and_grad([[1.0, 0.0]], [[0.5, 0.5]])
    >>> round(float(value), 4)
    0.5
    >>> print(gradient.round(4))
    [[-0.75  0.25]]
    """

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str = "dice", axis: Any = None, dtype: Any = None) -> None:
        super().__init__(name, reduction, dtype)
        self.axis = tuple(axis) if isinstance(axis, (list, tuple)) else axis

    def per_sample(self, y_true: Array, y_pred: Array) -> Any:
        return dice_forward(y_true, y_pred, self.axis)

    def per_sample_gradient(self, weights: Array, saved: Any) -> Array:
        return dice_backward(weights, *saved, self.axis)


dice = function_form(Dice)
