"""StandInArray: a NumPy array that behaves as CuPy's where the two differ. No GPU is needed.

- nothing converts between it and NumPy unless asked to: ``np.asarray(x)``, ``np.exp(x)``, ``x + numpy_array`` raise TypeError;
- a reduction to one number, or ``x[0]``, stays an array of no axes on the device; ``x[0]`` is a view;
- an index array out of range wraps silently, as CUDA kernels do;
- assigning to the same place twice (``x[[0, 0]] = values``) is an error, since its result is undefined;
- no object, string or long double dtypes; only CuPy's methods and keywords;
- bfloat16 (of ml_dtypes) stays bfloat16 with Python's integers, in products and in sums, which are computed in float32, where NumPy
  would go on in float32; Python's floats, ``where``, ``clip`` and some more (``WIDENS``) give float32, ``var`` and ``x ** 0.5`` even
  float64; it can't be sorted, and ``einsum`` knows no products of it;
- whatever makes the host wait (``float(x)``, ``if x``, ``x[mask]``, ``x.item()``) is counted: see ``host_syncs``.
"""

from __future__ import annotations

import contextlib
import operator
import re
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from .cupy_names import METHODS
from .standin_graph import STATE, multiplies, owner, recorded, uploads, waits

_recorders: list[list[str]] = []


@contextlib.contextmanager
def host_syncs() -> Iterator[list[str]]:
    """Inside, every wait of the host for the device is noted in the list: what it was, and where."""
    found: list[str] = []
    _recorders.append(found)
    try:
        yield found
    finally:
        _recorders[:] = [each for each in _recorders if each is not found]


def synced(what: str) -> None:
    """Note that the host waited."""
    waits(what)
    if _recorders:
        frame = sys._getframe(1)
        while frame.f_back is not None and (frame.f_globals["__name__"].startswith("ls_core.testing.standin")):
            frame = frame.f_back
        for each in _recorders:
            each.append(f"{what} at {frame.f_code.co_filename}:{frame.f_lineno}")


def unwrap(value: Any) -> Any:
    """The NumPy array inside, also within lists and tuples; TypeError for a NumPy array that nobody moved to the device."""
    if isinstance(value, StandInArray):
        return value._a
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}: this NumPy array of shape {value.shape} was never moved to the device")
    if isinstance(value, (list, tuple)):
        return type(value)(unwrap(each) for each in value) if type(value) in (list, tuple) else value
    return value


def wrap(value: Any) -> Any:
    """NumPy's result as the device would give it: arrays and NumPy scalars on the device, the rest as it is."""
    if isinstance(value, (np.ndarray, np.generic)):
        return StandInArray(np.asarray(value))
    if isinstance(value, tuple):
        return tuple(wrap(each) for each in value)
    return [wrap(each) for each in value] if isinstance(value, list) else value


def wider(args: Any) -> tuple[Any, bool]:
    """NumPy's arguments with bfloat16 as float32, and whether CuPy's result would be bfloat16."""
    found: list[Any] = []

    def widened(value: Any) -> Any:
        if type(value) in (float, complex):
            found.append(np.dtype("float32"))
        if isinstance(value, (np.ndarray, np.generic)):
            found.append(value.dtype)
            return value.astype(np.float32) if value.dtype.name == "bfloat16" else value
        return type(value)(widened(each) for each in value) if type(value) in (list, tuple) else value

    wide = widened(args)
    kinds = {dtype.name for dtype in found}
    return (wide, kinds <= {"bfloat16", "bool"}) if "bfloat16" in kinds else (args, False)


def narrowed(result: Any, narrow: bool) -> Any:
    """float32 results as bfloat16, where CuPy's would be."""
    if not narrow or isinstance(result, (list, tuple)):
        return type(result)(narrowed(each, narrow) for each in result) if narrow else result
    return np.asarray(result).astype("bfloat16") if getattr(result, "dtype", None) == np.float32 else result


class Flags:
    """What CuPy's ``flags`` knows."""

    def __init__(self, a: np.ndarray) -> None:
        self.c_contiguous, self.f_contiguous, self.owndata = a.flags.c_contiguous, a.flags.f_contiguous, a.flags.owndata

    @recorded
    def __getitem__(self, name: str) -> bool:
        return bool(getattr(self, name.lower()))


