"""cuBLAS, called by ctypes: CuPy refuses all its own calls while a stream is captured, and knows no bfloat16 factors of float32 products.

The library is the one that CuPy has loaded. ``ls_core.cuda.products`` says what it is asked for.
"""

from __future__ import annotations

import ctypes
import functools
import os
import threading
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from ..backend import Backend, on_backend
from ..errors import BackendError
from ..matmul_precision import matmul_precision
from ..types import Array, DType

# --- cuBLAS, as its headers have it (library_types.h, cublas_api.h) -------------------------------------------------------

ENUMERATORS = {
    "CUDA_R_32F": 0,
    "CUDA_R_64F": 1,
    "CUDA_R_16F": 2,
    "CUDA_R_16BF": 14,
    "CUBLAS_OP_N": 0,
    "CUBLAS_OP_T": 1,
    "CUBLAS_POINTER_MODE_HOST": 0,
    "CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION": 16,
    "CUBLAS_GEMM_DEFAULT": -1,
    "CUBLAS_COMPUTE_32F": 68,
    "CUBLAS_COMPUTE_64F": 70,
    "CUBLAS_COMPUTE_32F_FAST_16BF": 75,
    "CUBLAS_COMPUTE_32F_FAST_TF32": 77,
}
_pointer, _int, _step = ctypes.c_void_p, ctypes.c_int, ctypes.c_longlong
_sizes = (_pointer, _int, _int, _int, _int, _int)  # handle, two operations, m, n, k
PROTOTYPES: dict[str, tuple[Any, ...]] = {  # all but the last one give a status
    "cublasCreate_v2": (ctypes.POINTER(_pointer),),
    "cublasSetStream_v2": (_pointer, _pointer),
    "cublasSetWorkspace_v2": (_pointer, _pointer, ctypes.c_size_t),
    "cublasSetPointerMode_v2": (_pointer, _int),
    "cublasSetMathMode": (_pointer, _int),
    "cublasGemmEx": (*_sizes, *(_pointer, _pointer, _int, _int), *(_pointer, _int, _int), *(_pointer, _pointer, _int, _int), _int, _int),
    "cublasGemmStridedBatchedEx": (
        *(*_sizes, _pointer),
        *(_pointer, _int, _int, _step),
        *(_pointer, _int, _int, _step),
        *(_pointer, _pointer, _int, _int, _step),
        *(_int, _int, _int),
    ),
    "cublasGetStatusString": (_int,),
}
PLAIN, TURNED = ENUMERATORS["CUBLAS_OP_N"], ENUMERATORS["CUBLAS_OP_T"]
LARGEST = 2**31 - 1  # of all sizes and leading dimensions


class Kind(NamedTuple):
    """A type of numbers: its name in cuBLAS, what it is computed in, and 1 and 0 (alpha and beta) in the type of the sums."""

    name: int
    compute: int
    one: Any
    zero: Any


_SUMS = {"float64": ctypes.c_double}
_FAST = {"tf32": ENUMERATORS["CUBLAS_COMPUTE_32F_FAST_TF32"], "bfloat16": ENUMERATORS["CUBLAS_COMPUTE_32F_FAST_16BF"]}


@functools.cache
def kind_of(dtype: DType) -> Kind | None:
    """What cuBLAS is told of a type, None for types that go to the reference."""
    name = {"float32": "CUDA_R_32F", "float64": "CUDA_R_64F", "float16": "CUDA_R_16F", "bfloat16": "CUDA_R_16BF"}.get(dtype.name)
    if name is None:
        return None
    number = _SUMS.get(dtype.name, ctypes.c_float)
    compute = ENUMERATORS["CUBLAS_COMPUTE_64F" if dtype.name == "float64" else "CUBLAS_COMPUTE_32F"]
    return Kind(ENUMERATORS[name], compute, ctypes.byref(number(1.0)), ctypes.byref(number(0.0)))


def bind(library: Any) -> Any:
    """Tell ctypes the types of every function that is used here."""
    for name, types in PROTOTYPES.items():
        function = getattr(library, name)
        function.argtypes, function.restype = types, _int
    library.cublasGetStatusString.restype = ctypes.c_char_p
    return library


# --- the device ---------------------------------------------------------------------------------------------------------


class Access(Protocol):
    """How the arrays of one type are reached."""

    def library(self) -> Any:
        """cuBLAS, bound."""

    def place(self) -> tuple[int, int]:
        """The current device and the address of its current stream."""

    def capturing(self) -> bool:
        """Whether the current stream is captured."""

    def workspace(self) -> tuple[Any, int, int]:
        """Memory for cuBLAS on the current device: what keeps it, its address, its bytes."""

    def run(self, call: Callable[..., int], a: Array, b: Array, c: Array) -> int:
        """``call`` with the addresses of the three arrays."""


ACCESS: dict[type, Access] = {}
_handles: dict[tuple[int, ...], tuple[Any, Any]] = {}  # (access, thread, device, stream): the handle, and what keeps its workspace


def set_access(array_type: type, access: Access) -> None:
    """Let products of arrays of ``array_type`` (CuPy's, or those of the stand-in device) go by ``access``."""
    ACCESS[array_type] = access


