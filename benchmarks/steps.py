"""Whole training steps, LS against PyTorch eager: forward, loss, backward, Adam, in one process and in turn.

    python -m benchmarks.steps                       # every workload; --only text --threads 1 --json out.json

Both start from the same weights on the same batch. Before anything is timed, their first losses must agree and so must the
losses after five steps (Adam of the same constants; LS updates embeddings densely here, as PyTorch does). Then the two take
turns, so that a slow moment of the machine meets both; the ratio is PyTorch's median over LS's median.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np


def ls_step(work: Any, x: np.ndarray, y: np.ndarray, lazy: bool) -> tuple[Callable[[], float], list[np.ndarray]]:
    """A function that makes one step and returns its loss; and the weights that it starts from."""
    import ls_core
    from ls_core.losses import SparseCategoricalCrossentropy
    from ls_core.tracking import LossTracker
    from ls_optim import Adam

    ls_core.set_seed(0)
    model = work.make()
    model.compile(Adam(0.001, epsilon=1e-8, lazy_rows=lazy), SparseCategoricalCrossentropy(from_logits=work.from_logits))
    model._prepare((x[:1],))
    weights = model.get_weights()

    def step() -> float:
        tracker = LossTracker(model._objective)
        model.train_step((x,), y, None, tracker)
        return tracker.results()["loss"]

    return step, weights


def torch_step(work: Any, weights: list[np.ndarray], x: np.ndarray, y: np.ndarray, fused: bool) -> Callable[[], float]:
    """The same step in PyTorch eager, with its fused Adam."""
    import torch

    model = work.twin(weights)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.001, eps=1e-8, fused=fused)
    inputs, targets = torch.tensor(x), torch.tensor(y)

    def step() -> float:
        optimizer.zero_grad()
        logits = model(inputs)
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1))
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step


def measure(work: Any, seconds: float, lazy: bool, fused: bool) -> dict[str, Any]:
    """Check that both do the same, then time them in turn."""
    rng = np.random.default_rng(0)
    x, y = work.inputs(rng), work.targets(rng)
    ours, weights = ls_step(work, x, y, lazy)
    theirs = torch_step(work, weights, x, y, fused)
    losses = [(ours(), theirs()) for _ in range(6)]
    for i, bar in ((0, 1e-4), (5, 5e-3)):
        a, b = losses[i]
        if not abs(a - b) <= bar * max(1.0, abs(b)):
            raise SystemExit(f"{work.name}: LS and PyTorch differ at step {i}: loss {a} against {b}; nothing is timed")
    times: dict[str, list[float]] = {"ls": [], "torch": []}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times["ls"]) < 7:
        for name, step in (("ls", ours), ("torch", theirs)):
            began = time.perf_counter()
            step()
            times[name].append(time.perf_counter() - began)
    result: dict[str, Any] = {"workload": work.name, "repetitions": len(times["ls"])}
    for name, values in times.items():
        low, median, high = np.percentile(values, (10, 50, 90))
        result[name] = {"median_ms": median * 1e3, "p10_ms": low * 1e3, "p90_ms": high * 1e3}
    result["ratio"] = result["torch"]["median_ms"] / result["ls"]["median_ms"]
    return result


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", help="workloads whose name contains this")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=4.0, help="for each workload")
    parser.add_argument("--lazy", action="store_true", help="LS updates only the touched rows of embeddings (less work than PyTorch does)")
    parser.add_argument("--plain-adam", action="store_true", help="PyTorch's default Adam instead of its fused one")
    parser.add_argument("--json", help="write the figures here")
    options = parser.parse_args(arguments)
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        if os.environ.get(variable) != str(options.threads):  # BLAS reads them once, when it is loaded
            os.environ.update({v: str(options.threads) for v in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")})
            os.execv(sys.executable, [sys.executable, "-m", "benchmarks.steps", *(arguments or sys.argv[1:])])
    import torch

    from .workloads import WORKLOADS

    torch.set_num_threads(options.threads)
    results = []
    print(f"{'training step':40}{'LS ms':>10}{'PyTorch ms':>12}{'PyTorch / LS':>14}", flush=True)
    for work in WORKLOADS:
        if options.only and options.only.lower() not in work.name.lower():
            continue
        result = measure(work, options.seconds, options.lazy, not options.plain_adam)
        results.append(result)
        print(f"{work.name:40}{result['ls']['median_ms']:10.2f}{result['torch']['median_ms']:12.2f}{result['ratio']:14.2f}", flush=True)
    mean = float(np.exp(np.mean([np.log(result["ratio"]) for result in results])))
    print(f"{'geometric mean':40}{mean:36.2f}")
    if options.json:
        machine = {
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "threads": options.threads,
            "numpy": np.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        }
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"machine": machine, "results": results, "geometric_mean": mean}, file, indent=2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
