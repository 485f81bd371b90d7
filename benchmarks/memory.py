"""Peak resident memory of a training step, measured in a process of its own.

    python -m benchmarks.memory "text CNN" numpy        # or numba, references, torch, jax

A step of a small model is made first, so that the libraries are loaded and the compiled code of products is too. Then the model
is built, the peak is reset (Linux allows it), and five steps are made. ``peak`` is the whole process, ``step`` what is above
the process with its libraries.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

SIDES = ("references", "numpy", "numba", "torch", "jax")


def _status(name: str) -> float:
    """A line of /proc/self/status in MiB."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return float(line.split()[1]) / 1024
    raise ValueError(f"/proc/self/status has no {name}")


def resident() -> float:
    """The memory of this process that is in use now, in MiB."""
    return _status("VmRSS")


def reset_peak() -> None:
    """Forget the peak so far."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak() -> float:
    """The highest since then, in MiB."""
    return _status("VmHWM")


def _prepare(
    side: str, work: Any, weights: list[np.ndarray], x: np.ndarray, y: np.ndarray
) -> tuple[Callable[[], float], contextlib.ExitStack]:
    from .machine import tier
    from .steps import ls_step, torch_step

    within = contextlib.ExitStack()
    if side == "torch":
        return torch_step(work, weights, x, y, fused=True), within
    if side == "jax":
        from .jax_twins import jax_step

        return jax_step(work.name, weights, x, y), within
    within.enter_context(tier(side))
    return ls_step(work, x, y, lazy=False)[0], within


def _warm(side: str, work: Any, x: np.ndarray, y: np.ndarray) -> None:
    """Make a step, and forget it."""
    from .steps import ls_step

    step, within = _prepare(side, work, ls_step(work, x, y, lazy=False)[1], x, y)
    with within:
        step()


def measure_here(name: str, side: str, weights: str | None) -> dict[str, float]:
    """The peak of this process while it makes five steps."""
    from .workloads import WARM_UP, WORKLOADS

    rng = np.random.default_rng(0)
    work = next(work for work in WORKLOADS if work.name.startswith(name))
    _warm(side, WARM_UP, WARM_UP.inputs(rng), WARM_UP.targets(rng))
    x, y = work.inputs(rng), work.targets(rng)
    gc.collect()
    before = resident()
    with contextlib.nullcontext() if weights is None else np.load(weights) as file:
        given = [file[key] for key in file.files] if file is not None else []
    step, within = _prepare(side, work, given, x, y)
    del given
    gc.collect()
    reset_peak()
    with within:
        for _ in range(5):
            step()
    highest = peak()
    return {"peak_mib": highest, "step_mib": highest - before}


def measure_apart(name: str, side: str, weights: Sequence[np.ndarray] = ()) -> dict[str, float] | None:
    """The same in a new process; None where this system tells no peak. Peers start from ``weights``."""
    if not Path("/proc/self/clear_refs").exists():
        return None
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.memory", name, side]
        if side in ("torch", "jax"):
            np.savez(f"{folder}/weights.npz", *weights)
            command += ["--weights", f"{folder}/weights.npz"]
        root = Path(__file__).parent.parent
        done = subprocess.run(command, capture_output=True, text=True, cwd=root, timeout=600, check=False)
    if done.returncode:
        raise RuntimeError(f"measuring the memory of {name} by {side} failed:\n{done.stderr}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("workload", help="the beginning of its name")
    parser.add_argument("side", choices=SIDES)
    parser.add_argument("--weights", help="an .npz file that a peer starts from")
    options = parser.parse_args(arguments)
    print(json.dumps(measure_here(options.workload, options.side, options.weights)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
