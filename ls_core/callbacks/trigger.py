"""Trigger: when something is due. Triggered: a callback that acts when its Trigger says so."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from .callback import Callback

UNITS = {"step": "step", "batch": "step", "epoch": "epoch", "second": "second"}


class Trigger:
    """Says after each step and each epoch whether something is due.

    Parameters
    ----------
    every : int or float, optional
        Due each time that so many units have passed; they are counted over the whole run.
    unit : {'epoch', 'step', 'second'}
        Seconds are looked at after each step.
    at : int, list of int, or datetime, optional
        Due once at these units (the first is 1), or at that time of the clock.
    below, above : (str, float), optional
        Due once, when that name of the logs falls below or rises above the number; looked at after each epoch, with unit
        'step' after each step (which then waits for the device).

    Raises
    ------
    ValueError
        An unknown unit, or none of every, at, below and above.

    Examples
    --------
    >>> trigger = Trigger(every=2, unit='step', at=[3])
    >>> [trigger.after_step() for _ in range(4)]
    [False, True, True, True]
    >>> trigger = Trigger(above=('accuracy', 0.9))
    >>> [trigger.after_epoch({'accuracy': a}) for a in (0.8, 0.95, 0.97)]
    [False, True, False]
    """

    def __init__(
        self,
        every: float | None = None,
        unit: str = "epoch",
        at: int | Iterable[int] | datetime | None = None,
        below: tuple[str, float] | None = None,
        above: tuple[str, float] | None = None,
    ) -> None:
        if unit not in UNITS:
            raise ValueError(f"a trigger counts in 'step', 'epoch' or 'second', not {unit!r}")
        if every is None and at is None and below is None and above is None:
            raise ValueError("a trigger needs one of every, at, below and above")
        if every is not None and not every > 0:
            raise ValueError(f"a trigger is due every 1, 2, 3 ... units, not every {every!r}")
        self.every, self.unit = every, UNITS[unit]
        self.time = at if isinstance(at, datetime) else None
        self.at = set() if at is None or isinstance(at, datetime) else {at} if isinstance(at, int) else set(at)
        self.below, self.above = below, above
        self.reset()

    @classmethod
    def of(cls, when: Any) -> Trigger:
        """A Trigger itself, 'epoch', 'batch', or a number of steps, as Keras' ``save_freq`` and ``update_freq`` take."""
        if isinstance(when, cls):
            return when
        if isinstance(when, str) and when in UNITS:
            return cls(1, when)
        if isinstance(when, int) and not isinstance(when, bool):
            return cls(when, "step")
        raise ValueError(f"when something is due is said by 'epoch', 'batch', a number of steps or a Trigger, not by {when!r}")

    def reset(self) -> None:
        """Count from 0 again."""
        self.count = 0
        self.crossed = False  # below, above and a time of the clock are due once
        self._began = time.monotonic()

    def after_step(self, logs: Any = None) -> bool:
        """Whether it is due after this step; called once for each."""
        return self._after("step", logs)

    def after_epoch(self, logs: Any = None) -> bool:
        """Whether it is due after this epoch; called once for each."""
        return self._after("epoch", logs)

    def _after(self, what: str, logs: Any) -> bool:
        due = False
        if what == self.unit:
            self.count += 1
            due = self.count in self.at or (self.every is not None and self.count % self.every == 0)
        elif self.unit == "second" and self.every is not None and time.monotonic() - self._began >= self.every:
            self._began, due = time.monotonic(), True
        return self._crosses(what, logs) or due

    def _crosses(self, what: str, logs: Any) -> bool:
        if self.crossed:
            return False
        if self.time is not None:
            self.crossed = datetime.now(self.time.tzinfo) >= self.time
        elif what == ("step" if self.unit == "step" else "epoch"):
            for limit, sign in ((self.below, -1.0), (self.above, 1.0)):
                if limit is not None and limit[0] in (logs or {}):
                    self.crossed = self.crossed or sign * (float(logs[limit[0]]) - limit[1]) > 0
        return self.crossed

    def get_state(self) -> dict[str, Any]:
        return {"count": self.count, "crossed": self.crossed}

    def set_state(self, state: dict[str, Any]) -> None:
        self.count, self.crossed = state["count"], state["crossed"]


class Triggered(Callback):
    """A callback that acts when ``trigger`` says so: write ``act``.

    >>> class Say(Triggered):
    ...     def act(self, epoch, batch, logs):
    ...         print('epoch', epoch, 'batch', batch)
    >>> say = Say(Trigger(every=10, unit='step'))
    """

    def __init__(self, trigger: Any) -> None:
        super().__init__()
        self.trigger = Trigger.of(trigger)
        self.epoch = 0

    def act(self, epoch: int, batch: int | None, logs: Any) -> None:
        """Do it: after ``batch`` of ``epoch``, or after the whole epoch (then batch is None)."""
        raise NotImplementedError(f"{type(self).__name__} has no act")

    def on_train_begin(self, logs: Any = None) -> None:
        self.trigger.reset()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.trigger.after_step(logs):
            self.act(self.epoch, batch, logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.trigger.after_epoch(logs):
            self.act(epoch, None, logs)

    def get_state(self) -> dict[str, Any]:
        return self.trigger.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        self.trigger.set_state(state)
