"""use_matmul_precision: how exactly CUDA multiplies float32 matrices. NumPy has one way only, which is full float32."""

from __future__ import annotations

import os
from typing import Any

from .backend import Backend, on_backend
from .errors import BackendError
from .kernel import Restore

PRECISIONS = ("float32", "tf32", "bfloat16")

_current = "tf32" if os.environ.get("CUPY_TF32", "0") not in ("", "0") else "float32"  # CuPy's own switch, for LS' products too
_cupy: Any = None  # once the backend 'cupy' is loaded


def use_matmul_precision(precision: str) -> Restore:
    """How CUDA multiplies float32 matrices from now on, for good or for a ``with`` block.

    Parameters
    ----------
    precision : {'float32', 'tf32', 'bfloat16'}
        'float32': every product in float32, the default. The others let tensor cores multiply rounded factors, while the sums stay
        in float32: 'tf32' rounds to 10 bits of mantissa (relative error up to 5e-4 each), 'bfloat16' to 7 (4e-3) or, where cuBLAS
        finds that faster, to 10. Arrays stay float32.

    Raises
    ------
    ValueError
        Another name.
    BackendError
        'tf32' or 'bfloat16' on a GPU older than Ampere (compute capability 8.0).

    Notes
    -----
    It reaches every product of float32 arrays that LS computes on CUDA, in all threads and on all devices: those of layers, losses,
    regularisers and optimisers, and ``ls_core.matmul`` in code of one's own. It does not reach CuPy's own functions (``@``,
    ``dot``, ``tensordot``, ``einsum``), which follow CuPy's ``CUPY_TF32=1``; LS takes that variable as 'tf32'. No effect on
    NumPy, on products of other types, and on a graph that was captured before.
    ``compile(mixed_precision='bfloat16')`` goes further: activations too are bfloat16, in half the memory.

    Source: NVIDIA, cuBLAS, ``cublasComputeType_t`` (CUBLAS_COMPUTE_32F, _32F_FAST_TF32, _32F_FAST_16BF).

    Examples
    --------
    >>> with use_matmul_precision('tf32'):
    ...     matmul_precision()
    'tf32'
    >>> matmul_precision()
    'float32'
    """
    global _current
    if precision not in PRECISIONS:
        raise ValueError(f"matmul precision is 'float32', 'tf32' or 'bfloat16', not {precision!r}")
    if _cupy is not None:
        _check(precision)
    previous, _current = _current, precision
    return Restore(use_matmul_precision, previous)


def matmul_precision() -> str:
    """'float32', 'tf32' or 'bfloat16': what ``use_matmul_precision`` was told last."""
    return _current


def _check(precision: str) -> None:
    if precision == "float32":
        return
    capability = _cupy.cuda.device.get_compute_capability()
    if int(capability) < 80:
        raise BackendError(
            f"{precision} products need a GPU of compute capability 8.0 (Ampere) or later, this one has {capability}; use 'float32'"
        )


def _backend_known(backend: Backend) -> None:
    global _cupy
    if backend.name == "cupy":
        _cupy = backend.xp
        _check(_current)


on_backend(_backend_known)
