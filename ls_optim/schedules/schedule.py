"""LearningRateSchedule: the base of every schedule, a function of the step."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ls_core.registry import Configurable, deserialize


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


def as_rate(given: Any, label: str) -> Any:
    """A number as a Python float, a schedule as a function of the step."""
    if isinstance(given, dict):
        given = deserialize("schedule", given)
    if isinstance(given, Configurable):
        return given
    if callable(given):
        return function_of_step(given)
    try:
        rate = float(given)
    except (TypeError, ValueError):
        raise TypeError(f"{label}: learning_rate is a number or a schedule, not {given!r}") from None
    if not rate >= 0:
        raise ValueError(f"{label}: learning_rate is 0 or more, not {given!r}")
    return rate


def function_of_step(function: Callable[..., Any]) -> Callable[..., Any]:
    """Keras' rate functions take no argument; ours may take the step."""
    try:
        inspect.signature(function).bind(0)
    except TypeError:
        return lambda step: function()
    return function
