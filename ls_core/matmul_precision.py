"""use_matmul_precision: how exactly CUDA multiplies float32 matrices. NumPy has one way only, which is full float32."""

from __future__ import annotations

import os
from typing import Any

from .backend import Backend, on_backend
from .errors import BackendError
from .kernel import Restore

PRECISIONS = ("float32", "tf32")

_current = "tf32" if os.environ.get("CUPY_TF32", "0") not in ("", "0") else "float32"  # CuPy's own switch, read by CuPy too
_cupy: Any = None  # once the backend 'cupy' is loaded


def use_matmul_precision(precision: str) -> Restore:
    """How CuPy multiplies float32 matrices from now on, for good or for a ``with`` block.

    Parameters
    ----------
    precision : {'float32', 'tf32'}
        'float32': every product in float32, the default. 'tf32': the factors are rounded to 10 bits of mantissa (relative
        error about 5e-4 each) and multiplied by tensor cores, the sums stay in float32.

    Raises
    ------
    ValueError
        Another name.
    BackendError
        'tf32' on a GPU older than Ampere (compute capability 8.0).

    Notes
    -----
    It reaches ``@``, ``matmul``, ``dot``, ``tensordot`` and ``einsum`` of two dimensions in every thread, products of batches in the
    thread and on the device that are current when it is called. No effect on NumPy, and on products of other types.
    CuPy has no bfloat16 products of float32 arrays; ``compile(mixed_precision='bfloat16')`` computes in bfloat16 throughout.

    Source: NVIDIA, cuBLAS, ``cublasSetMathMode`` and ``cublasComputeType_t``; CuPy, ``cupy._core.set_compute_type``.

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
        raise ValueError(
            f"matmul precision is 'float32' or 'tf32', not {precision!r}"
            + ("; train with compile(mixed_precision='bfloat16') to compute in bfloat16" if precision == "bfloat16" else "")
        )
    if _cupy is not None:
        _set(precision)
    previous, _current = _current, precision
    return Restore(use_matmul_precision, previous)


def matmul_precision() -> str:
    """'float32' or 'tf32': what ``use_matmul_precision`` was told last."""
    return _current


def _set(precision: str) -> None:
    device, cublas, products = _cupy.cuda.device, _cupy.cuda.cublas, _cupy._core._routines_linalg
    fast = precision == "tf32"
    if fast and int(device.get_compute_capability()) < 80:
        raise BackendError(
            f"tf32 needs a GPU of compute capability 8.0 (Ampere) or later, this one has {device.get_compute_capability()}; use 'float32'"
        )
    # products of two matrices go by CuPy's compute type, those of batches by the mode of the thread's cuBLAS handle
    products.set_compute_type("float32", products.COMPUTE_TYPE_TF32 if fast else products.COMPUTE_TYPE_DEFAULT)
    cublas.setMathMode(device.get_cublas_handle(), cublas.CUBLAS_TF32_TENSOR_OP_MATH if fast else cublas.CUBLAS_DEFAULT_MATH)


def _backend_known(backend: Backend) -> None:
    global _cupy
    if backend.name == "cupy":
        _cupy = backend.xp
        if _current != "float32":
            _set(_current)


on_backend(_backend_known)