class StandInArray:
    """An array on the stand-in device; see this module's docstring."""

    __slots__ = ("_a", "__weakref__")
    __array_ufunc__ = None  # so that NumPy's own functions and operators refuse it
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, a: np.ndarray) -> None:
        if (a.dtype.kind not in "biufc" and a.dtype.name != "bfloat16") or a.dtype.itemsize > 8 * (1 + (a.dtype.kind == "c")):
            raise TypeError(f"Unsupported dtype {a.dtype}: a device has booleans, integers, floats and complex numbers")
        self._a = a

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Use ls_core.to_host(x).")

    def __array_function__(self, function: Any, *_: Any) -> Any:
        raise TypeError(f"numpy.{function.__name__} got an array of the device: use xp = get_xp(x), then xp.{function.__name__}")

    # --- what is known without asking the device ---

    shape = property(lambda self: self._a.shape)
    dtype = property(lambda self: self._a.dtype)
    ndim = property(lambda self: self._a.ndim)
    size = property(lambda self: self._a.size)
    nbytes = property(lambda self: self._a.nbytes)
    itemsize = property(lambda self: self._a.itemsize)
    strides = property(lambda self: self._a.strides)
    flags = property(lambda self: Flags(self._a))
    base = property(lambda self: None if self._a.base is None else wrap(self._a.base))
    data = property(lambda self: SimpleNamespace(ptr=self._a.__array_interface__["data"][0], mem=owner(self._a)))
    T = property(lambda self: wrap(self._a.T))
    mT = property(lambda self: wrap(self._a.mT))

    @property
    def real(self) -> StandInArray:
        return StandInArray(self._a.real)

    @real.setter
    @recorded
    def real(self, value: Any) -> None:
        self._a.real = unwrap(value)

    @property
    @recorded
    def imag(self) -> StandInArray:
        return StandInArray(self._a.imag)

    @imag.setter
    @recorded
    def imag(self, value: Any) -> None:
        self._a.imag = unwrap(value)

    def __len__(self) -> int:
        return len(self._a)

    def __iter__(self) -> Iterator[StandInArray]:
        return (self[i] for i in range(len(self._a)))

    @recorded
    def __copy__(self) -> StandInArray:
        return StandInArray(self._a.copy())

    @recorded
    def __deepcopy__(self, memo: Any) -> StandInArray:
        return StandInArray(self._a.copy())

    # --- what waits for the device ---

    def get(self) -> np.ndarray:
        synced("get")
        return self._a.copy()

    def __float__(self) -> float:
        synced("float")
        return float(self._a)

    def __int__(self) -> int:
        synced("int")
        return int(self._a)

    def __complex__(self) -> complex:
        synced("complex")
        return complex(self._a)

    def __bool__(self) -> bool:
        synced("bool")
        return bool(self._a)

    def __repr__(self) -> str:
        synced("repr")
        return f"standin {self._a!r}"

    def __format__(self, spec: str) -> str:
        synced("format")
        return format(self._a.item() if self._a.ndim == 0 else self._a, spec)

    # --- indexing ---

    @recorded
    def __getitem__(self, key: Any) -> StandInArray:
        parts, masked, _ = index_of(key, self._a.shape)
        if masked:
            synced("boolean indexing")
        if all(isinstance(p, (int, np.integer)) for p in parts):
            parts = (*parts, ...)  # a view, not a copied scalar
        return StandInArray(self._a[parts])

    @recorded
    def __setitem__(self, key: Any, value: Any) -> None:
        parts, masked, arrays = index_of(key, self._a.shape)
        plain = unwrap(value)
        if np.size(plain) > 1:
            if masked:
                synced("boolean indexing")
            if arrays:
                places = np.arange(self._a.size).reshape(self._a.shape)[parts]
                if np.unique(places).size < places.size:
                    raise ValueError("x[indices] = values meets the same place twice, which has no defined result on a GPU: use xp.add.at")
        self._a[parts] = plain


def index_of(key: Any, shape: tuple[int, ...]) -> tuple[tuple[Any, ...], bool, bool]:
    """(the index for NumPy with integer arrays wrapped into range, has it a boolean array, has it an integer array)."""
    parts = list(key) if isinstance(key, tuple) else [key]
    for i, part in enumerate(parts):
        if isinstance(part, StandInArray):
            parts[i] = part._a
        elif isinstance(part, np.ndarray):
            raise TypeError("a NumPy array indexes an array of the device; move the indices there first")
        elif isinstance(part, list):
            parts[i] = np.asarray(unwrap(part))
            uploads(parts[i].nbytes)
    taken = [0 if p is None or p is Ellipsis else p.ndim if isinstance(p, np.ndarray) and p.dtype == bool else 1 for p in parts]
    axis, masked, arrays = 0, False, False
    for i, part in enumerate(parts):
        if part is Ellipsis:
            axis += len(shape) - sum(taken)
        if isinstance(part, np.ndarray):
            if part.dtype == bool:
                masked = True
            elif part.dtype.kind in "iu":
                arrays = True
                if axis < len(shape) and shape[axis] > 0:
                    parts[i] = part % shape[axis]
        axis += taken[i]
    return tuple(parts), masked, arrays


WIDENS = frozenset(["around", "clip", "round", "tril", "triu", "where"])  # whose bfloat16 CuPy makes float32
UNSORTED = frozenset(["argpartition", "argsort", "lexsort", "median", "nanmedian", "partition", "percentile", "quantile", "sort", "unique"])


def check_bfloat16(name: str, args: Any) -> None:
    """What CuPy 14 refuses to do with bfloat16."""
    if name not in UNSORTED and name != "einsum":
        return
    arrays = [a for a in args if isinstance(a, (np.ndarray, np.generic))]
    if any(a.dtype.name == "bfloat16" for a in arrays):
        if name in UNSORTED:
            raise NotImplementedError(f"cupy.{name}: Sorting arrays with dtype 'bfloat16' is not supported")
        if len(arrays) > 1:
            raise TypeError("cupy.einsum: data type 'E' not understood")


