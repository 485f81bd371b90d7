"""matmul on CUDA: our own calls of cuBLAS, since CuPy refuses them all while a stream is captured.

NumPy's order of memory is rows first, cuBLAS' columns first: to cuBLAS an array (R, C) is its own transpose (C, R). So C = A B is
asked for as C^T = B^T A^T, and no array is turned. A transposed view is the other way round again (operation T); a copy is
made only where the numbers of neither a row nor a column lie one after the other.

M rows of the product, N columns, K the axis that is summed over; "leading axes" are those of a batch. For cuBLAS a matrix has a
leading dimension, the step from one of its columns to the next, and a batch one step for each of its arrays, 0 where it is broadcast.
"""

from __future__ import annotations

import ctypes
import functools
import os
import threading
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..backend import Backend, get_xp, on_backend
from ..errors import BackendError
from ..matmul_precision import matmul_precision
from ..products import matmul
from ..types import Array, DType
from .overrides import override

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
_N, _T = ENUMERATORS["CUBLAS_OP_N"], ENUMERATORS["CUBLAS_OP_T"]
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


_access: dict[type, Access] = {}
_handles: dict[tuple[int, ...], tuple[Any, Any]] = {}  # (access, thread, device, stream): the handle, and what keeps its workspace


def set_access(array_type: type, access: Access) -> None:
    """Let products of arrays of ``array_type`` (CuPy's, or those of the stand-in device) go by ``access``."""
    _access[array_type] = access


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
        try:
            self.cupy.cuda.cublas  # noqa: B018  CuPy's own way to find it: the toolkit's, or that of NVIDIA's wheels
            major = self.cupy.cuda.get_local_runtime_version() // 1000
            return bind(ctypes.CDLL(f"cublas64_{major}.dll" if os.name == "nt" else f"libcublas.so.{major}"))  # loaded: this finds it
        except (ImportError, OSError) as problem:
            raise BackendError(
                f"cuBLAS is not to be found ({problem}); install the CUDA toolkit or: pip install nvidia-cublas"
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


# --- matrices as cuBLAS sees them ---------------------------------------------------------------------------------------


def layout(x: Array) -> tuple[int, int] | None:
    """(operation, leading dimension) that give cuBLAS the last two axes, transposed; None where there are none.

    >>> layout(np.ones((2, 3))), layout(np.ones((2, 3)).T), layout(np.ones((4, 6))[::2, ::2])
    ((0, 3), (1, 3), None)
    """
    (rows, columns), item = x.shape[-2:], x.itemsize
    down, right = x.strides[-2:]
    if down % item or right % item:
        return None
    down, right = down // item, right // item
    if right == 1 or columns == 1:
        if rows == 1:
            return _N, columns
        if down >= columns:
            return _N, down
    if down == 1 or rows == 1:
        if columns == 1:
            return _T, rows
        if right >= rows:
            return _T, right
    return None


def steps(x: Array, lead: tuple[int, ...]) -> list[int] | None:
    """The steps of ``x`` along the leading axes of sizes ``lead``, in numbers; 0 where it is broadcast, None where cuBLAS can't have one.

    >>> steps(np.ones((4, 1, 2, 3)), (4, 5)), steps(np.ones((5, 2, 3)), (4, 5))
    ([6, 0], [0, 6])
    """
    own = x.shape[:-2]
    found = [0] * (len(lead) - len(own))
    for size, step in zip(own, x.strides, strict=False):
        if size == 1:
            step = 0
        elif step < 0 or step % x.itemsize:
            return None
        found.append(step // x.itemsize)
    return found


def joined(lead: tuple[int, ...], *all_steps: list[int]) -> list[tuple[int, ...]]:
    """The leading axes as few ones, each (size, the step of every array): neighbours become one where every array lies so.

    >>> joined((4, 5), [30, 6], [0, 0]), joined((4, 5), [30, 6], [0, 2])
    ([(20, 6, 0)], [(4, 30, 0), (5, 6, 2)])
    """
    axes: list[tuple[int, ...]] = []
    for size, *along in zip(lead, *all_steps, strict=True):
        if size == 1:
            continue
        if axes and all(outer == inner * size for outer, inner in zip(axes[-1][1:], along, strict=True)):
            axes[-1] = (axes[-1][0] * size, *along)
        else:
            axes.append((size, *along))
    return axes


@override(matmul, types=None)
def matmul_cublas(a: Array, b: Array, out: Array | None = None) -> Array:
    if type(b) is type(a) and b.dtype != a.dtype and kind_of(a.dtype) and kind_of(b.dtype):  # such as a float32 state and bfloat16 weights
        dtype = np.result_type(a.dtype, b.dtype)
        a, b = a.astype(dtype, copy=False), b.astype(dtype, copy=False)
    access, kind = _access[type(a)], kind_of(a.dtype)
    shape = _shape(a, b, out) if kind is not None and type(b) is type(a) and b.dtype == a.dtype else None
    if kind is None or shape is None:
        return matmul.reference(a, b, out)
    xp = get_xp(a)
    if a.ndim == 1 or b.ndim == 1:
        rows, columns = (a if a.ndim > 1 else a[None, :]), (b if b.ndim > 1 else b[:, None])
        y = matmul_cublas(rows, columns).reshape(shape)
        if out is None:
            return y
        out[...] = y
        return out
    c = xp.empty(shape, dtype=a.dtype) if out is None else out
    if c.size:
        if a.shape[-1]:
            _product(access, xp, kind, a, b, c)
        else:
            c.fill(0)
    return c


def _shape(a: Array, b: Array, out: Array | None) -> tuple[int, ...] | None:
    """The product's shape; None where there is none, or ``out`` is another one: the reference knows what to say."""
    if a.ndim == b.ndim == 2:
        found: tuple[int, ...] = (a.shape[0], b.shape[1])
    elif a.ndim and b.ndim:
        try:
            lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        except ValueError:
            return None
        found = (*lead, *a.shape[:-1][-1:], *(b.shape[-1:] if b.ndim > 1 else ()))
    else:
        return None
    if a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        return None
    return found if out is None or (type(out) is type(a) and out.dtype == a.dtype and out.shape == found) else None


def _product(access: Access, xp: Any, kind: Kind, a: Array, b: Array, c: Array) -> None:
    """c = a @ b, no size 0."""
    lead = c.shape[:-2]
    of_c, along_c = layout(c), steps(c, lead)
    if of_c is None or along_c is None:
        whole = xp.empty(c.shape, dtype=c.dtype)
        _product(access, xp, kind, a, b, whole)
        c[...] = whole
        return
    if of_c[0] == _T:  # c^T = b^T a^T
        _product(access, xp, kind, b.swapaxes(-1, -2), a.swapaxes(-1, -2), c.swapaxes(-1, -2))
        return
    (a, of_a, along_a), (b, of_b, along_b) = _ready(xp, a, lead), _ready(xp, b, lead)
    axes = joined(lead, along_a, along_b, along_c)
    if len(axes) > 1:  # the axes of an array lie apart, such as batch and heads of a (B, T, H, D) seen as (B, H, T, D)
        (a, of_a, along_a), (b, of_b, along_b) = _ready(xp, a, lead, together=True), _ready(xp, b, lead, together=True)
        axes = joined(lead, along_a, along_b, along_c)
    (op_a, ld_a), (op_b, ld_b), ld_c = of_a, of_b, of_c[1]
    (M, K), N = a.shape[-2:], b.shape[-1]
    while axes and op_a == _N and _rows_go_on(axes[-1], M, K, N, ld_a, ld_c):
        size, step_a, _, step_c = axes.pop()
        if M == 1:
            ld_a, ld_c = step_a, step_c
        M *= size
    if len(axes) > 1:  # each array is broadcast along another axis, or those of c lie apart
        axis = min((i for i, size in enumerate(lead) if size > 1), key=lambda i: lead[i])
        for i in range(lead[axis]):
            _product(access, xp, kind, *(_at(x, axis - len(lead), i) for x in (a, b, c)))
        return
    size, step_a, step_b, step_c = axes[0] if axes else (1, 0, 0, 0)
    if max(M, N, K, ld_a, ld_b, ld_c, size) > LARGEST:
        c[...] = matmul.reference(a, b)
        return
    compute = _FAST.get(matmul_precision(), kind.compute) if kind.name == ENUMERATORS["CUDA_R_32F"] else kind.compute
    library, algorithm, t = access.library(), ENUMERATORS["CUBLAS_GEMM_DEFAULT"], kind.name
    begin = (_handle(access), op_b, op_a, N, M, K, kind.one)

    def one(a: int, b: int, c: int) -> Any:
        return library.cublasGemmEx(*begin, b, t, ld_b, a, t, ld_a, kind.zero, c, t, ld_c, compute, algorithm)

    def many(a: int, b: int, c: int) -> Any:
        of_b, of_a, of_c = (b, t, ld_b, step_b), (a, t, ld_a, step_a), (c, t, ld_c, step_c)
        return library.cublasGemmStridedBatchedEx(*begin, *of_b, *of_a, kind.zero, *of_c, size, compute, algorithm)

    status = access.run(many if axes else one, a, b, c)
    if status:
        name = "cublasGemmStridedBatchedEx" if axes else "cublasGemmEx"
        _check(library, name, status, f" for {a.dtype} arrays {a.shape} and {b.shape}")


def _ready(xp: Any, x: Array, lead: tuple[int, ...], together: bool = False) -> tuple[Array, tuple[int, int], list[int]]:
    """``x``, its layout and its steps; copied where cuBLAS can't read it as it lies, or (``together``) its leading axes lie apart."""
    of_x, along = layout(x), steps(x, lead)
    if of_x is None or along is None or (together and len(joined(lead, along)) > 1 and not x.flags.c_contiguous):
        x = xp.ascontiguousarray(x)
        of_x, along = layout(x), steps(x, lead)
    return x, of_x, along  # type: ignore[return-value]


def _rows_go_on(axis: tuple[int, ...], M: int, K: int, N: int, ld_a: int, ld_c: int) -> bool:
    """Whether a batch's rows follow one another in a and c, all times the same b: then it is one product with more rows."""
    _, step_a, step_b, step_c = axis
    return step_b == 0 and ((step_a >= K and step_c >= N) if M == 1 else (step_a == M * ld_a and step_c == M * ld_c))


def _at(x: Array, axis: int, i: int) -> Array:
    """``x[i]`` along a leading axis (counted from the matrices back), or ``x`` where it is broadcast along it."""
    place = x.ndim - 2 + axis
    if place < 0:
        return x
    return x[(slice(None),) * place + (i if x.shape[place] > 1 else 0,)]
