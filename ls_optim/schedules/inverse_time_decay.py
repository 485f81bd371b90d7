"""InverseTimeDecay: the rate over a denominator that grows with time."""

from __future__ import annotations

import math

from .schedule import LearningRateSchedule, positive


class InverseTimeDecay(LearningRateSchedule):
    """``initial_learning_rate / (1 + decay_rate * step / decay_steps)``.

    Parameters
    ----------
    initial_learning_rate : float
    decay_steps : int
    decay_rate : float
    staircase : bool
        Round step / decay_steps down. Default False.
    name : str

    Source: Keras 3, ``keras.optimizers.schedules.InverseTimeDecay``.

    >>> [InverseTimeDecay(0.5, decay_steps=2, decay_rate=2.0)(step) for step in (0, 1, 3)]
    [0.5, 0.25, 0.125]
    """

    def __init__(
        self, initial_learning_rate: float, decay_steps: float, decay_rate: float, staircase: bool = False, name: str = "InverseTimeDecay"
    ) -> None:
        positive("InverseTimeDecay", decay_steps=decay_steps)
        self.initial_learning_rate, self.decay_steps, self.decay_rate = initial_learning_rate, decay_steps, decay_rate
        self.staircase, self.name = staircase, name

    def value(self, step: float) -> float:
        periods = step / self.decay_steps
        return self.initial_learning_rate / (1.0 + self.decay_rate * (math.floor(periods) if self.staircase else periods))