def _handle(access: Access) -> Any:
    """This thread's handle for the current device and stream.

    One for each stream, because cublasSetStream takes the workspace away again, and because a workspace that two streams share
    is written to by both at once. They are never destroyed: a captured graph goes on using the workspace. A thread that
    ends leaves its own to the next one of the same number.
    """
    key = (id(access), threading.get_ident(), *access.place())
    found = _handles.get(key)
    if found is None:
        if access.capturing():
            raise BackendError(
                "the first product on a stream makes cuBLAS ready, which a captured stream can't do: run the step once before"
            )
        library, handle = access.library(), ctypes.c_void_p()
        _check(library, "cublasCreate", library.cublasCreate_v2(ctypes.byref(handle)))
        keep, address, size = access.workspace()
        _check(library, "cublasSetStream", library.cublasSetStream_v2(handle, key[-1]))
        _check(library, "cublasSetWorkspace", library.cublasSetWorkspace_v2(handle, address, size))
        _check(library, "cublasSetPointerMode", library.cublasSetPointerMode_v2(handle, ENUMERATORS["CUBLAS_POINTER_MODE_HOST"]))
        # sums of half types stay in float32 to the end, also where cuBLAS splits K
        mode = ENUMERATORS["CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION"]
        _check(library, "cublasSetMathMode", library.cublasSetMathMode(handle, mode))
        found = _handles[key] = handle, keep
    return found[0]


def _check(library: Any, function: str, status: int, about: str = "") -> None:
    if status:
        raise BackendError(f"cuBLAS: {function} answers {library.cublasGetStatusString(status).decode()} ({status}){about}")


class CuPyAccess:
    """CuPy's arrays: the library that CuPy has loaded, its streams, its memory."""

    def __init__(self, cupy: Any) -> None:
        self.cupy = cupy

    @functools.cached_property
    def _library(self) -> Any:
        major = self.cupy.cuda.runtime.runtimeGetVersion() // 1000  # of the CUDA that CuPy is made for; no library is asked
        try:
            self.cupy.cuda.cublas  # noqa: B018  CuPy's own way to find it: the toolkit's, or that of NVIDIA's wheels
            return bind(ctypes.CDLL(f"cublas64_{major}.dll" if os.name == "nt" else f"libcublas.so.{major}"))  # loaded: this finds it
        except (ImportError, OSError) as problem:
            raise BackendError(
                f"cuBLAS is not to be found ({problem}); install the CUDA toolkit or: pip install 'cupy-cuda{major}x[ctk]'"
            ) from problem

    def library(self) -> Any:
        return self._library

    def place(self) -> tuple[int, int]:
        return self.cupy.cuda.runtime.getDevice(), self.cupy.cuda.get_current_stream().ptr

    def capturing(self) -> bool:
        return bool(self.cupy.cuda.get_current_stream().is_capturing())

    def workspace(self) -> tuple[Any, int, int]:
        """As large as NVIDIA recommends for cublasSetWorkspace."""
        size = (32 if int(self.cupy.cuda.device.get_compute_capability()) >= 90 else 4) << 20
        memory = self.cupy.cuda.alloc(size)
        return memory, memory.ptr, size

    def run(self, call: Callable[..., int], a: Array, b: Array, c: Array) -> int:
        return call(a.data.ptr, b.data.ptr, c.data.ptr)


def _backend_known(backend: Backend) -> None:
    if backend.name == "cupy":
        set_access(backend.array_type, CuPyAccess(backend.xp))


on_backend(_backend_known)


# --- products -------------------------------------------------------------------------------------------------------------


class Matrix(NamedTuple):
    """An array as cuBLAS reads it, columns first: PLAIN or TURNED, the step from column to column, and from product to product."""

    array: Array
    operation: int
    leading: int
    step: int = 0


def gemm(access: Access, kind: Kind, m: int, n: int, k: int, a: Matrix, b: Matrix, c: Matrix, count: int) -> None:
    """C (m, n) = op(A) (m, k) op(B) (k, n), all columns first; ``count`` of them, or 0 for one alone."""
    single = kind.name == ENUMERATORS["CUDA_R_32F"]
    compute = _FAST.get(matmul_precision(), kind.compute) if single else kind.compute
    library, algorithm, t = access.library(), ENUMERATORS["CUBLAS_GEMM_DEFAULT"], kind.name
    begin = (_handle(access), a.operation, b.operation, m, n, k, kind.one)

    def one(of_a: int, of_b: int, of_c: int) -> Any:
        return library.cublasGemmEx(*begin, of_a, t, a.leading, of_b, t, b.leading, kind.zero, of_c, t, c.leading, compute, algorithm)

    def many(of_a: int, of_b: int, of_c: int) -> Any:
        factors = (of_a, t, a.leading, a.step, of_b, t, b.leading, b.step)
        return library.cublasGemmStridedBatchedEx(*begin, *factors, kind.zero, of_c, t, c.leading, c.step, count, compute, algorithm)

    status = access.run(many if count else one, a.array, b.array, c.array)
    if status:
        name = "cublasGemmStridedBatchedEx" if count else "cublasGemmEx"
        _check(library, name, status, f" for {a.array.dtype} matrices ({m}, {k}) and ({k}, {n}), columns first")
