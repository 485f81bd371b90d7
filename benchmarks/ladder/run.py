"""Time every rung of the ladders, and write them into docs/ladder.md.

    python -m benchmarks.ladder                      # --only softmax --threads 1 --json out.json
    python -m benchmarks.ladder --write docs/ladder.md

Rungs of one ladder take turns. Each result is compared with LS's reference in float64 before it is timed and afterwards.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ls_core.backend import is_array, to_device, use_backend

from ..clock import HOST, cuda_clock
from ..count import count
from ..figure import Figure, Refused, host_arrays, matches
from ..machine import has_cuda, tier
from ..measure import Subject, lead_of, measure_in_turn
from ..report import Report, add_pages, milliseconds, options_of, parse, percent, spread, wanted
from ..roofline import Work
from . import convolution, dense, layer_normalization, layer_normalization_backward, lstm, softmax, softmax_backward
from .rungs import Ladder, Rung

FILES = (dense, convolution, softmax, softmax_backward, layer_normalization, layer_normalization_backward, lstm)
LADDERS = [file.LADDER for file in FILES]
COLUMNS = (("rung", 42), ("size", 26), ("ms", 10), ("", 7), ("CPU ms", 10), ("GFLOP/s", 10), ("GB/s", 10), ("roofline", 10))


def truth_of(ladder: Ladder, size: str) -> tuple[list[np.ndarray], Work]:
    """The results in float64, and the operations and bytes that they need."""
    reference = next(r for r in ladder.rungs if r.name == "LS reference")
    work = count(reference.run, *reference.given(*ladder.numbers(size)), shortcut=ladder.shortcut)
    with tier("references"):  # the kernels within it too
        return host_arrays(reference.run(*reference.given(*ladder.numbers(size, "float64")))), work


def subject_of(ladder: Ladder, rung: Rung, size: str, truth: list[np.ndarray], work: Work) -> Subject:
    """A rung at a size."""
    given = ladder.numbers(size)
    if rung.device:
        with use_backend("cupy"):
            given = tuple(to_device(a) if is_array(a) else a for a in given)
    given = rung.given(*given)
    name = f"{ladder.title} {size} {rung.name}"
    clock = cuda_clock() if rung.device else HOST
    labels = {"ladder": ladder.title, "rung": rung.name, "size": size, "shape": ladder.shapes[size], "source": rung.source}
    verify = matches(truth, dtypes=["float32"] * len(truth))
    around = (lambda: tier("references")) if rung.name == "LS reference" else contextlib.nullcontext
    lead = 0.0 if rung.device else lead_of(work)
    return Subject(name, lambda: rung.run(*given), verify, work, clock, around=around, labels=labels, lead=lead)


def climb(report: Report, ladder: Ladder, size: str, seconds: float) -> dict[str, Figure | Refused]:
    """Measure the rungs that make sense at this size."""
    truth, work = truth_of(ladder, size)
    found: dict[str, Figure | Refused] = {}
    for device, roof in ((False, "cpu"), (True, "cuda")):
        rungs = [r for r in ladder.rungs if r.device == device and not (r.slow and size == "large") and (not device or has_cuda())]
        subjects = [subject_of(ladder, r, size, truth, work) for r in rungs]
        for r, subject, figure in zip(
            rungs, subjects, measure_in_turn(subjects, report.rooflines.get(roof), seconds), strict=True
        ):  # a device in a turn of its own
            found[r.name] = figure
            if isinstance(figure, Refused):
                report.add(subject.name, figure, **subject.labels)
                continue
            cells = (milliseconds(figure.median), spread(figure), milliseconds(figure.cpu), figure.gflops, figure.gbytes)
            report.add(subject.name, figure, f"{ladder.title} {r.name}", ladder.shapes[size], *cells, percent(figure.share))
    return found


def markdown(ladder: Ladder, figures: dict[str, dict[str, Figure | Refused]]) -> str:
    """The section of one ladder: its table, then what each rung does."""
    small, large = ladder.shapes["small"], ladder.shapes["large"]
    lines = [f"## {ladder.title}", "", f"`{ladder.formula}`", ""]
    lines += [f"| rung | {small}, ms | {large}, ms | GFLOP/s | GB/s | of the roofline | source |", "|---|---:|---:|---:|---:|---:|---|"]
    for rung in ladder.rungs:
        at = figures["large"].get(rung.name)
        rates = ["", "", ""]
        if isinstance(at, Figure):
            rates = [_number(at.gflops), _number(at.gbytes), percent(at.share) or ""]
        missing = "no GPU here" if rung.device and not has_cuda() else "too slow" if rung.slow else ""
        cells = [_cell(figures["small"].get(rung.name)), _cell(at) or missing, *rates]
        lines.append(f"| {rung.name} | {' | '.join(cells)} | [{Path(rung.source).name}](../{rung.source}) |")
    lines.append("")
    lines += [f"- **{rung.name}.** {rung.text}" for rung in ladder.rungs]
    return "\n".join(lines) + "\n"


def _cell(figure: Figure | Refused | None) -> str:
    if isinstance(figure, Refused):
        return f"refused: {figure.reason}"
    return "" if figure is None else f"{_number(figure.median * 1e3)} {spread(figure)}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:#.3g}".rstrip(".")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = options_of(__doc__)
    add_pages(parser, "ladder")
    options = parse(parser, arguments)
    if options.write and (options.only or options.quick):
        parser.error("--write wants all ladders, measured in full: leave --only and --quick out")
    report = Report("ladder", options.threads, options.quick, COLUMNS)
    report.heading()
    sections = []
    for ladder in LADDERS:
        if wanted(options.only, ladder.title):
            sizes = ["tiny"] if options.quick else ["small", "large"]
            figures = {size: climb(report, ladder, size, options.seconds) for size in sizes}
            if options.write:
                sections.append(markdown(ladder, figures))
    report.write(options.write, "ladder", "\n".join(sections))
    return report.finish(options.json)
