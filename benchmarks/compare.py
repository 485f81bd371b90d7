"""Two files of figures against each other: ratios, and whether something became slower beyond the noise.

    python -m benchmarks.compare before.json after.json

A ratio is the time after over the time before. The noise of a figure is half of its p10 to p90 over its median, measured with
it; that of a ratio is both together, and 2 % at least. Something is slower where its ratio is above 1 by more than that noise,
and its p10 above the p90 from before: a program that starts anew finds other memory and other cores, which moves a median
within its range. Exit status: 0; 1 where something is slower, or a figure that was there is refused; 2 where the files can't be
compared: another machine, other threads, another BLAS kernel.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .report import FORMAT

FLOOR = 0.02
KEYS = ("processor", "cores", "threads", "device", "blas", "held")


@dataclass(frozen=True)
class Change:
    """One figure in both files; times in milliseconds."""

    name: str
    before: float
    after: float
    noise: float
    apart: bool  # whether the ranges from p10 to p90 have nothing in common

    @property
    def ratio(self) -> float:
        """Above 1: slower."""
        return self.after / self.before

    @property
    def verdict(self) -> str:
        """'slower' or 'faster' beyond the noise, or ''."""
        if not self.apart:
            return ""
        return "slower" if self.ratio > 1 + self.noise else "faster" if self.ratio < 1 / (1 + self.noise) else ""


def read(path: str) -> dict[str, Any]:
    """A file that a benchmark wrote.

    Raises
    ------
    ValueError
        It is something else.
    """
    content = json.loads(Path(path).read_text(encoding="utf-8"))
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"{path} was not written by these benchmarks (format {FORMAT!r})")
    return content


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What makes two machines different ones."""
    a, b = before["machine"], after["machine"]
    return [f"{key}: {a.get(key)} and {b.get(key)}" for key in KEYS if a.get(key) != b.get(key)]


def noise_of(figure: dict[str, Any]) -> float:
    """Half of p10 to p90, relative to the median."""
    return float(figure["p90_ms"] - figure["p10_ms"]) / 2 / float(figure["median_ms"])


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[Change]:
    """The figures that both files have, in the first one's order."""
    new = {figure["name"]: figure for figure in after["figures"]}
    found = []
    for old in before["figures"]:
        now = new.get(old["name"])
        if now is not None:
            noise = max(FLOOR, float(np.hypot(noise_of(old), noise_of(now))))
            apart = now["p10_ms"] > old["p90_ms"] or old["p10_ms"] > now["p90_ms"]
            found.append(Change(old["name"], old["median_ms"], now["median_ms"], noise, apart))
    return found


def newly_refused(before: dict[str, Any], after: dict[str, Any]) -> list[dict[str, Any]]:
    """What had a figure before and is refused now."""
    had = {figure["name"] for figure in before["figures"]}
    return [refusal for refusal in after["refused"] if refusal["name"] in had]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("before", metavar="A.json")
    parser.add_argument("after", metavar="B.json")
    parser.add_argument("--force", action="store_true", help="compare files of different machines, too")
    options = parser.parse_args(arguments)
    try:
        before, after = read(options.before), read(options.after)
    except (OSError, ValueError) as problem:
        print(problem)
        return 2
    other = differences(before, after)
    for line in other:
        print(f"the machines differ in {line}")
    if other and not options.force:
        print("nothing is compared; --force does it all the same")
        return 2
    found = changes(before, after)
    if not found:
        print("the files have no figure in common")
        return 2
    print(f"{'figure':70}{'before ms':>12}{'after ms':>12}{'ratio':>8}{'noise':>8}")
    for change in found:
        print(f"{change.name:70}{change.before:12.4g}{change.after:12.4g}{change.ratio:8.2f}{change.noise:8.0%}  {change.verdict}".rstrip())
    refused = newly_refused(before, after)
    for refusal in refused:
        print(f"{refusal['name']}: had a figure, now refused, {refusal['why']}")
    slower = [change for change in found if change.verdict == "slower"]
    mean = float(np.exp(np.mean([np.log(change.ratio) for change in found])))
    print(f"{len(found)} figures, geometric mean of the ratios {mean:.3f}")
    print(f"{len(slower)} slower beyond the noise, {len(refused)} newly refused")
    return 1 if slower or refused else 0


if __name__ == "__main__":
    raise SystemExit(main())
