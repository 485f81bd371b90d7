"""The stand-in device: importing this module makes backend 'standin' known, on which tests run without a GPU.

>>> import ls_core
>>> from ls_core.testing.standin import host_syncs
>>> x = ls_core.to_device(np.ones((2, 3)), 'standin')
>>> ls_core.get_xp(x).tanh(x).sum().shape
()
>>> np.tanh(x)
Traceback (most recent call last):
TypeError: operand 'StandInArray' does not support ufuncs (__array_ufunc__=None)
>>> with host_syncs() as found:
...     float(x.sum())
6.0
>>> len(found)
1

What it is like stands in ``standin_array``. It takes and gives the same numbers as NumPy, so results compare bit for bit.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Container, Iterator
from typing import Any

import numpy as np

from ..backend import Backend, _numpy_uniform, register_backend
from ..random import uniform_by_key
from ..types import DType
from .cupy_names import CONSTANTS, FUNCTIONS, HOST_FUNCTIONS, TYPES, UFUNCS
from .standin_array import (
    COMPUTES,
    SPREADS,
    WIDENS,
    StandInArray,
    check_bfloat16,
    check_keywords,
    host_syncs,
    index_of,
    narrowed,
    signatures,
    synced,
    unwrap,
    wider,
    wrap,
)
from .standin_graph import CUDA, PINNED, multiplies, recorded, uploads


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Their results' shapes depend on the data, or CuPy asks the device inside.
_SYNC = _words(
    "nonzero flatnonzero argwhere unique unique_all unique_counts unique_inverse unique_values union1d intersect1d "
    "setdiff1d setxor1d extract compress place delete trim_zeros mask_indices tril_indices triu_indices "
    "tril_indices_from triu_indices_from bincount histogram histogram2d histogramdd nanmin nanmax unravel_index "
    "ravel_multi_index roots poly"
)
_UPLOADS = _words("array asarray asanyarray ascontiguousarray asfortranarray")
_SHAPES = _words("zeros ones empty full eye identity tri arange linspace logspace indices")  # take host numbers
_HOST_SECOND = _words("repeat split array_split hsplit vsplit dsplit reshape broadcast_to tile")
_PRODUCTS = _words("dot einsum inner matmul tensordot vdot")  # cuBLAS' in CuPy
_JOINS = _words("concatenate concat stack hstack vstack column_stack dstack row_stack")
_DEVICE_BOOL = _words("allclose array_equal array_equiv count_nonzero")  # NumPy gives a Python number
_COMPUTES = _words("amax amin around average einsum inner matmul nan_to_num norm outer round tensordot vdot where")
# CuPy has the ufunc methods for these alone.
_WHOLE = "int32 int64 uint32 uint64"
_AT = {
    "add": _words(f"{_WHOLE} float16 float32 float64"),
    "subtract": _words("int32 uint32"),
    **dict.fromkeys(("maximum", "minimum"), _words(f"{_WHOLE} float32 float64")),
    **dict.fromkeys(("bitwise_and", "bitwise_or", "bitwise_xor"), _words(_WHOLE)),
}
_REDUCE = frozenset(["add", "multiply"])


def _function(name: str, plain: Callable[..., Any], known: set[str]) -> Callable[..., Any]:
    short = name.rpartition(".")[2]
    computes = isinstance(plain, np.ufunc) or short in COMPUTES | WIDENS | _COMPUTES

    def call(*args: Any, **named: Any) -> Any:
        check_keywords(name, named, known)
        if short in _SYNC or (short == "where" and len(args) == 1) or (short == "average" and len(args) + len(named) > 2):
            synced(name)
        host = args[:1] if short in _SHAPES else args[1:2] if short in _HOST_SECOND else ()
        if any(isinstance(each, StandInArray) for part in host for each in (part if isinstance(part, (list, tuple)) else [part])):
            raise TypeError(f"cupy.{name} wants numbers of the host there, not an array of the device")
        if short in _PRODUCTS:
            multiplies(name)
        if short in _UPLOADS and type(args[0]) is not StandInArray and np.ndim(args[0]):
            uploads(np.asarray(args[0]).nbytes)
        if short in _JOINS and _by_pointers(args[0]):
            uploads(8 * len(args[0]))
        if short in _UPLOADS and isinstance(args[0], np.ndarray):
            plain_args: tuple[Any, ...] = args
        else:
            plain_args = unwrap(args)
        if short in ("take", "take_along_axis"):
            return _take(short, plain_args, {key: unwrap(value) for key, value in named.items()})
        keywords = {key: unwrap(value) for key, value in named.items()}
        narrow = False
        check_bfloat16(short, plain_args)
        if computes:
            plain_args, narrow = wider(plain_args)
        if narrow and short in SPREADS:
            keywords.setdefault("dtype", np.float64)
        out = keywords.get("out")
        if narrow and out is not None and out.dtype.name == "bfloat16":
            del keywords["out"]
        with np.errstate(all="ignore"):
            result = plain(*plain_args, **keywords)
        if out is not None:
            if "out" not in keywords:
                out[...] = result
            return named["out"]
        result = narrowed(result, narrow and short not in WIDENS and keywords.get("dtype") is None)
        if short in _UPLOADS and isinstance(args[0], np.ndarray) and np.shares_memory(result, args[0]):
            result = result.copy()  # the device's memory is its own
        return StandInArray(np.asarray(result)) if short in _DEVICE_BOOL else wrap(result)

    call.__name__ = short
    return recorded(call)


def _by_pointers(arrays: Any) -> bool:
    """Whether CuPy joins the arrays in one launch, which gets a list of their addresses from the host."""
    return len(arrays) > 8 and len({a.dtype for a in arrays}) == 1 and sum(a.nbytes for a in arrays) < 2 * 1024 * 1024 * len(arrays)


def _take(name: str, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """Indices out of range wrap."""
    given = dict(zip(("a", "indices", "axis"), args, strict=False)) | named
    if name == "take":
        return wrap(np.take(given["a"], given["indices"], axis=given.get("axis"), mode="wrap"))
    axis = given.get("axis", -1)
    length = given["a"].size if axis is None else given["a"].shape[axis]
    return wrap(np.take_along_axis(given["a"], given["indices"] % length, axis))


class StandInUfunc:
    """A ufunc with the methods that CuPy has for it."""

    def __init__(self, name: str, plain: Any) -> None:
        self.__name__ = name
        self._plain = plain
        self._call = _function(name, plain, {"out", "dtype", "casting"})

    def __call__(self, *args: Any, **named: Any) -> Any:
        return self._call(*args, **named)

    def _only(self, method: str, names: Container[str]) -> None:
        if self.__name__ not in names:
            raise NotImplementedError(f"cupy.{self.__name__} has no {method}")

    @recorded
    def at(self, a: StandInArray, indices: Any, b: Any) -> None:
        self._only("at", _AT)
        if a.dtype.name not in _AT[self.__name__]:
            raise TypeError(f"cupy.{self.__name__}.at only supports {', '.join(sorted(_AT[self.__name__]))}, not {a.dtype}")
        self._plain.at(a._a, index_of(indices, a.shape)[0], unwrap(b))

    @recorded
    def reduce(self, array: StandInArray, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        self._only("reduce", _REDUCE)
        return wrap(self._plain.reduce(array._a, axis=axis, dtype=dtype, out=unwrap(out), keepdims=keepdims))

    @recorded
    def accumulate(self, array: StandInArray, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        self._only("accumulate", _REDUCE)
        return wrap(self._plain.accumulate(array._a, axis=axis, dtype=dtype, out=unwrap(out)))

    @recorded
    def reduceat(self, array: StandInArray, indices: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        self._only("reduceat", frozenset(["add"]))
        return wrap(self._plain.reduceat(array._a, unwrap(indices), axis=axis, dtype=dtype, out=unwrap(out)))

    @recorded
    def outer(self, a: Any, b: Any) -> Any:
        return wrap(self._plain.outer(unwrap(a), unwrap(b)))


class Namespace:
    """``xp`` of the stand-in device: CuPy's names, and AttributeError for all that CuPy has not."""

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"cupy has no attribute {name!r} (stand-in device)")


