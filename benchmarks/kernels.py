"""Every kernel that a layer, loss or optimiser runs: reference and overrides, forward and backward, by size.

    python -m benchmarks.kernels                     # --only lstm --sizes medium large --json out.json --pictures folder

Kernels are recorded while the layer runs, so each gets the arguments that it gets in training. A variant is one answer to
the same call: the reference, the override for NumPy, what Numba compiles, and where a CUDA device is the reference and the
override there. Every result is compared with the reference in float64 first. Figures on a device are of arrays that are there
already; moving the arguments and the results is timed apart.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ls_core.backend import is_array, to_device, to_host, use_backend
from ls_core.gradcheck.subject import leaves

from .clock import HOST, cuda_clock
from .count import of_variant
from .figure import Figure, Refused, matches, unfinished
from .machine import has_cuda, tier, tiers
from .measure import Subject, lead_of, measure_in_turn
from .other_subjects import OTHERS
from .record import Call, Fresh, Truth, changeable, compared, copies, differing, other_numbers, record, reused, truth, truth_of
from .report import Report, milliseconds, options_of, parse, percent, spread, wanted
from .subjects import SPECS, Pair, Spec, pass_problem

COLUMNS = (
    ("kernel", 60), ("size", 20), ("variant", 18), ("ms", 9), ("", 6), ("CPU ms", 9), ("device ms", 10), ("moving ms", 10),
    ("GFLOP/s", 9), ("GB/s", 8), ("roofline", 10), ("ref. / it", 10),
)  # fmt: skip


@dataclass(frozen=True)
class Variant:
    """Where calls run: a tier of overrides on a backend."""

    name: str
    tier: str
    backend: str = "numpy"

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        with tier(self.tier), use_backend(self.backend):
            yield


def variants() -> list[Variant]:
    """Those of this machine; the reference first."""
    found = [Variant("reference" if name == "references" else name, name) for name in tiers()]
    if has_cuda():
        found += [Variant("CuPy reference", "references", "cupy"), Variant("CUDA", "numpy", "cupy")]
    return found


def transfer_seconds(call: Call) -> float:
    """Moving a call's arguments to the device and its results back, the fastest of three."""
    given = [to_host(leaf) for leaf in leaves(call.args) if is_array(leaf)]
    made = [leaf for leaf in leaves(call.result) if is_array(leaf)]
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        for array in given:
            to_device(array)
        for array in made:
            to_host(array)
        best = min(best, time.perf_counter() - began)
    return best


@dataclass
class Found:
    """What is to be measured of a layer: subjects by kernel and direction, what was refused before, and whole passes to check again."""

    subjects: dict[tuple[str, str], list[Subject]] = field(default_factory=dict)
    refused: list[tuple[str, Refused, dict[str, Any]]] = field(default_factory=list)
    passes: dict[str, Callable[[], str | None]] = field(default_factory=dict)  # by variant

    def refuse(self, name: str, reason: str, detail: str, **labels: Any) -> None:
        """Note why there will be no figure."""
        self.refused.append((name, Refused(reason, detail), labels))


def _pass_problem(variant: Variant, pair: Pair, expected: list[Any]) -> str | None:
    with variant():
        return pass_problem(pair.outcome(), expected)


