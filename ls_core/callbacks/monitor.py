"""Monitor: whether a watched number has improved."""

from __future__ import annotations

from typing import Any

# in these words' metrics more is better
RISING = (
    "acc",
    "auc",
    "bleu",
    "f1",
    "fbeta",
    "f_beta",
    "io_u",
    "iou",
    "precision",
    "r2",
    "recall",
    "sensitivity",
    "similarity",
    "specificity",
    "top",
    "true_",
)


class Monitor:
    """Says whether a new value of a watched number is an improvement; 'auto' reads the direction off the name.

    >>> watch = Monitor('val_accuracy', min_delta=0.01)
    >>> [watch.improves(value) for value in (0.5, 0.505, 0.52)], watch.best
    ([True, False, True], 0.52)
    """

    def __init__(self, monitor: str, mode: str = "auto", min_delta: float = 0.0, best: float | None = None) -> None:
        if mode not in ("auto", "min", "max"):
            raise ValueError(f"mode is 'auto', 'min' or 'max', not {mode!r}")
        self.monitor = monitor
        self.sign = 1.0 if mode == "max" or (mode == "auto" and any(word in monitor.lower() for word in RISING)) else -1.0
        self.min_delta = abs(min_delta)
        self._first_best = best
        self.reset()

    def reset(self) -> None:
        """Forget the best value."""
        self.best = -float("inf") * self.sign if self._first_best is None else self._first_best

    def read(self, logs: Any, owner: Any) -> float | None:
        """The number in the logs; None in an epoch without validation.

        Raises
        ------
        ValueError
            It can never be there.
        """
        if self.monitor in (logs or {}):
            return float(logs[self.monitor])
        run = getattr(owner.model, "run", None)
        if self.monitor.startswith("val_") and run is not None and run.validation is not None and not any("val_" in n for n in logs or {}):
            return None  # validation_freq leaves this epoch out
        raise ValueError(
            f"{type(owner).__name__} watches {self.monitor!r}, but this run gives {', '.join(logs or {})}; "
            "set monitor= or give validation data"
        )

    def beats(self, value: float, than: float) -> bool:
        """Whether ``value`` is better than ``than`` by more than min_delta."""
        return value - self.min_delta > than if self.sign > 0 else value + self.min_delta < than

    def improves(self, value: float) -> bool:
        """Whether ``value`` is better than the best so far, which it then becomes."""
        if not self.beats(value, self.best):
            return False
        self.best = value
        return True
