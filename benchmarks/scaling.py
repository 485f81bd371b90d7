"""How the time of a layer grows: with the batch, with its width, with the length of a sequence or the side of an image.

    python -m benchmarks.scaling                     # --only attention --json out.json --pictures folder

One axis at a time is doubled and the others stay. The exponent is that of the best power law: 1 where twice as much takes
twice as long, near 0 where the overhead is all, 2 for the length in attention. Where a CUDA device answers, LS is measured
there too, and the first size from which it wins is printed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .figure import Figure, Refused
from .layers import ls_subjects
from .machine import TIERS, tiers
from .measure import measure_in_turn
from .report import Report, milliseconds, options_of, parse, percent, spread, wanted
from .subjects import SPECS, Shape, Spec

COLUMNS = (("layer", 24), ("axis", 8), ("size", 8), ("input", 22), ("by", 16), ("ms", 10), ("", 7), ("GFLOP/s", 10), ("roofline", 10))


@dataclass(frozen=True)
class Growth:
    """A subject, an axis, and the input's shape by that axis' size."""

    layer: str
    axis: str
    shape: Callable[[int], Shape]
    sizes: tuple[int, ...]


GROWTHS = [
    Growth("Dense", "batch", lambda n: (n, 256), (8, 32, 128, 512, 2048)),
    Growth("Dense", "width", lambda n: (64, n), (32, 64, 128, 256, 512, 1024)),
    Growth("LayerNormalization", "batch", lambda n: (n, 256), (8, 64, 512, 4096)),
    Growth("LayerNormalization", "width", lambda n: (256, n), (32, 128, 512, 2048)),
    Growth("softmax", "width", lambda n: (256, n), (32, 128, 512, 2048)),
    Growth("Conv2D 3x3", "batch", lambda n: (n, 16, 16, 32), (1, 4, 16, 64)),
    Growth("Conv2D 3x3", "width", lambda n: (8, 16, 16, n), (8, 16, 32, 64, 128)),
    Growth("Conv2D 3x3", "side", lambda n: (8, n, n, 32), (8, 16, 32, 64)),
    Growth("LSTM", "batch", lambda n: (n, 32, 64), (1, 4, 16, 64, 256)),
    Growth("LSTM", "width", lambda n: (16, 32, n), (16, 32, 64, 128, 256)),
    Growth("LSTM", "length", lambda n: (16, n, 64), (8, 16, 32, 64, 128)),
    Growth("MultiHeadAttention", "batch", lambda n: (n, 64, 64), (1, 4, 16, 64)),
    Growth("MultiHeadAttention", "width", lambda n: (4, 64, n), (32, 64, 128, 256)),
    Growth("MultiHeadAttention", "length", lambda n: (4, n, 64), (16, 32, 64, 128, 256, 512)),
    Growth("Embedding", "length", lambda n: (16, n), (8, 32, 128, 512)),
    Growth("Adam", "width", lambda n: (n,), (1000, 10_000, 100_000, 1_000_000)),
]


def exponent(sizes: Sequence[int], seconds: Sequence[float]) -> float | None:
    """p of the best ``seconds = c sizes^p``, by least squares of the logarithms; None for one point."""
    if len(sizes) < 2:
        return None
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def wins_from(sizes: Sequence[int], device: dict[int, float], host: dict[int, float]) -> int | None:
    """The first size from which the device is faster at every size."""
    both = [n for n in sizes if n in device and n in host]
    return min((n for n in both if all(device[m] < host[m] for m in both if m >= n)), default=None)


def measure_growth(report: Report, growth: Growth, spec: Spec, options: Any) -> list[dict[str, Any]]:
    """One row for each tier (and the device): the times by size, and the exponent."""
    times: dict[str, dict[int, float]] = {}
    for n in growth.sizes[:2] if options.quick else growth.sizes:
        sized = Spec(spec.name, {"here": growth.shape(n)}, spec.prepare, spec.shortcut, spec.draws, spec.make, spec.options)
        subjects = ls_subjects(sized, "here", options.tier)[0]
        for backend, roof in (("numpy", "cpu"), ("cupy", "cuda")):
            here = [s for s in subjects if s.labels["backend"] == backend]
            for subject, figure in zip(here, measure_in_turn(here, report.rooflines.get(roof), options.seconds), strict=True):
                subject.name = f"{growth.layer} {growth.axis} {n} {subject.labels['by']}"
                subject.labels.update(axis=growth.axis, size=n)
                _report(report, growth, n, subject.labels, subject.name, figure)
                if isinstance(figure, Figure):
                    figure.name = subject.name
                    times.setdefault(subject.labels["by"], {})[n] = figure.median
    rows = []
    host: dict[int, float] = {}  # the fastest tier
    for by, t in times.items():
        for n, seconds in t.items() if by != "LS CUDA" else ():
            host[n] = min(seconds, host.get(n, seconds))
    for by, t in times.items():
        row = {"layer": growth.layer, "axis": growth.axis, "by": by, "exponent": exponent(list(t), list(t.values()))}
        if by == "LS CUDA":
            row["wins_from"] = wins_from(growth.sizes, t, host)
        rows.append({**row, "ms": {str(n): s * 1e3 for n, s in t.items()}})
    return rows


def _report(report: Report, growth: Growth, n: int, labels: dict[str, Any], name: str, figure: Figure | Refused) -> None:
    if isinstance(figure, Refused):
        report.add(name, figure, **labels)
        return
    cells = (milliseconds(figure.median), spread(figure), figure.gflops, percent(figure.share))
    report.add(name, figure, growth.layer, growth.axis, str(n), labels["shape"], labels["by"], *cells)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = options_of(__doc__, seconds=0.2)
    parser.add_argument("--tier", nargs="+", choices=TIERS, help="default: all that are there")
    parser.add_argument("--pictures", metavar="FOLDER", help="draw the times by size")
    options = parse(parser, arguments)
    options.tier = options.tier or tiers()
    report = Report("scaling", options.threads, options.quick, COLUMNS)
    report.heading()
    by_name = {spec.name: spec for spec in SPECS}
    rows: list[dict[str, Any]] = []
    for growth in GROWTHS:
        if wanted(options.only, f"{growth.layer} {growth.axis}"):
            rows += measure_growth(report, growth, by_name[growth.layer], options)
    for row in rows:
        power = "" if row["exponent"] is None else f"time grows as {row['axis']}^{row['exponent']:.2f}"
        won = f"; wins from {row['axis']} {row['wins_from']}" if "wins_from" in row else ""
        print(f"{row['layer']:24}{row['by']:16}{power}{won}")
    if options.pictures:
        draw(rows, Path(options.pictures))
    return report.finish(options.json, growth=rows)


def draw(rows: Sequence[dict[str, Any]], folder: Path) -> list[Path]:
    """One picture for each layer and axis."""
    from .pictures import draw_lines

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for layer, axis in dict.fromkeys((row["layer"], row["axis"]) for row in rows):
        lines = {r["by"]: [(int(n), ms) for n, ms in r["ms"].items()] for r in rows if (r["layer"], r["axis"]) == (layer, axis)}
        written.append(folder / f"scaling_{layer}_{axis}.png".replace(" ", "_"))
        draw_lines(lines, written[-1], f"{layer}, forward and backward", axis, "ms")
    return written


if __name__ == "__main__":
    raise SystemExit(main())
