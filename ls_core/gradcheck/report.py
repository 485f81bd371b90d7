"""What a gradient check found: Row, Report, and the error that it raises."""

from __future__ import annotations

from dataclasses import dataclass, field


class GradientError(AssertionError):
    """A backward that is not the derivative of its forward, or a check that could not see whether it is."""


@dataclass(frozen=True)
class Row:
    """One target (an input or a Parameter) checked in one mode.

    ``error`` is the largest relative error over all probes, ``tolerance`` what it had to stay below.
    """

    target: str
    mode: str
    error: float
    tolerance: float
    resampled: int = 0

    @property
    def margin(self) -> float:
        """How many times the error would fit into the tolerance."""
        return self.tolerance / self.error if self.error else float("inf")


@dataclass
class Report:
    """The rows of one check. ``notes`` says for a target why the complex step could not run."""

    name: str
    seed: int
    rows: list[Row] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def worst(self) -> Row | None:
        """The row with the smallest margin; None where nothing carries a gradient."""
        return min(self.rows, key=lambda row: row.margin, default=None)

    def error(self, mode: str = "central") -> float:
        """The largest relative error in ``mode`` ('central' or 'complex'); NaN where that mode did not run."""
        return max((row.error for row in self.rows if row.mode == mode), default=float("nan"))

    def __str__(self) -> str:
        lines = [f"{self.name} (seed {self.seed})"]
        width = max((len(row.target) for row in self.rows), default=0)
        for row in self.rows:
            again = f"  resampled {row.resampled} times" if row.resampled else ""
            numbers = f"error {row.error:7.1e}  tolerance {row.tolerance:7.1e}  margin {row.margin:7.1e}"
            lines.append(f"  {row.target:{width}}  {row.mode:7}  {numbers}{again}")
        lines += [f"  {target}: no complex step: {why}" for target, why in self.notes.items()]
        if not self.rows:
            lines.append("  nothing here carries a gradient")
        return "\n".join(lines)
