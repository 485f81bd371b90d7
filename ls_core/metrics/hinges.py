"""Hinge metrics: means of the hinge losses."""

from __future__ import annotations

from typing import Any

from .. import losses
from .loss_mean import LossMean


class Hinge(LossMean):
    """The mean hinge: max(1 - y_true y_pred, 0) for labels -1 and 1 (or 0 and 1).

    Source: Keras 3, ``keras.metrics.Hinge``.

    >>> float(Hinge()([[1.0, -1.0]], [[0.5, -2.0]]))
    0.25
    """

    def __init__(self, name: str = "hinge", dtype: Any = None) -> None:
        super().__init__(losses.Hinge(None, dtype=dtype), name, dtype)


class SquaredHinge(LossMean):
    """The mean squared hinge.

    Source: Keras 3, ``keras.metrics.SquaredHinge``.

    >>> float(SquaredHinge()([[1.0, -1.0]], [[0.5, -2.0]]))
    0.125
    """

    def __init__(self, name: str = "squared_hinge", dtype: Any = None) -> None:
        super().__init__(losses.SquaredHinge(None, dtype=dtype), name, dtype)


class CategoricalHinge(LossMean):
    """The mean categorical hinge, for one-hot labels.

    Source: Keras 3, ``keras.metrics.CategoricalHinge``.

    >>> float(CategoricalHinge()([[0.0, 1.0, 0.0]], [[0.5, 1.0, 0.25]]))
    0.5
    """

    def __init__(self, name: str = "categorical_hinge", dtype: Any = None) -> None:
        super().__init__(losses.CategoricalHinge(None, dtype=dtype), name, dtype)
