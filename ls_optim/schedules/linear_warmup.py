"""LinearWarmup: a straight rise from 0, then another schedule or a constant."""

from __future__ import annotations

from typing import Any

from ls_core.registry import deserialize

from .schedule import LearningRateSchedule, positive


class LinearWarmup(LearningRateSchedule):
    """Rises in a straight line within ``warmup_steps``, then follows ``after``.

    Parameters
    ----------
    after : float or schedule
        The rate after the warm-up; a schedule begins there, with its step 0.
    warmup_steps : int
    start : float
        The rate at step 0, default 0.
    name : str

    Source: Goyal et al. 2017, "Accurate, Large Minibatch SGD", section 2.2.

    >>> [LinearWarmup(0.4, warmup_steps=4)(step) for step in (0, 1, 2, 4, 9)]
    [0.0, 0.1, 0.2, 0.4, 0.4]
    """

    def __init__(self, after: Any, warmup_steps: float, start: float = 0.0, name: str = "LinearWarmup") -> None:
        positive("LinearWarmup", warmup_steps=warmup_steps)
        self.after, self.warmup_steps, self.start, self.name = deserialize("schedule", after), warmup_steps, start, name

    def _after(self, step: float) -> float:
        return self.after(step) if callable(self.after) else self.after

    def value(self, step: float) -> float:
        if step >= self.warmup_steps:
            return self._after(step - self.warmup_steps)
        return self.start + (self._after(0.0) - self.start) * step / self.warmup_steps
