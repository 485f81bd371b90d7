"""Where a figure comes from: the machine, its BLAS, threads and versions; and the ways to set them."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import ls_core
from ls_core.blas import kernel_name
from ls_core.kernel import use_accelerator, use_references

from .instructions import environment, held

VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
LIBRARIES = ("numpy", "numba", "cupy", "torch", "jax", "jaxlib", "keras", "thinc", "scipy")
TIERS = ("references", "numpy", "numba")


def installed(name: str) -> bool:
    """Whether a library can be imported."""
    return importlib.util.find_spec(name) is not None


def has_cuda() -> bool:
    """Whether CuPy and a CUDA device answer."""
    try:
        ls_core.backend.find_backend("cupy")
    except ls_core.BackendError:
        return False
    return True


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def start_with(count: int, instructions: str | None = None) -> None:
    """Start this program again with ``count`` threads and these instructions for every library, unless it has them already.

    BLAS and its like read their variables once.
    """
    wanted = {**{v: str(count) for v in VARIABLES}, **environment(instructions)}
    if any(os.environ.get(v) != value for v, value in wanted.items()):
        for v, value in wanted.items():
            if value is None:
                os.environ.pop(v, None)
            else:
                os.environ[v] = value
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    if hasattr(os, "sched_setaffinity") and count < cores():  # what knows no variable (JAX) counts the cores of the process
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def no_numba() -> str | None:
    """Why there is no tier 'numba'."""
    if not installed("numba"):
        return "needs Numba: pip install 'ls-engine[fast]'"
    return "needs LS_ACCELERATOR=1: what Numba compiles is switched off" if os.environ.get("LS_ACCELERATOR") == "0" else None


def tiers() -> list[str]:
    """The tiers of overrides for NumPy arrays that this machine has, slowest first."""
    return [tier for tier in TIERS if tier != "numba" or not no_numba()]


@contextlib.contextmanager
def tier(name: str) -> Iterator[None]:
    """Within, kernels run as 'references', with the overrides for 'numpy', or with those of 'numba' before them."""
    if name not in TIERS:
        raise ValueError(f"there is no tier {name!r}; choose from {', '.join(TIERS)}")
    if name == "numba" and no_numba():
        raise ValueError(f"the tier 'numba' {no_numba()}")
    with use_references(name == "references"), use_accelerator(name == "numba"):
        yield


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory() -> float | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (ValueError, OSError, AttributeError):
        return None


def _commit() -> str | None:
    """The commit of the checkout, with '+' where files were changed."""
    root = Path(__file__).parent.parent

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True, timeout=20).stdout.strip()

    try:
        return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _blas() -> dict[str, Any]:
    config: Any = np.show_config(mode="dicts")
    found = config.get("Build Dependencies", {}).get("blas", {})
    return {
        "name": f"{found.get('name', 'unknown')} {found.get('version', '')}".strip(),
        "kernels": kernel_name() or None,
    }


def _device() -> dict[str, Any] | None:
    if not has_cuda():
        return None
    import cupy

    runtime = cupy.cuda.runtime
    properties = runtime.getDeviceProperties(cupy.cuda.Device().id)
    versions = {"driver": runtime.driverGetVersion(), "runtime": runtime.runtimeGetVersion()}
    return {"name": properties["name"].decode(), "memory_gib": properties["totalGlobalMem"] / 2**30, **versions}


def load() -> float | None:
    """How many processes want a core, on average over the last minute; above the cores, figures are of a busy machine."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def machine(threads: int) -> dict[str, Any]:
    """What stands beside every figure in a file."""
    return {
        "processor": _processor(),
        "architecture": platform.machine(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "memory_gib": _memory(),
        "threads": threads,
        "blas": _blas(),
        "held": held(),
        "device": _device(),
        "python": platform.python_version(),
        "ls": ls_core.__version__,
        "commit": _commit(),
        "versions": {name: importlib.metadata.version(name) for name in LIBRARIES if _distribution(name)},
        "load": load(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _distribution(name: str) -> bool:
    try:
        return bool(importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return False
