"""Files of figures against each other: ratios, and whether something became slower beyond the noise.

    python -m benchmarks.compare before.json after.json
    python -m benchmarks.compare before1.json after1.json before2.json after2.json before3.json after3.json

A ratio is the time after over the time before. Of one pair of files, the noise of a ratio is both figures' (half of p10 to p90
over the median, measured with them) and how far the ratios of all figures lie apart, 2 % at least. Something is slower where its
ratio is above those of all by more than the noise, and its p10 above the p90 from before. Of several pairs, measured in turn, it
is slower where every run after is slower than every run before, by 2 % at least: a program that starts anew finds other memory
and other neighbours, which the spread within one run can't show; three pairs at least. docs/benchmarks.md says how often either
is mistaken.

Exit status: 0; 1 where something is slower, or a figure that was there is refused or missing; 2 where the files can't be
compared: another machine, other threads, another BLAS kernel, no measurements.
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
TOGETHER = 1.1  # where all figures are slower by this, their common cause is one
ENOUGH = 8  # figures whose ratios say something about all
KEYS = ("processor", "cores", "threads", "device", "blas", "held")
TIMES = ("p10_ms", "median_ms", "p90_ms")


@dataclass(frozen=True)
class Change:
    """One figure in all files; times in milliseconds."""

    name: str
    before: float
    after: float
    noise: float
    verdict: str  # 'slower' or 'faster' beyond the noise, or ''

    @property
    def ratio(self) -> float:
        """Above 1: slower."""
        return self.after / self.before


def read(path: str) -> dict[str, Any]:
    """A file that a benchmark wrote.

    Raises
    ------
    ValueError
        It is something else, or holds what no measurement gives.
    """

    def no_number(text: str) -> float:
        raise ValueError(f"{path}: {text} is no time")

    content = json.loads(Path(path).read_text(encoding="utf-8"), parse_constant=no_number)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"{path} was not written by these benchmarks (format {FORMAT!r})")
    if not all(isinstance(content.get(k), kind) for k, kind in (("machine", dict), ("figures", list), ("refused", list))):
        raise ValueError(f"{path} lacks its machine, its figures or its refusals")
    names = set()
    for figure in content["figures"]:
        name = figure.get("name") if isinstance(figure, dict) else None
        if not isinstance(name, str) or name in names:
            raise ValueError(f"{path}: two figures are called {name!r}" if name else f"{path} has a figure without a name")
        names.add(name)
        times = [figure.get(key) for key in TIMES]
        if not all(isinstance(t, (int, float)) and t > 0 for t in times) or sorted(times) != times:
            raise ValueError(f"{path}: {name!r} has {dict(zip(TIMES, times, strict=True))}, which are no times")
    return content


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What makes two machines different ones, or a file no measurement."""
    a, b = before["machine"], after["machine"]
    found = [f"the machines differ in {key}: {a.get(key)} and {b.get(key)}" for key in KEYS if a.get(key) != b.get(key)]
    quick = [each for each in (before, after) if "--quick" in str(each.get("command")).split()]
    return found + ["--quick measures nothing" for _ in quick[:1]]


