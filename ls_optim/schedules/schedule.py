"""LearningRateSchedule: the base of every schedule, a function of the step."""

from __future__ import annotations

from typing import Any

from ls_core.registry import Configurable


class LearningRateSchedule(Configurable):
    """A number that changes with the step: a learning rate, or any other hyperparameter.

    A subclass writes ``value(step)``; ``schedule(step)`` returns it as a Python float. Step 0 is the first update.

    Examples
    --------
    >>> class Halving(LearningRateSchedule):
    ...     def value(self, step):
    ...         return 0.1 * 0.5 ** step
    >>> [Halving()(step) for step in range(3)]
    [0.1, 0.05, 0.025]
    """

    registry_kind = "schedule"

    def value(self, step: float) -> float:
        """The number at ``step``."""
        raise NotImplementedError(f"{type(self).__name__} has no value")

    def __call__(self, step: Any) -> float:
        return float(self.value(float(step)))


def positive(owner: str, **values: Any) -> None:
    """Raise unless every value is greater than 0."""
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{owner}: {name} is greater than 0, not {value!r}")