def subjects_of(spec: Spec, size: str, where: Sequence[Variant]) -> Found:
    """Each kernel's variants; the reference, which comes first, must work."""
    made = Found()
    found = made.subjects
    shape = " x ".join(map(str, spec.shapes[size]))
    references: dict[tuple[str, str], Truth] = {}
    expected_pass: list[Any] = []
    for variant in where:
        labels = {"layer": spec.name, "size": size, "shape": shape, "variant": variant.name}
        try:
            with variant():
                pair = spec.prepare(spec.shapes[size])
                calls = record(pair)
                outcome = pair.outcome()
        except Exception as problem:
            made.refuse(f"{spec.name} {shape} {variant.name}", "failed", f"{type(problem).__name__}: {problem}", **labels)
            if variant.name == "reference":
                return made
            continue
        if variant.name == "reference":  # without an array in its result there is nothing to compare, and no figure
            references = {call.key: known for call in calls if (known := truth_of(call, spec.shortcut)).expected}
            expected_pass = outcome
        elif not (spec.draws and variant.backend != "numpy"):
            fault = pass_problem(outcome, expected_pass)
            if fault:
                made.refuse(f"{spec.name} {shape} {variant.name}", "wrong", fault, **labels)
                continue
            made.passes[variant.name] = functools.partial(_pass_problem, variant, pair, expected_pass)
        for call in calls:
            reference = references.get(call.key)
            if reference is None:
                continue
            known = found.setdefault(call.key, [])
            same_backend = [s for s in known if s.labels["backend"] == variant.backend]
            if not reference.is_of(call) or any(s.labels["function"] is call.function for s in same_backend):
                continue
            subject = _subject(spec, size, variant, call, reference)
            with variant():
                fault = _cheats(call, reference, spec.draws and variant.backend != "numpy")
            if fault:
                made.refuse(subject.name, "wrong", fault, **labels, kernel=call.kernel.__name__, direction=call.direction)
            else:
                known.append(subject)
    return made


def _cheats(call: Call, known: Truth, drawn: bool) -> str | None:
    """What one call with the recorded numbers does not show: writing to what it is given, and results from before."""
    written = set(call.written) - set(known.call.written)
    fault = None
    if reused(call):
        return "its result is in the memory of the result before, which somebody may still need"
    if known.others is not None and not drawn and changeable(call):
        call()
        with other_numbers(call):
            before = copies(call.args)
            fault = matches(known.others, list, known.dtypes)(compared(call.direction, call()))
            written |= set(differing(call.args, before))
    if call.direction == "backward":
        written &= {0}  # dy; what its own forward kept it may use up
    if written:
        return f"it writes to its argument {min(written)}"
    return f"for other numbers in the same arrays {fault}" if fault else None


def _subject(spec: Spec, size: str, variant: Variant, call: Call, known: Truth) -> Subject:
    on_device = variant.backend != "numpy"
    expected = truth(call) if spec.draws and on_device else known.expected
    shape = " x ".join(map(str, spec.shapes[size]))
    labels = {
        "layer": spec.name,
        "kernel": call.kernel.__name__,
        "direction": call.direction,
        "variant": variant.name,
        "backend": variant.backend,
        "size": size,
        "shape": shape,
        "elements": int(np.prod(spec.shapes[size])),
        "function": call.function,
    }
    name = f"{spec.name} {call.kernel.__name__} {call.direction} {shape} {variant.name}"
    compare = matches(expected, list, known.dtypes)
    clock = cuda_clock() if on_device else HOST
    work = of_variant(known.work, call.args, call.result)

    def verify(result: Any) -> str | None:
        return unfinished(result) or compare(compared(call.direction, result))

    subject = Subject(name, call, verify, work, clock, around=variant, labels=labels)
    if call.mutates:
        fresh = Fresh(call)
        subject.run, subject.prepare = fresh, fresh.prepare
    else:
        subject.lead = 0.0 if on_device else lead_of(work)
        if changeable(call):
            subject.change = functools.partial(other_numbers, call)
    return subject


def measure_spec(report: Report, spec: Spec, size: str, where: Sequence[Variant], seconds: float) -> None:
    """All kernels of one layer at one size: each one's variants take turns."""
    found = subjects_of(spec, size, where)
    for name, refusal, labels in found.refused:
        report.add(name, refusal, **labels)
    for subjects in found.subjects.values():
        figures: list[Figure | Refused] = [Refused("not measured", "")] * len(subjects)
        for backend, roof in (("numpy", "cpu"), ("cupy", "cuda")):  # a device in one turn, the host in another
            here = [i for i, s in enumerate(subjects) if s.labels["backend"] == backend]
            for i, figure in zip(here, measure_in_turn([subjects[i] for i in here], report.rooflines.get(roof), seconds), strict=True):
                figures[i] = figure
        _check_again(found, subjects, figures)
        first = next((f for s, f in zip(subjects, figures, strict=True) if s.labels["variant"] == "reference"), None)
        for subject, figure in zip(subjects, figures, strict=True):
            subject.labels.pop("function")
            _report(report, subject, figure, first)


