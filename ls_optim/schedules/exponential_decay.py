"""ExponentialDecay: a constant factor every so many steps."""

from __future__ import annotations

import math

from .schedule import LearningRateSchedule, positive


class ExponentialDecay(LearningRateSchedule):
    """``initial_learning_rate * decay_rate ** (step / decay_steps)``.

    Parameters
    ----------
    initial_learning_rate : float
    decay_steps : int
        Steps until the rate has been multiplied by ``decay_rate``.
    decay_rate : float
    staircase : bool
        Round step / decay_steps down: jumps instead of a curve. Default False.
    name : str

    Source: Keras 3, ``keras.optimizers.schedules.ExponentialDecay``.

    >>> [ExponentialDecay(0.1, decay_steps=2, decay_rate=0.25)(step) for step in (0, 1, 2)]
    [0.1, 0.05, 0.025]
    """

    def __init__(
        self, initial_learning_rate: float, decay_steps: float, decay_rate: float, staircase: bool = False, name: str = "ExponentialDecay"
    ) -> None:
        positive("ExponentialDecay", decay_steps=decay_steps)
        self.initial_learning_rate, self.decay_steps, self.decay_rate = initial_learning_rate, decay_steps, decay_rate
        self.staircase, self.name = staircase, name

    def value(self, step: float) -> float:
        periods = step / self.decay_steps
        return self.initial_learning_rate * self.decay_rate ** (math.floor(periods) if self.staircase else periods)