def remarks(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What may be the reason of a change: versions and a busy machine."""
    a, b = (each["machine"].get("versions", {}) for each in (before, after))
    found = [f"{name}: {a.get(name, 'none')} before, {b.get(name, 'none')} after" for name in {**a, **b} if a.get(name) != b.get(name)]
    for file, when in ((before, "before"), (after, "after")):
        busy = max(file["machine"].get("load") or 0.0, 0.0)
        if busy > 0.5 * (file["machine"].get("cores") or 1):
            found.append(f"the machine was busy {when} (load {busy:.1f})")
    return found


def noise_of(figure: dict[str, Any]) -> float:
    """Half of p10 to p90, relative to the median."""
    return float(figure["p90_ms"] - figure["p10_ms"]) / 2 / float(figure["median_ms"])


def together(ratios: Sequence[float]) -> tuple[float, float]:
    """The median of the ratios, and how far they lie apart: a common cause, and the noise from one program to the next."""
    if len(ratios) < ENOUGH:
        return 1.0, 0.0
    logs = np.log(ratios)
    middle = np.median(logs)
    return float(np.exp(middle)), float(1.4826 * np.median(np.abs(logs - middle)))


def of_a_pair(before: dict[str, Any], after: dict[str, Any]) -> list[Change]:
    """The figures that both files have, in the first one's order."""
    new = {figure["name"]: figure for figure in after["figures"]}
    both = [(old, new[old["name"]]) for old in before["figures"] if old["name"] in new]
    common, apart = together([now["median_ms"] / old["median_ms"] for old, now in both])
    found = []
    for old, now in both:
        noise = max(FLOOR, float(np.linalg.norm([noise_of(old), noise_of(now), 3 * apart])))
        slow, fast = max(common, 1.0), min(common, 1.0)
        ratio, verdict = now["median_ms"] / old["median_ms"], ""
        if ratio > slow * (1 + noise) and now["p10_ms"] > slow * old["p90_ms"]:
            verdict = "slower"
        elif ratio < fast / (1 + noise) and now["p90_ms"] < fast * old["p10_ms"]:
            verdict = "faster"
        found.append(Change(old["name"], old["median_ms"], now["median_ms"], noise, verdict))
    return found


def of_pairs(before: Sequence[dict[str, Any]], after: Sequence[dict[str, Any]]) -> list[Change]:
    """The figures that all files have; the noise is what runs differ by."""
    tables = [{figure["name"]: figure["median_ms"] for figure in file["figures"]} for file in (*before, *after)]
    found = []
    for name in tables[0]:
        if all(name in t for t in tables):
            times = [t[name] for t in tables]
            a, b = np.array(times[: len(before)]), np.array(times[len(before) :])
            noise = max(FLOOR, float(np.hypot(*(np.ptp(each) / 2 / np.median(each) for each in (a, b)))))
            verdict = "slower" if b.min() > (1 + FLOOR) * a.max() else "faster" if a.min() > (1 + FLOOR) * b.max() else ""
            found.append(Change(name, float(np.median(a)), float(np.median(b)), noise, verdict))
    return found


def lost(before: dict[str, Any], after: dict[str, Any]) -> dict[str, str]:
    """What had a figure before and has none now: why, '' where the file does not say.

    A variant that is wrong as a whole is refused once, under the labels that its figures would have had.
    """
    now = {figure["name"] for figure in after["figures"]}
    found = {}
    for figure in before["figures"]:
        if figure["name"] not in now:
            keys = [key for key in ("layer", "shape", "variant") if key in figure]
            same = [r for r in after["refused"] if r.get("name") == figure["name"]]
            same += [r for r in after["refused"] if keys and "kernel" not in r and all(r.get(key) == figure[key] for key in keys)]
            found[figure["name"]] = str(same[0].get("why")) if same else ""
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", metavar="A.json B.json", nargs="+", help="before and after, and again, measured in turn")
    parser.add_argument("--force", action="store_true", help="compare files of different machines, too")
    parser.add_argument("--subset", action="store_true", help="figures that are missing after are no failure")
    options = parser.parse_args(arguments)
    if len(options.files) % 2 or len(options.files) == 4:
        parser.error("files come in pairs, before and after: one pair, or three and more, since of two one is too often slower by chance")
    try:
        files = [read(path) for path in options.files]
    except (OSError, ValueError) as problem:
        print(problem)
        return 2
    before, after = files[::2], files[1::2]
    other = dict.fromkeys(line for file in files[1:] for line in differences(files[0], file))
    for line in (*other, *dict.fromkeys(line for pair in zip(before, after, strict=True) for line in remarks(*pair))):
        print(line)
    if other and not options.force:
        print("nothing is compared; --force does it all the same")
        return 2
    found = of_a_pair(before[0], after[0]) if len(before) == 1 else of_pairs(before, after)
    gone = {name: why for pair in zip(before, after, strict=True) for name, why in lost(*pair).items()}
    if not found:
        print("the files have no figure in common")
        return 2
    print(f"{'figure':70}{'before ms':>12}{'after ms':>12}{'ratio':>8}{'noise':>8}")
    for change in found:
        print(f"{change.name:70}{change.before:12.4g}{change.after:12.4g}{change.ratio:8.2f}{change.noise:8.0%}  {change.verdict}".rstrip())
    refused = {name: why for name, why in gone.items() if why}
    for name, why in gone.items():
        print(f"{name}: had a figure, now refused, {why}" if why else f"{name}: had a figure, now missing")
    slower = [change for change in found if change.verdict == "slower"]
    common, _ = together([change.ratio for change in found])
    mean = float(np.exp(np.mean([np.log(change.ratio) for change in found])))
    print(f"{len(found)} figures, geometric mean of the ratios {mean:.3f}")
    if common > TOGETHER:
        print(f"all together are slower, by {common - 1:.0%}: something that they share, or the machine; measure again, in turn")
    missing = 0 if options.subset else len(gone) - len(refused)
    print(f"{len(slower)} slower beyond the noise, {len(refused)} newly refused, {len(gone) - len(refused)} missing")
    return 1 if slower or refused or missing or common > TOGETHER else 0


if __name__ == "__main__":
    raise SystemExit(main())