def _binary(function: Callable[[Any, Any], Any], swapped: bool = False) -> Callable[[StandInArray, Any], Any]:
    def operate(self: StandInArray, other: Any) -> Any:
        if not isinstance(other, (StandInArray, bool, int, float, complex, np.generic, np.ndarray)):
            return NotImplemented
        if function is operator.matmul:
            multiplies("matmul")
        if function is operator.pow and type(other) is float and self.dtype.name == "bfloat16":
            other = np.float64(other)  # as CuPy has it
        (mine, plain), narrow = wider((self._a, unwrap(other)))
        with np.errstate(all="ignore"):  # a GPU gives inf and NaN without a word
            return wrap(narrowed(function(plain, mine) if swapped else function(mine, plain), narrow))

    return recorded(operate)


def _in_place(function: Callable[[Any, Any], Any]) -> Callable[[StandInArray, Any], Any]:
    def operate(self: StandInArray, other: Any) -> StandInArray:
        (mine, plain), _ = wider((self._a, unwrap(other)))
        with np.errstate(all="ignore"):
            if mine is self._a:
                function(mine, plain)
            else:
                self._a[...] = function(mine, plain)
        return self

    return recorded(operate)


def _unary(function: Callable[[Any], Any]) -> Callable[[StandInArray], Any]:
    return recorded(lambda self: wrap(function(self._a)))


SPREADS = frozenset(["std", "var"])  # of bfloat16 they are float64
_SYNC_METHODS = {"item", "tolist", "tobytes", "nonzero", "compress"}
_LEFT_OUT = {"dump", "dumps", "tofile", "byteswap"}
COMPUTES = {"clip", "cumprod", "cumsum", "dot", "max", "mean", "min", "prod", "ptp", "std", "sum", "trace", "var"}  # methods and functions


def _method(name: str, known: set[str]) -> Callable[..., Any]:
    plain_method = getattr(np.ndarray, name)

    def call(self: StandInArray, *args: Any, **named: Any) -> Any:
        check_keywords(f"ndarray.{name}", named, known)
        if name in _SYNC_METHODS:
            synced(name)
        if name == "dot":
            multiplies(name)
        if name == "take":
            if not isinstance(args[0], StandInArray):
                uploads(np.asarray(args[0]).nbytes)
            args = (StandInArray(np.asarray(unwrap(args[0]))), *args[1:])
            named["mode"] = "wrap"
        plain = {key: unwrap(value) for key, value in named.items()}
        check_bfloat16(name, (self._a,))
        given, narrow = wider((self._a, *unwrap(args))) if name in COMPUTES | WIDENS else ((self._a, *unwrap(args)), False)
        if narrow and name in SPREADS:
            plain.setdefault("dtype", np.float64)
        with np.errstate(all="ignore"):
            result = narrowed(plain_method(*given, **plain), narrow and name not in WIDENS and plain.get("dtype") is None)
        if name in ("tolist", "item", "tobytes"):
            return result
        return named["out"] if named.get("out") is not None else wrap(result)

    call.__name__ = name
    return recorded(call)


def check_keywords(name: str, named: dict[str, Any], known: set[str]) -> None:
    """TypeError for a keyword that NumPy has and CuPy has not, and for a sort that CuPy cannot do."""
    if "**kwargs" not in known and not known.issuperset(named):
        raise TypeError(f"cupy's {name} takes no keyword {', '.join(sorted(set(named) - known))}")
    if named.get("kind") not in (None, "stable"):
        raise ValueError(f"cupy's {name} knows kind=None and kind='stable' only")


def signatures(text: str) -> dict[str, set[str]]:
    """{name: its parameters} from the frozen list."""
    return {name: set(given.split(",")) for name, given in re.findall(r"([\w.]+)\(([^)]*)\)", text)}


STATE.kind, STATE.wrap = StandInArray, StandInArray
for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and", "or", "xor", "lshift", "rshift"):
    _plain = getattr(operator, f"__{_name}__")
    setattr(StandInArray, f"__{_name}__", _binary(_plain))
    setattr(StandInArray, f"__r{_name}__", _binary(_plain, swapped=True))
    setattr(StandInArray, f"__i{_name}__", _in_place(getattr(operator, f"__i{_name}__")))
for _name, _plain in {"matmul": operator.matmul, "divmod": divmod}.items():
    setattr(StandInArray, f"__{_name}__", _binary(_plain))
    setattr(StandInArray, f"__r{_name}__", _binary(_plain, swapped=True))
for _name in ("lt", "le", "eq", "ne", "gt", "ge"):
    setattr(StandInArray, f"__{_name}__", _binary(getattr(operator, _name)))
for _name in ("neg", "pos", "abs", "invert"):
    setattr(StandInArray, f"__{_name}__", _unary(getattr(operator, _name)))
for _name, _known in signatures(METHODS).items():
    if _name not in _LEFT_OUT:
        setattr(StandInArray, _name, _method(_name, _known))
