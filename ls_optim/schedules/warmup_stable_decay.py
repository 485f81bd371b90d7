"""WarmupStableDecay: up, level, down."""

from __future__ import annotations

import math

from .schedule import LearningRateSchedule, positive


class WarmupStableDecay(LearningRateSchedule):
    """A straight rise from 0, a level part, and a decay to ``min_learning_rate``; then constant.

    Training can go on from any point of the level part, with a decay of its own.

    Parameters
    ----------
    learning_rate : float
        Of the level part.
    warmup_steps, stable_steps, decay_steps : int
        Lengths of the three parts.
    min_learning_rate : float
        Default 0.
    decay : {'linear', 'cosine', 'sqrt'}
        With p the part of the decay that is over, the rate falls as 1 - p (default), (1 + cos(pi p)) / 2 or 1 - sqrt(p).
    name : str

    Source: Hu et al. 2024, "MiniCPM", section 4.2; Hägele et al. 2024, section 3 (sqrt).

    >>> schedule = WarmupStableDecay(1.0, warmup_steps=2, stable_steps=3, decay_steps=4)
    >>> [schedule(step) for step in range(10)]
    [0.0, 0.5, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0]
    """

    def __init__(
        self,
        learning_rate: float,
        warmup_steps: float,
        stable_steps: float,
        decay_steps: float,
        min_learning_rate: float = 0.0,
        decay: str = "linear",
        name: str = "WarmupStableDecay",
    ) -> None:
        positive("WarmupStableDecay", decay_steps=decay_steps)
        if decay not in ("linear", "cosine", "sqrt"):
            raise ValueError(f"WarmupStableDecay: decay is 'linear', 'cosine' or 'sqrt', not {decay!r}")
        self.learning_rate, self.min_learning_rate, self.decay, self.name = learning_rate, min_learning_rate, decay, name
        self.warmup_steps, self.stable_steps, self.decay_steps = warmup_steps, stable_steps, decay_steps

    def value(self, step: float) -> float:
        if step < self.warmup_steps:
            return self.learning_rate * step / self.warmup_steps
        part = min(max(step - self.warmup_steps - self.stable_steps, 0.0) / self.decay_steps, 1.0)
        left = {"linear": 1.0 - part, "cosine": 0.5 * (1.0 + math.cos(math.pi * part)), "sqrt": 1.0 - math.sqrt(part)}[self.decay]
        return self.min_learning_rate + (self.learning_rate - self.min_learning_rate) * left
