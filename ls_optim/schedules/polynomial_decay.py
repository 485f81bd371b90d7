"""PolynomialDecay: from one rate to another along a power of the time left."""

from __future__ import annotations

import math

from .schedule import LearningRateSchedule, positive


class PolynomialDecay(LearningRateSchedule):
    """``(initial - end) * (1 - step / decay_steps) ** power + end``, then constant.

    Parameters
    ----------
    initial_learning_rate : float
    decay_steps : int
    end_learning_rate : float
        Default 0.0001.
    power : float
        Default 1, a straight line.
    cycle : bool
        Begin anew instead of staying at the end, with decay_steps stretched to the next multiple of it. Default False.
    name : str

    Source: Keras 3, ``keras.optimizers.schedules.PolynomialDecay``.

    >>> [PolynomialDecay(1.0, decay_steps=4, end_learning_rate=0.0)(step) for step in (0, 1, 4, 9)]
    [1.0, 0.75, 0.0, 0.0]
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        positive("PolynomialDecay", decay_steps=decay_steps)
        self.initial_learning_rate, self.decay_steps, self.end_learning_rate = initial_learning_rate, decay_steps, end_learning_rate
        self.power, self.cycle, self.name = power, cycle, name

    def value(self, step: float) -> float:
        steps = self.decay_steps * max(1, math.ceil(step / self.decay_steps)) if self.cycle else self.decay_steps
        left = 1.0 - min(step, steps) / steps
        return (self.initial_learning_rate - self.end_learning_rate) * left**self.power + self.end_learning_rate
