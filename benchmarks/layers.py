"""Whole layers, forward and backward: LS with each tier of overrides, against peers that are installed, in turn.

    python -m benchmarks.layers                      # --only lstm --sizes medium --peers PyTorch JAX --json out.json

Every peer starts from LS's weights; its output and all its gradients must be those of LS's references, and so must each tier's. An
embedding's gradient is dense in PyTorch and JAX and the touched rows alone in LS, which is what an optimiser gets in each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ls_core.backend import to_host, use_backend
from ls_core.gradcheck.subject import is_float, leaves

from .clock import HOST, cuda_clock
from .figure import Figure, Refused, matches
from .machine import TIERS, has_cuda, tier, tiers
from .measure import Subject, lead_of, measure_in_turn
from .peers import PEERS, available, gradient_problem, torch_peak
from .record import work_of_step
from .report import Report, milliseconds, options_of, parse, percent, spread, wanted
from .roofline import Work
from .subjects import SPECS, Pair, Spec

COLUMNS = (
    ("layer, forward and backward", 34), ("size", 20), ("by", 16), ("ms", 9), ("", 7), ("CPU ms", 9), ("device ms", 10),
    ("GFLOP/s", 9), ("roofline", 10), ("it / LS", 9),
)  # fmt: skip


def given_and_taken(result: Any) -> list[np.ndarray]:
    """y and the gradients of the inputs that a Pair's ``both`` returned."""
    return [to_host(leaf) for leaf in leaves(result) if is_float(leaf)]


def ls_subjects(spec: Spec, size: str, wanted_tiers: Sequence[str]) -> tuple[list[Subject], Pair, Work, list[np.ndarray]]:
    """One subject for each tier, and one on the GPU where there is one; the reference's pair, work and results."""
    shape = spec.shapes[size]
    with tier("references"):
        reference = spec.prepare(shape)
        expected = given_and_taken(reference.both())
        work = work_of_step(reference.both, spec.shortcut)
        gradients = reference.gradients()
    labels = {"layer": spec.name, "size": size, "shape": " x ".join(map(str, shape)), "elements": int(np.prod(shape))}
    places = [(f"LS {name}", name, "numpy") for name in wanted_tiers]
    if has_cuda() and not spec.draws:
        places.append(("LS CUDA", "numpy", "cupy"))
    found = []
    for label, name, backend in places:
        with tier(name), use_backend(backend):
            pair = spec.prepare(shape)
        clock = HOST if backend == "numpy" else cuda_clock()
        same = matches(expected, given_and_taken)

        def verify(result: Any, pair: Pair = pair, same: Any = same) -> str | None:  # the Parameters' gradients by a pass of their own
            return same(result) or gradient_problem(pair.gradients(), gradients)

        around: Any = lambda name=name: tier(name)  # noqa: E731
        subject = Subject(f"{spec.name} {labels['shape']} {label}", pair.both, verify, work, clock, around=around)
        subject.labels = {**labels, "by": label, "backend": backend}
        subject.lead = 0.0 if backend == "cupy" else lead_of(work)
        found.append(subject)
    return found, reference, work, expected


def peer_subjects(
    spec: Spec, size: str, names: Sequence[str], pair: Pair, work: Work, expected: list[np.ndarray], labels: dict[str, Any]
) -> tuple[list[Subject], list[tuple[str, Refused]]]:
    """One subject for each peer that has this layer, and those that fail."""
    found, refused = [], []
    with tier("references"):
        gradients = pair.gradients()
    for name in names:
        title = f"{spec.name} {labels['shape']} {name}"
        try:
            run = PEERS[name](spec, pair, spec.shapes[size])
        except Exception as problem:
            refused.append((title, Refused("failed", f"{type(problem).__name__}: {problem}")))
            continue
        if run is not None:
            subject = Subject(title, run.run, run.verify(expected, gradients), work, wait=run.arrays)
            subject.labels, subject.lead = {**labels, "by": name, "backend": "numpy"}, lead_of(work)
            found.append(subject)
    return found, refused


def measure_layer(report: Report, spec: Spec, size: str, options: Any) -> None:
    """LS's tiers and the peers, in turn."""
    subjects, pair, work, expected = ls_subjects(spec, size, options.tier)
    if spec.make is not None:
        others, refused = peer_subjects(spec, size, options.peers, pair, work, expected, subjects[0].labels)
        subjects += others
        for name, refusal in refused:
            report.add(name, refusal)
    figures: dict[str, Figure | Refused] = {}
    for backend, roof in (("numpy", "cpu"), ("cupy", "cuda")):
        here = [s for s in subjects if s.labels["backend"] == backend]
        figures.update(zip((s.name for s in here), measure_in_turn(here, report.rooflines.get(roof), options.seconds), strict=True))
    ours = [f.median for s in subjects if s.labels["by"].startswith("LS") and isinstance(f := figures[s.name], Figure) and f.device is None]
    for subject in subjects:
        figure, labels = figures[subject.name], subject.labels
        if isinstance(figure, Refused):
            report.add(subject.name, figure, **labels)
            continue
        ratio = figure.median / min(ours) if ours and not labels["by"].startswith("LS") else None
        cells = (milliseconds(figure.median), spread(figure), milliseconds(figure.cpu), milliseconds(figure.device), figure.gflops)
        report.add(subject.name, figure, spec.name, labels["shape"], labels["by"], *cells, percent(figure.share), ratio)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = options_of(__doc__)
    parser.add_argument("--sizes", nargs="+", choices=("tiny", "small", "medium", "large"), default=["medium"])
    parser.add_argument("--tier", nargs="+", choices=TIERS, help="default: all that are there")
    parser.add_argument("--peers", nargs="*", choices=tuple(PEERS), help="default: those that are installed")
    options = parse(parser, arguments)
    options.tier = options.tier or tiers()
    options.peers = available() if options.peers is None else options.peers
    report = Report("layers", options.threads, options.quick, COLUMNS)
    if "PyTorch" in options.peers or "Keras" in options.peers:
        import torch

        torch.set_num_threads(options.threads)
        report.rooflines["cpu"].peak["float32"] = max(report.rooflines["cpu"].peak["float32"], torch_peak())
    report.heading()
    for spec in SPECS:
        if wanted(options.only, spec.name):
            for size in ["tiny"] if options.quick else options.sizes:
                measure_layer(report, spec, size, options)
    return report.finish(options.json)


if __name__ == "__main__":
    raise SystemExit(main())
