"""Noam: a straight rise, then the inverse square root of the step; the Transformer's own schedule."""

from __future__ import annotations

from .schedule import LearningRateSchedule, positive


class Noam(LearningRateSchedule):
    """``scale * d_model^-0.5 * min(t^-0.5, t * warmup_steps^-1.5)``, with t = step + 1.

    Parameters
    ----------
    d_model : int
        Width of the model.
    warmup_steps : int
        Default 4000.
    scale : float
        Default 1.
    name : str

    Source: Vaswani et al. 2017, "Attention Is All You Need", eq. 3.

    >>> [round(Noam(d_model=4, warmup_steps=4)(step), 4) for step in (0, 1, 3, 15)]
    [0.0625, 0.125, 0.25, 0.125]
    """

    def __init__(self, d_model: int, warmup_steps: float = 4000, scale: float = 1.0, name: str = "Noam") -> None:
        positive("Noam", d_model=d_model, warmup_steps=warmup_steps)
        self.d_model, self.warmup_steps, self.scale, self.name = d_model, warmup_steps, scale, name

    def value(self, step: float) -> float:
        t = step + 1.0
        return float(self.scale * self.d_model**-0.5 * min(t**-0.5, t * self.warmup_steps**-1.5))
