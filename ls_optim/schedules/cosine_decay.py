"""CosineDecay: half a cosine wave down, after an optional warm-up."""

from __future__ import annotations

import math

from .schedule import LearningRateSchedule, positive


class CosineDecay(LearningRateSchedule):
    """``rate * ((1 - alpha) * (1 + cos(pi step / decay_steps)) / 2 + alpha)``, then constant.

    Parameters
    ----------
    initial_learning_rate : float
        Where the decay begins, or the warm-up if there is one.
    decay_steps : int
        Steps of the decay, those of the warm-up not counted.
    alpha : float
        The end as a part of the beginning. Default 0.
    name : str
    warmup_target : float, optional
        Rise in a straight line from initial_learning_rate to this first, within ``warmup_steps``; the decay begins from it.
    warmup_steps : int
        Default 0.

    Source: Keras 3, ``keras.optimizers.schedules.CosineDecay``; Loshchilov and Hutter 2017, eq. 5.

    >>> schedule = CosineDecay(0.0, decay_steps=4, warmup_target=1.0, warmup_steps=2)
    >>> [round(schedule(step), 3) for step in range(8)]
    [0.0, 0.5, 1.0, 0.854, 0.5, 0.146, 0.0, 0.0]
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: float = 0,
    ) -> None:
        positive("CosineDecay", decay_steps=decay_steps)
        self.initial_learning_rate, self.decay_steps, self.alpha = initial_learning_rate, decay_steps, alpha
        self.name, self.warmup_target, self.warmup_steps = name, warmup_target, warmup_steps

    def value(self, step: float) -> float:
        top = self.initial_learning_rate
        if self.warmup_target is not None:
            if step < self.warmup_steps:
                return top + (self.warmup_target - top) * step / self.warmup_steps
            top, step = self.warmup_target, step - self.warmup_steps
        wave = 0.5 * (1.0 + math.cos(math.pi * min(step, self.decay_steps) / self.decay_steps))
        return top * ((1.0 - self.alpha) * wave + self.alpha)
