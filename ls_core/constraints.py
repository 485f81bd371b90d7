"""Constraints: what an optimiser does to a Parameter after each update, so that its values stay allowed.

``con(value)`` is a new array of value's shape and dtype. Names, arguments and formulas are those of Keras 3
(``keras.constraints``). ``axis`` names the axes along which a norm is taken: 0 for the incoming weights of a Dense
unit, [0, 1, 2] for those of a Conv2D filter.
"""

from __future__ import annotations

from collections.abc import Sequence

from .backend import get_xp
from .registry import Configurable, register_module
from .types import Array

_EPSILON = 1e-7  # Keras' epsilon, added to the norms that divide


class Constraint(Configurable):
    """Base: a subclass writes ``__call__(value)``."""

    registry_kind = "constraint"

    def __call__(self, value: Array) -> Array:
        """The nearest allowed value, a new array."""
        raise NotImplementedError(f"{type(self).__name__} has no __call__")


def _norms(value: Array, axis: int | Sequence[int]) -> Array:
    axes = axis if isinstance(axis, int) else tuple(axis)
    return get_xp(value).sqrt((value * value).sum(axis=axes, keepdims=True))


class MaxNorm(Constraint):
    """Norms of at most ``max_value``: ``w * min(|w|, max_value) / (|w| + 1e-7)``.

    Source: Keras 3, ``keras.constraints.MaxNorm``.

    >>> import numpy as np
    >>> MaxNorm(1.0)(np.array([[3.0, 0.3], [4.0, 0.4]])).round(3)
    array([[0.6, 0.3],
           [0.8, 0.4]])
    """

    def __init__(self, max_value: float = 2, axis: int | Sequence[int] = 0) -> None:
        self.max_value, self.axis = max_value, axis

    def __call__(self, value: Array) -> Array:
        norms = _norms(value, self.axis)
        return value * (get_xp(value).clip(norms, 0, self.max_value) / (norms + _EPSILON))


class NonNeg(Constraint):
    """No negative numbers: ``max(w, 0)``. Source: Keras 3, ``keras.constraints.NonNeg``."""

    def __call__(self, value: Array) -> Array:
        return get_xp(value).maximum(value, 0)


class UnitNorm(Constraint):
    """Norms of 1: ``w / (|w| + 1e-7)``. Source: Keras 3, ``keras.constraints.UnitNorm``."""

    def __init__(self, axis: int | Sequence[int] = 0) -> None:
        self.axis = axis

    def __call__(self, value: Array) -> Array:
        return value / (_norms(value, self.axis) + _EPSILON)


class MinMaxNorm(Constraint):
    """Norms between ``min_value`` and ``max_value``, approached by the part ``rate`` at each update.

    ``w * (rate clip(|w|, min_value, max_value) + (1 - rate) |w|) / (|w| + 1e-7)``; rate 1 holds the bounds at once.

    Source: Keras 3, ``keras.constraints.MinMaxNorm``.

    >>> import numpy as np
    >>> MinMaxNorm(min_value=0.0, max_value=1.0, rate=0.5)(np.array([3.0])).round(3)
    array([2.])
    """

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: int | Sequence[int] = 0) -> None:
        self.min_value, self.max_value, self.rate, self.axis = min_value, max_value, rate, axis

    def __call__(self, value: Array) -> Array:
        norms = _norms(value, self.axis)
        desired = get_xp(value).clip(norms, self.min_value, self.max_value) * self.rate + norms * (1 - self.rate)
        return value * (desired / (norms + _EPSILON))


register_module("constraint", dict(globals()), Constraint)

# Keras' other names
max_norm, non_neg, unit_norm, min_max_norm = MaxNorm, NonNeg, UnitNorm, MinMaxNorm
