"""OneCycle: up to a large rate and down to a tiny one, once."""

from __future__ import annotations

import math

from .schedule import LearningRateSchedule, positive


class OneCycle(LearningRateSchedule):
    """From ``max_learning_rate / div_factor`` up to the maximum, then down to nearly nothing, at the last step.

    Parameters
    ----------
    max_learning_rate : float
    total_steps : int
        Steps of the whole cycle; the last one is ``total_steps - 1``, and the rate stays there.
    pct_start : float
        The part of the cycle in which it rises, default 0.3.
    anneal_strategy : {'cos', 'linear'}
        Half cosine waves (default) or straight lines.
    div_factor : float
        max_learning_rate over the first rate, default 25.
    final_div_factor : float
        The first rate over the last one, default 10000.
    name : str

    Source: PyTorch, ``torch.optim.lr_scheduler.OneCycleLR`` (two phases); Smith and Topin 2018, "Super-Convergence".

    >>> schedule = OneCycle(1.0, total_steps=10, anneal_strategy='linear', div_factor=4.0, final_div_factor=100.0)
    >>> [round(schedule(step), 4) for step in (0, 1, 2, 9)]
    [0.25, 0.625, 1.0, 0.0025]
    """

    def __init__(
        self,
        max_learning_rate: float,
        total_steps: int,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        div_factor: float = 25.0,
        final_div_factor: float = 10000.0,
        name: str = "OneCycle",
    ) -> None:
        positive("OneCycle", total_steps=total_steps, div_factor=div_factor, final_div_factor=final_div_factor)
        if not 0 <= pct_start <= 1:
            raise ValueError(f"OneCycle: pct_start lies between 0 and 1, not {pct_start!r}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"OneCycle: anneal_strategy is 'cos' or 'linear', not {anneal_strategy!r}")
        self.max_learning_rate, self.total_steps, self.pct_start = max_learning_rate, total_steps, pct_start
        self.anneal_strategy, self.div_factor, self.final_div_factor, self.name = anneal_strategy, div_factor, final_div_factor, name

    def value(self, step: float) -> float:
        first = self.max_learning_rate / self.div_factor
        top, last = self.pct_start * self.total_steps - 1.0, self.total_steps - 1.0  # the steps at which they are reached
        if step <= top:
            return self._between(first, self.max_learning_rate, step / top if top else 1.0)
        return self._between(
            self.max_learning_rate, first / self.final_div_factor, min((step - top) / (last - top), 1.0) if last > top else 1.0
        )

    def _between(self, start: float, end: float, part: float) -> float:
        if self.anneal_strategy == "cos":
            part = 0.5 * (1.0 - math.cos(math.pi * part))
        return start + (end - start) * part
