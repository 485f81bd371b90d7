"""ls-engine info: what this machine gives LS."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import platform

import numpy as np

from ls_core.blas import kernel_name
from ls_core.version import __version__

EXTRAS = {
    "cuda12, cuda13": ("cupy",),
    "plots": ("matplotlib",),
    "fast": ("numba",),
    "bf16": ("ml_dtypes",),
    "tensorboardx": ("tensorboardX",),
    "wandb": ("wandb",),
    "tune": ("optuna",),
    "sklearn": ("sklearn",),
    "test": ("pytest", "hypothesis", "xdist"),
}


def blas() -> str:
    """NumPy's BLAS and how many threads it may use."""
    config = np.show_config(mode="dicts")
    found = config.get("Build Dependencies", {}).get("blas", {}) if isinstance(config, dict) else {}
    name = f"{found.get('name', 'unknown')} {found.get('version', '')}".strip()
    variables = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
    limits = [f"{v}={os.environ[v]}" for v in variables if v in os.environ]
    kernels = f", {kernel_name()} kernels" if kernel_name() else ""
    if os.environ.get("OPENBLAS_CORETYPE"):  # products may run at half of what the processor does
        kernels += f" by OPENBLAS_CORETYPE={os.environ['OPENBLAS_CORETYPE']} (unset, OpenBLAS takes those for this processor)"
    return f"{name}{kernels}, {', '.join(limits) if limits else f'up to {cores()} threads'}"


def cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def devices() -> list[str]:
    """The CUDA devices, or why there is none."""
    from ls_core.backend import find_backend
    from ls_core.errors import BackendError

    try:
        cupy = find_backend("cupy").xp
    except BackendError as problem:
        return [f"none: {problem}"]
    found = []
    for i in range(cupy.cuda.runtime.getDeviceCount()):
        properties = cupy.cuda.runtime.getDeviceProperties(i)
        found.append(f"{properties['name'].decode()}, {properties['totalGlobalMem'] / 2**30:.0f} GiB, CuPy {cupy.__version__}")
    return found


def _version(module: str) -> str:
    if importlib.util.find_spec(module) is None:
        return "not installed"
    for name in importlib.metadata.packages_distributions().get(module, [module]):
        return f"{name} {importlib.metadata.version(name)}"
    return "installed"


def run(options: argparse.Namespace) -> int:
    rows = [
        ("ls-engine", __version__),
        ("Python", f"{platform.python_version()} on {platform.platform()}"),
        ("processor", f"{platform.processor() or platform.machine()}, {cores()} cores"),
        ("numpy", np.__version__),
        *((name, _version(name).removeprefix(f"{name} ")) for name in ("pandas", "safetensors", "tqdm")),
        ("BLAS", blas()),
        *(("CUDA device", each) for each in devices()),
        *((f"extra {extra}", ", ".join(dict.fromkeys(_version(module) for module in modules))) for extra, modules in EXTRAS.items()),
    ]
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        print(f"{name.ljust(width)}  {text}")
    return 0