def _check_again(found: Found, subjects: Sequence[Subject], figures: list[Figure | Refused]) -> None:
    """Refuse figures of variants whose whole pass has become wrong: what a forward keeps for its backward is seen there alone."""
    for i, (subject, figure) in enumerate(zip(subjects, figures, strict=True)):
        check = found.passes.get(subject.labels["variant"])
        fault = check() if check is not None and isinstance(figure, Figure) else None
        if fault:
            figures[i] = Refused("wrong", f"after it was timed {fault}")


def _report(report: Report, subject: Subject, figure: Figure | Refused, reference: Figure | Refused | None) -> None:
    labels = subject.labels
    if isinstance(figure, Refused):
        report.add(subject.name, figure, **labels)
        return
    moving = None
    if labels["backend"] != "numpy":
        with use_backend(labels["backend"]):
            moving = transfer_seconds(subject.run.call if isinstance(subject.run, Fresh) else subject.run)  # type: ignore[arg-type]
        labels["transfer_ms"] = moving * 1e3
    ratio = reference.median / figure.median if isinstance(reference, Figure) and reference is not figure else None
    report.add(
        subject.name, figure, f"{labels['layer']} {labels['kernel']}", labels["shape"], labels["variant"], milliseconds(figure.median),
        spread(figure), milliseconds(figure.cpu), milliseconds(figure.device), milliseconds(moving), figure.gflops, figure.gbytes,
        percent(figure.share), ratio,
    )  # fmt: skip


def crossovers(figures: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each kernel the smallest measured size from which the GPU wins at every size, its arrays there already or moved for it.

    None: it never does. ``figures`` as in a file; kernels without a figure on a device are left out.
    """
    groups: dict[tuple[str, str, str], dict[int, dict[str, list[float]]]] = {}
    for f in figures:
        if "kernel" in f:
            sizes = groups.setdefault((f["layer"], f["kernel"], f["direction"]), {})
            times = sizes.setdefault(f["elements"], {"cpu": [], "gpu": [], "moved": []})
            times["cpu" if f["backend"] == "numpy" else "gpu"].append(f["median_ms"])
            if f["backend"] != "numpy":
                times["moved"].append(f["median_ms"] + f["transfer_ms"])
    found = []
    for (layer, kernel, direction), sizes in groups.items():
        both = {n: t for n, t in sorted(sizes.items()) if t["cpu"] and t["gpu"]}
        if both:
            row: dict[str, Any] = {"layer": layer, "kernel": kernel, "direction": direction}
            for key, column in (("gpu", "resident"), ("moved", "with_transfer")):
                wins = [n for n in both if all(min(t[key]) < min(t["cpu"]) for m, t in both.items() if m >= n)]
                row[column] = min(wins, default=None)
            found.append(row)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = options_of(__doc__)
    parser.add_argument("--sizes", nargs="+", choices=("tiny", "small", "medium", "large"), default=["small", "medium"])
    parser.add_argument("--pictures", metavar="FOLDER", help="draw the roofline, and CPU against GPU by size")
    options = parse(parser, arguments)
    report = Report("kernels", options.threads, options.quick, COLUMNS)
    report.heading()
    for spec in (*SPECS, *OTHERS):
        if wanted(options.only, spec.name):
            for size in ["tiny"] if options.quick else options.sizes:
                measure_spec(report, spec, size, variants(), options.seconds)
    rows = crossovers([figure.as_json() for figure in report.figures])
    for row in rows:
        print(f"{row['kernel']}: the GPU wins from {row['resident']} numbers, from {row['with_transfer']} where they must be moved")
    status = report.finish(options.json, crossovers=rows)
    if options.pictures:
        from .pictures import draw_roofline, draw_sizes

        draw_roofline(report, options.pictures)
        draw_sizes([figure.as_json() for figure in report.figures], options.pictures)
    return status


if __name__ == "__main__":
    raise SystemExit(main())
