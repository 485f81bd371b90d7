"""Whole training steps, LS against PyTorch eager and JAX: forward, loss, backward, Adam, in one process and in turn.

    python -m benchmarks.steps                       # every workload; --only text --threads 1 --json out.json
    python -m benchmarks.steps --tier numpy          # without what Numba compiles; 'references': without any override
    python -m benchmarks.steps --device cupy         # CUDA's kernels, uncaptured ('numpy') and in CUDA graphs ('graphs'), against PyTorch
    python -m benchmarks.steps --memory              # and the peak memory of a step, each in a process of its own
    python -m benchmarks.steps --memory --write docs/benchmarks.md

All start from the same weights on the same batch. Before anything is timed, their first losses must agree with those of LS's
references, and so must the losses after five steps (Adam of the same constants; LS updates embeddings densely here, as
PyTorch does). Then they take turns, so that a slow moment of the machine meets all; a ratio is PyTorch's median over LS's
median. Peers that are not installed are left out. Memory: MiB above the loaded libraries, of the whole process.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ls_core import matmul_precision

from .clock import HOST, Clock, cuda_clock, torch_clock
from .figure import Figure, Refused
from .machine import TIERS, installed, tier, tiers
from .measure import LEAD, Subject, measure_in_turn
from .record import work_of_step
from .report import Report, add_pages, options_of, parse, table, wanted

BARS = ((0, 1e-4), (5, 5e-3))  # after so many steps losses may differ by so much, relative to 1 or more
PEERS = ("torch", "jax")
GRAPHS = "graphs"  # on CuPy: the overrides, and forward and backward captured in a CUDA graph
NAMES = {"torch": "PyTorch", "jax": "JAX"}


def ls_step(
    work: Any, x: np.ndarray, y: np.ndarray, lazy: bool, device: str = "numpy", graphs: bool = False
) -> tuple[Callable[[], float], list[np.ndarray]]:
    """A function that makes one step and returns its loss; and the weights that it starts from."""
    import ls_core
    from ls_core.losses import SparseCategoricalCrossentropy
    from ls_core.tracking import LossTracker
    from ls_optim import Adam

    ls_core.set_seed(0)
    with ls_core.use_backend(device):
        model = work.make()
        loss = SparseCategoricalCrossentropy(from_logits=work.from_logits)
        model.compile(Adam(0.001, epsilon=1e-8, lazy_rows=lazy), loss, jit_compile=graphs)
        inputs, targets = ls_core.to_device(x), ls_core.to_device(y)
        model._prepare((inputs[:1],))
    weights = model.get_weights()

    def step() -> float:
        tracker = LossTracker(model._objective)
        model.train_step((inputs,), targets, None, tracker)
        return tracker.results()["loss"]

    return step, weights


def torch_step(work: Any, weights: list[np.ndarray], x: np.ndarray, y: np.ndarray, fused: bool, device: str = "cpu") -> Callable[[], float]:
    """The same step in PyTorch eager, with its fused Adam."""
    import torch

    # by default PyTorch lets cuDNN round float32 to TF32 (10 bits of mantissa) in convolutions and recurrent layers: as LS is told instead
    tf32 = matmul_precision() == "tf32"
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = tf32
    model = work.twin(weights).to(device)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.001, eps=1e-8, fused=fused)
    inputs, targets = torch.tensor(x).to(device), torch.tensor(y).to(device)

    def step() -> float:
        optimizer.zero_grad()
        logits = model(inputs)
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1))
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step


@dataclass
class Side:
    """One implementation of a workload's step."""

    name: str
    step: Callable[[], float]
    around: Callable[[], AbstractContextManager[Any]] = contextlib.nullcontext
    clock: Clock = HOST

    def losses(self) -> list[float]:
        """Of the first six steps."""
        with self.around():
            return [self.step() for _ in range(6)]


def sides_of(work: Any, options: Any) -> tuple[list[Side], list[float], Any, list[np.ndarray]]:
    """The sides, the losses that all must have, the operations of a step, and the weights all start from."""
    rng = np.random.default_rng(0)
    xs, ys = zip(*((work.inputs(rng), work.targets(rng)) for _ in range(options.batch)), strict=True)
    x, y = np.concatenate(xs), np.concatenate(ys)
    with tier("references"):
        reference, weights = ls_step(work, x, y, options.lazy)
        truth = [reference() for _ in range(6)]
        operations = work_of_step(reference, shortcut=4.0 if "conv" in work.name else 2.0 if "GPT" in work.name else 1.0)
    on_device = options.device == "cupy"
    sides = []
    for name in options.tier:
        overrides = "numpy" if name == GRAPHS else name
        with tier(overrides):
            step, _ = ls_step(work, x, y, options.lazy, options.device, name == GRAPHS)
        sides.append(Side(f"LS {name}", step, functools.partial(tier, overrides), cuda_clock() if on_device else HOST))
    if "torch" in options.peers:
        step = torch_step(work, weights, x, y, not options.plain_adam, "cuda" if on_device else "cpu")
        sides.append(Side(NAMES["torch"], step, clock=torch_clock() if on_device else HOST))
    if "jax" in options.peers and not on_device:
        from .jax_twins import jax_step

        sides.append(Side(NAMES["jax"], jax_step(work.name, weights, x, y)))
    return sides, truth, operations, weights


def other_losses(got: Sequence[float], truth: Sequence[float]) -> Refused | None:
    """Why a side whose first losses are these is not timed."""
    for i, bar in BARS:
        if not abs(got[i] - truth[i]) <= bar * max(1.0, abs(truth[i])):
            return Refused("wrong", f"its loss at step {i} is {got[i]}, and {truth[i]} by LS's references")
    return None


