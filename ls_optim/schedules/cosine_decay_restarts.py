"""CosineDecayRestarts: cosine waves one after the other, each longer and lower than the last."""

from __future__ import annotations

import math

from .schedule import LearningRateSchedule, positive


class CosineDecayRestarts(LearningRateSchedule):
    """Warm restarts (SGDR): after each cosine decay the rate jumps back up.

    ``rate * ((1 - alpha) * m_mul^i * (1 + cos(pi f)) / 2 + alpha)``, with i the number of restarts so far and f the part of
    the present period that is over; period i lasts ``first_decay_steps * t_mul^i``.

    Parameters
    ----------
    initial_learning_rate : float
    first_decay_steps : int
    t_mul : float
        How much longer each period is than the last. Default 2.
    m_mul : float
        How much lower each begins. Default 1.
    alpha : float
        The end as a part of the beginning. Default 0.
    name : str

    Source: Keras 3, ``keras.optimizers.schedules.CosineDecayRestarts``; Loshchilov and Hutter 2017.

    >>> schedule = CosineDecayRestarts(1.0, first_decay_steps=2, m_mul=0.5)
    >>> [round(schedule(step), 3) for step in range(7)]
    [1.0, 0.5, 0.5, 0.427, 0.25, 0.073, 0.25]
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: float,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        positive("CosineDecayRestarts", first_decay_steps=first_decay_steps, t_mul=t_mul)
        self.initial_learning_rate, self.first_decay_steps = initial_learning_rate, first_decay_steps
        self.t_mul, self.m_mul, self.alpha, self.name = t_mul, m_mul, alpha, name

    def value(self, step: float) -> float:
        periods = step / self.first_decay_steps  # in lengths of the first
        if self.t_mul == 1.0:
            restarts = math.floor(periods)
            over = periods - restarts
        else:  # i periods last (1 - t_mul^i) / (1 - t_mul)
            restarts = math.floor(math.log(1.0 - periods * (1.0 - self.t_mul)) / math.log(self.t_mul))
            length = self.t_mul**restarts
            over = (periods - (1.0 - length) / (1.0 - self.t_mul)) / length
        wave = 0.5 * self.m_mul**restarts * (1.0 + math.cos(math.pi * over))
        return self.initial_learning_rate * ((1.0 - self.alpha) * wave + self.alpha)