def _namespace() -> Namespace:
    root = Namespace("standin")
    spaces = {"": root, **{name: Namespace(f"standin.{name}") for name in ("linalg", "fft", "lib", "lib.stride_tricks")}}
    root.__dict__.update(
        cuda=CUDA, get_default_pinned_memory_pool=lambda: PINNED, linalg=spaces["linalg"], fft=spaces["fft"], lib=spaces["lib"]
    )
    spaces["lib"].__dict__["stride_tricks"] = spaces["lib.stride_tricks"]

    def plain(name: str) -> Any:
        found: Any = np
        for part in name.split("."):
            found = getattr(found, part)
        return found

    for name, known in signatures(FUNCTIONS).items():
        space, _, short = name.rpartition(".")
        spaces[space].__dict__[short] = _function(name, plain(name), known)
    for name in UFUNCS.split():
        root.__dict__[name] = StandInUfunc(name, plain(name))
    for name in (*TYPES.split(), *CONSTANTS.split()):
        root.__dict__[name] = plain(name)
    for name in HOST_FUNCTIONS.split():
        root.__dict__[name] = _about_types(plain(name))
    root.__dict__.update(ndarray=StandInArray, asnumpy=lambda x: x.get())
    return root


def _about_types(plain: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: plain(*(a.dtype if isinstance(a, StandInArray) else a for a in args))


_by_key = False


def _uniform(generator: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> StandInArray:
    if not _by_key:
        return STANDIN.xp.copy(StandInArray(_numpy_uniform(generator, shape, dtype)))  # in a captured step a constant
    keys = STANDIN.xp.empty(1, dtype="int64")
    keys[0] = int(generator.integers(0, 2**64, dtype=np.uint64).astype(np.int64))
    return uniform_by_key(keys, 0, shape, dtype)


@contextlib.contextmanager
def draws_by_key() -> Iterator[None]:
    """Within, random numbers come as on CUDA: by one key of 64 bits for each draw, where else they are NumPy's."""
    global _by_key
    previous, _by_key = _by_key, True
    try:
        yield
    finally:
        _by_key = previous


@recorded
def _to_device(x: np.ndarray) -> StandInArray:
    if np.ndim(x):
        uploads(x.nbytes)
    return StandInArray(np.array(x))


STANDIN = Backend(
    name="standin",
    xp=_namespace(),
    array_type=StandInArray,
    to_device=_to_device,
    to_host=lambda x: x.get(),
    synchronize=lambda: synced("synchronize"),
    uniform=_uniform,
)
register_backend(STANDIN)

__all__ = ["STANDIN", "StandInArray", "draws_by_key", "host_syncs"]