def measure_work(work: Any, options: Any, report: Report) -> dict[str, Any]:
    """Check that all sides do the same, then time them in turn."""
    sides, truth, operations, weights = sides_of(work, options)
    for side in list(sides):
        wrong = other_losses(side.losses(), truth)
        if wrong:
            report.add(f"{work.name} | {side.name}", wrong)
            sides.remove(side)
    subjects = [
        Subject(
            f"{work.name} | {side.name}",
            side.step,
            lambda loss: None if math.isfinite(loss) else f"the loss is {loss}",
            operations,
            side.clock,
            lambda loss: loss,
            side.around,
            labels={"workload": work.name, "side": side.name},
            lead=0.0 if options.quick else LEAD,
        )
        for side in sides
    ]
    roof = report.rooflines.get("cuda" if options.device == "cupy" else "cpu")
    figures = measure_in_turn(subjects, roof, options.seconds, least=4 if options.quick else 10)
    result: dict[str, Any] = {"workload": work.name, "ms": {}, "ratio": {}, "memory_mib": {}}
    for side, subject, figure in zip(sides, subjects, figures, strict=True):
        report.add(subject.name, figure)
        if isinstance(figure, Figure):
            result["ms"][side.name] = figure.median * 1e3
    if options.memory and options.device == "numpy":
        from .memory import measure_apart

        for key, label in (*((name, f"LS {name}") for name in options.tier), *((peer, NAMES[peer]) for peer in options.peers)):
            result["memory_mib"][label] = measure_apart(work.name, key, weights)
    for name in options.tier:
        ours, theirs = result["ms"].get(f"LS {name}"), result["ms"].get("PyTorch")
        if ours and theirs:
            result["ratio"][f"LS {name}"] = theirs / ours
    return result


def geometric_means(results: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Of each tier's ratios."""
    names = dict.fromkeys(name for result in results for name in result["ratio"])
    return {n: float(np.exp(np.mean([np.log(r["ratio"][n]) for r in results if n in r["ratio"]]))) for n in names}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = options_of(__doc__, seconds=4.0)
    parser.add_argument(
        "--tier",
        nargs="+",
        choices=(*TIERS, GRAPHS),
        help="LS' overrides (default: numpy, and numba where it is installed; on cupy numpy and graphs)",
    )
    parser.add_argument("--peers", nargs="*", choices=PEERS, help="default: those that are installed")
    parser.add_argument("--memory", action="store_true", help="measure the peak memory of a step too")
    parser.add_argument("--batch", type=int, default=1, metavar="N", help="N times the batch of each workload")
    parser.add_argument("--device", choices=("numpy", "cupy"), default="numpy", help="cupy: LS on CuPy against PyTorch on CUDA")
    parser.add_argument("--lazy", action="store_true", help="LS updates only the touched rows of embeddings (less work than PyTorch does)")
    parser.add_argument("--plain-adam", action="store_true", help="PyTorch's default Adam instead of its fused one")
    add_pages(parser, "steps")
    options = parse(parser, arguments)
    if GRAPHS in (options.tier or ()) and options.device != "cupy":
        parser.error("the tier 'graphs' is CUDA's: add --device cupy")
    options.tier = options.tier or (["numpy", GRAPHS] if options.device == "cupy" else tiers()[1:])
    options.peers = [peer for peer in PEERS if installed(peer)] if options.peers is None else options.peers
    from .workloads import WORKLOADS

    names = [*(f"LS {name}" for name in options.tier), *(NAMES[peer] for peer in options.peers)]
    ratios = [f"PyTorch / LS {name}" for name in options.tier] if "torch" in options.peers else []
    columns = [("training step, ms", 40), *((name, 16) for name in names), *((name, 24) for name in ratios)]
    if options.memory:
        columns += [(f"{name}, MiB", 21) for name in names]
    report = Report("steps", options.threads, options.quick, columns)
    if "torch" in options.peers:
        import torch

        from .peers import torch_peak

        torch.set_num_threads(options.threads)
        report.rooflines["cpu"].peak["float32"] = max(report.rooflines["cpu"].peak["float32"], torch_peak())
    report.heading()
    results = []
    for work in WORKLOADS:
        if wanted(options.only, work.name):
            results.append(measure_work(work, options, report))
            report.row(*_cells(results[-1], names, options))
    means = geometric_means(results)
    last = ["geometric mean", *(None for _ in names), *(means.get(f"LS {name}") for name in options.tier if ratios)]
    report.row(*last)
    heads = [name for name, _ in columns]
    rows = [_cells(result, names, options) for result in results]
    report.write(options.write, "steps", table(heads, [*rows, [*last, *(None for _ in range(len(heads) - len(last)))]]))
    return report.finish(options.json, results=results, geometric_means=means)


def _memory(found: dict[str, float] | None) -> str | None:
    return None if found is None else f"{found['step_mib']:.0f} of {found['peak_mib']:.0f}"


def _cells(result: dict[str, Any], names: Sequence[str], options: Any) -> list[Any]:
    cells: list[Any] = [result["workload"], *(result["ms"].get(name, "refused") for name in names)]
    if "torch" in options.peers:
        cells += [result["ratio"].get(f"LS {name}") for name in options.tier]
    if options.memory:
        cells += [_memory(result["memory_mib"].get(name)) for name in names]
    return cells


if __name__ == "__main__":
    raise SystemExit(main())
