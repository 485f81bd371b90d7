"""Which vector instructions each library may use, so that like is compared with like.

An environment may hold one library back and not the others: ``OPENBLAS_CORETYPE=Haswell`` keeps NumPy's products to AVX2 where
PyTorch's oneDNN goes on using AVX-512. ``--instructions best`` lifts what holds any of them back, ``--instructions avx2`` holds all.
Without the option things stay as they are, and the report says what is held. All of them read their variables once, when they
are loaded, so the program starts again with them.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
from typing import Any

CHOICES = ("best", "avx2")
AVX2 = {
    "OPENBLAS_CORETYPE": "Haswell",  # NumPy's products
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",  # PyTorch's products
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # PyTorch's convolutions and recurrent layers
    "ATEN_CPU_CAPABILITY": "avx2",  # PyTorch's element-wise kernels
}
HOLDS = (*AVX2, "NPY_DISABLE_CPU_FEATURES", "NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES")


def held() -> dict[str, str]:
    """The variables that hold a library back here."""
    return {name: os.environ[name] for name in HOLDS if os.environ.get(name)}


def evenly() -> bool:
    """Whether all libraries are held back, or none is."""
    found = set(held())
    return not found or set(AVX2) <= found


def environment(choice: str | None) -> dict[str, str | None]:
    """What ``choice`` wants of the environment; None: the variable is unset.

    Raises
    ------
    ValueError
        'avx2' on a processor of another kind.
    """
    if choice is None:
        return {}
    if choice == "best":
        return dict.fromkeys(HOLDS)
    if platform.machine().lower() not in ("x86_64", "amd64"):
        raise ValueError(f"--instructions avx2: this processor ({platform.machine()}) is of another kind")
    return {**AVX2, **_numpy(), **_numba()}


def _numpy() -> dict[str, str]:
    """Without NumPy's own kernels for AVX-512; nothing where they are off already."""
    umath: Any = importlib.import_module("numpy._core._multiarray_umath")
    active = [name for name in umath.__cpu_dispatch__ if name.startswith(("AVX512", "X86_V4")) and umath.__cpu_features__.get(name)]
    return {"NPY_DISABLE_CPU_FEATURES": " ".join(active)} if active else {}


def _numba() -> dict[str, str]:
    """Code for a Haswell, where Numba is installed."""
    if importlib.util.find_spec("llvmlite") is None:
        return {}
    binding: Any = importlib.import_module("llvmlite.binding")
    features = binding.get_host_cpu_features()
    for name in features:
        if name.startswith(("avx512", "avx10", "amx")):
            features[name] = False
    return {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": features.flatten()}
