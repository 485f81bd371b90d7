"""Regularisers: a penalty on a Parameter (or an activity) and its gradient.

``reg(value)`` is the penalty, a 0-d array; ``reg.gradient(value)`` its derivative, a fresh array of value's
shape. Names, arguments and formulas are those of Keras 3 (``keras.regularizers``).
"""

from __future__ import annotations

import math
from typing import Any

from .backend import get_xp
from .products import matmul
from .registry import Configurable, register_module
from .types import Array

_LEAST = 1e-7  # Keras' epsilon: shorter vectors are not brought to length 1


class Regularizer(Configurable):
    """Base: a subclass writes ``__call__(value)`` and ``gradient(value)``."""

    registry_kind = "regularizer"

    def __call__(self, value: Array) -> Array:
        """The penalty, a 0-d array."""
        raise NotImplementedError(f"{type(self).__name__} has no __call__")

    def gradient(self, value: Array) -> Array:
        """The penalty's derivative with respect to ``value``, a fresh array."""
        raise NotImplementedError(f"{type(self).__name__} has no gradient")


def _factor(owner: str, name: str, value: Any, default: float) -> float:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise ValueError(f"{owner}: {name} is a finite number, 0 or more, not {value!r}")
    return float(value)


class L1L2(Regularizer):
    """``l1 sum |w| + l2 sum w^2``; the gradient is ``l1 sign(w) + 2 l2 w``.

    Parameters
    ----------
    l1, l2 : float
        Factors, default 0.

    Source: Keras 3, ``keras.regularizers.L1L2``.

    >>> import numpy as np
    >>> L1L2(l1=1.0, l2=0.5)(np.array([-2.0, 1.0])), L1L2(l1=1.0, l2=0.5).gradient(np.array([-2.0, 1.0]))
    (np.float64(5.5), array([-3.,  2.]))
    """

    def __init__(self, l1: float | None = 0.0, l2: float | None = 0.0) -> None:
        self.l1 = _factor("L1L2", "l1", l1, 0.0)
        self.l2 = _factor("L1L2", "l2", l2, 0.0)

    def __call__(self, value: Array) -> Array:
        return L1(self.l1)(value) + L2(self.l2)(value)

    def gradient(self, value: Array) -> Array:
        return L1(self.l1).gradient(value) + L2(self.l2).gradient(value)


class L1(Regularizer):
    """``l1 sum |w|``; the gradient is ``l1 sign(w)``, 0 where w is 0.

    Source: Keras 3, ``keras.regularizers.L1``; l1 defaults to 0.01.
    """

    def __init__(self, l1: float | None = 0.01) -> None:
        self.l1 = _factor("L1", "l1", l1, 0.01)

    def __call__(self, value: Array) -> Array:
        return get_xp(value).abs(value).sum() * self.l1

    def gradient(self, value: Array) -> Array:
        return get_xp(value).sign(value) * self.l1


class L2(Regularizer):
    """``l2 sum w^2``; the gradient is ``2 l2 w``.

    Source: Keras 3, ``keras.regularizers.L2``; l2 defaults to 0.01.
    """

    def __init__(self, l2: float | None = 0.01) -> None:
        self.l2 = _factor("L2", "l2", l2, 0.01)

    def __call__(self, value: Array) -> Array:
        return (value * value).sum() * self.l2

    def gradient(self, value: Array) -> Array:
        return value * (2.0 * self.l2)


class OrthogonalRegularizer(Regularizer):
    """Pushes the rows (or columns) of a matrix towards being orthogonal to each other.

    With n_i the rows divided by their lengths: ``factor * mean over i < j of |n_i . n_j|``.

    Parameters
    ----------
    factor : float
        Default 0.01.
    mode : {'rows', 'columns'}

    Raises
    ------
    ValueError
        The value is not a matrix.

    Source: Keras 3, ``keras.regularizers.OrthogonalRegularizer``.

    >>> import numpy as np
    >>> OrthogonalRegularizer(factor=1.0)(np.array([[3.0, 0.0], [1.0, 1.0]])).round(4)
    np.float64(0.7071)
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        if mode not in ("rows", "columns"):
            raise ValueError(f"OrthogonalRegularizer: mode is 'rows' or 'columns', not {mode!r}")
        self.factor = _factor("OrthogonalRegularizer", "factor", factor, 0.01)
        self.mode = mode

    def _steps(self, value: Array) -> tuple[Array, Array, Array, float]:
        # R vectors of C numbers: the rows, or the columns
        if value.ndim != 2:
            raise ValueError(f"OrthogonalRegularizer: the value is a matrix, not of shape {tuple(value.shape)}")
        xp = get_xp(value)
        x = value if self.mode == "rows" else value.T  # (R, C)
        size = x.shape[0]
        length = xp.sqrt((x * x).sum(axis=1, keepdims=True))  # (R, 1)
        n = x / xp.maximum(length, _LEAST)  # (R, C)
        product = matmul(n, n.T) * (1.0 - xp.eye(size, dtype=x.dtype))  # (R, R), without each vector's own
        return n, length, product, self.factor * 0.5 / max(size * (size - 1) / 2, 1.0)

    def __call__(self, value: Array) -> Array:
        _, _, product, factor = self._steps(value)
        return get_xp(value).abs(product).sum() * factor

    def gradient(self, value: Array) -> Array:
        n, length, product, factor = self._steps(value)
        # 3. penalty = factor * sum |product|
        dproduct = get_xp(value).sign(product) * factor  # (R, R), symmetric
        # 2. product = matmul(n, n.T)
        dn = matmul(dproduct, n) * 2.0  # (R, C)
        # 1. n = x / max(|x|, 1e-7): what dn has along n is lost, but for vectors that short
        along = (dn * n).sum(axis=1, keepdims=True) * (length > _LEAST)  # (R, 1)
        dx = (dn - n * along) / get_xp(value).maximum(length, _LEAST)  # (R, C)
        return dx if self.mode == "rows" else dx.T


register_module("regularizer", dict(globals()), Regularizer)

# Keras' other names
l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer
