"""PiecewiseConstantDecay: given rates between given steps."""

from __future__ import annotations

import bisect
from collections.abc import Sequence

from .schedule import LearningRateSchedule


class PiecewiseConstantDecay(LearningRateSchedule):
    """``values[0]`` up to and with step ``boundaries[0]``, then ``values[1]`` up to ``boundaries[1]``, and so on.

    Parameters
    ----------
    boundaries : list of int
        Steps, increasing.
    values : list of float
        One more than boundaries.
    name : str

    Source: Keras 3, ``keras.optimizers.schedules.PiecewiseConstantDecay``.

    >>> [PiecewiseConstantDecay([2, 4], [1.0, 0.5, 0.1])(step) for step in range(6)]
    [1.0, 1.0, 1.0, 0.5, 0.5, 0.1]
    """

    def __init__(self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant") -> None:
        if len(values) != len(boundaries) + 1 or list(boundaries) != sorted(boundaries):
            raise ValueError(
                f"PiecewiseConstantDecay: boundaries increase, and values are one more than they: not {len(values)} "
                f"values for the boundaries {list(boundaries)}"
            )
        self.boundaries, self.values, self.name = list(boundaries), list(values), name

    def value(self, step: float) -> float:
        return self.values[bisect.bisect_left(self.boundaries, step)]
