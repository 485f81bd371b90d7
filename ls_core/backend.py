"""Where arrays live: NumPy, CuPy, or another registered backend. The only file that imports cupy.

An array's own type says which namespace computes on it, so both backends work side by side in one
process::

    xp = get_xp(x)          # numpy or cupy, by type(x), about 60 ns
    y = xp.tanh(x)

The *current* backend (``use_backend``, or the environment variable ``LS_BACKEND``) only says where
new Parameters are made and where ``fit`` puts a batch.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np

from .errors import BackendError
from .types import Array, DType

FLOAT_TYPES = ("float16", "bfloat16", "float32", "float64")


@dataclass(frozen=True)
class Backend:
    """One place where arrays live.

    ``uniform(generator, shape, dtype)`` draws from [0, 1): a device backend takes one 64-bit key from
    the host's ``generator`` and counts from there, so the host's state is all the random state.
    """

    name: str
    xp: Any
    array_type: type
    to_device: Callable[[np.ndarray], Array]
    to_host: Callable[[Array], np.ndarray]
    synchronize: Callable[[], None]
    uniform: Callable[[np.random.Generator, tuple[int, ...], DType], Array]


def _numpy_uniform(generator: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> Array:
    draw = np.float64 if np.dtype(dtype) == np.float64 else np.float32
    return generator.random(shape, dtype=draw).astype(dtype, copy=False)


_NUMPY = Backend(
    name="numpy",
    xp=np,
    array_type=np.ndarray,
    to_device=lambda a: a,
    to_host=lambda a: a,
    synchronize=lambda: None,
    uniform=_numpy_uniform,
)

_backends: dict[str, Backend] = {"numpy": _NUMPY}
_by_type: dict[type, Backend] = {np.ndarray: _NUMPY}
_namespaces: dict[type, Any] = {np.ndarray: np}
_listeners: list[Callable[[Backend], None]] = []
_current = _NUMPY
_floatx = "float32"


# --- the namespace of an array -------------------------------------------------------------------


def get_xp(x: Array) -> Any:
    """The array namespace that computes on ``x``: ``numpy``, ``cupy`` or a registered stand-in.

    >>> get_xp(np.ones(3)).__name__
    'numpy'
    """
    try:
        return _namespaces[type(x)]
    except KeyError:
        return backend_of(x).xp


def backend_of(x: Array) -> Backend:
    """The backend that holds ``x``. NumPy scalars, Python numbers and lists belong to NumPy."""
    kind = type(x)
    found = _by_type.get(kind)
    if found is None:
        if isinstance(x, (np.generic, int, float, complex, bool, list, tuple)):
            found = _NUMPY
        else:
            for backend in _backends.values():
                if isinstance(x, backend.array_type):
                    found = backend
                    break
            else:
                raise TypeError(
                    f"no backend computes on {kind.__module__}.{kind.__qualname__}; "
                    f"known: {', '.join(sorted(_backends))}. Convert it with numpy.asarray first."
                )
        _by_type[kind] = found
        _namespaces[kind] = found.xp
    return found


def register_backend(backend: Backend) -> None:
    """Make another kind of array known (the stand-in device of the tests does this)."""
    _backends[backend.name] = backend
    _by_type[backend.array_type] = backend
    _namespaces[backend.array_type] = backend.xp
    for listener in _listeners:
        listener(backend)


def on_backend(listener: Callable[[Backend], None]) -> None:
    """Call ``listener`` for every backend known now and for every one that comes later."""
    _listeners.append(listener)
    for backend in list(_backends.values()):
        listener(backend)


# --- the current backend -------------------------------------------------------------------------


class _Switch:
    """What use_backend returns: usable as a context manager that switches back."""

    def __init__(self, previous: Backend, name: str) -> None:
        self._previous = previous
        self.name = name

    def __enter__(self) -> _Switch:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        global _current
        _current = self._previous

    def __repr__(self) -> str:
        return f"<backend {self.name}>"


def use_backend(name: str) -> _Switch:
    """Make ``name`` the backend of new Parameters and batches, for good or for a ``with`` block.

    Parameters
    ----------
    name : {'numpy', 'cupy', 'auto'}
        'auto' takes CuPy where a CUDA device answers, and NumPy otherwise (it says so once).

    Raises
    ------
    BackendError
        'cupy' where CuPy or a CUDA device is missing; the message says what to install.

    Examples
    --------
    >>> with use_backend('numpy'):
    ...     current_backend().name
    'numpy'
    """
    global _current
    previous = _current
    _current = find_backend(name)
    return _Switch(previous, _current.name)


def current_backend() -> Backend:
    """The backend of new Parameters and batches."""
    return _current


_auto_said = False


def find_backend(name: str) -> Backend:
    """The backend called ``name``; 'cpu' is NumPy, 'gpu' and 'cuda' are CuPy."""
    global _auto_said
    name = {"cpu": "numpy", "gpu": "cupy", "cuda": "cupy"}.get(name, name)
    if name == "auto":
        try:
            return find_backend("cupy")
        except BackendError as problem:
            if not _auto_said:
                _auto_said = True
                warnings.warn(f"backend 'auto' computes with NumPy: {problem}", stacklevel=3)
            return _NUMPY
    if name == "cupy" and name not in _backends:
        register_backend(_load_cupy())
    if name == "standin" and name not in _backends:
        importlib.import_module("ls_core.testing.standin")  # which makes it known
    if name not in _backends:
        raise BackendError(f"there is no backend {name!r}; choose 'numpy', 'cupy' or 'auto'")
    return _backends[name]


def _load_cupy() -> Backend:
    try:
        import cupy
    except ImportError as problem:
        raise BackendError(
            "CuPy is not installed (no module named 'cupy'). Install it for your CUDA version: "
            "pip install 'ls-engine[cuda12]' or 'ls-engine[cuda13]'"
        ) from problem
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as problem:
        raise BackendError(
            f"CuPy {cupy.__version__} is installed, but no CUDA device answers ({problem}). "
            "Check the driver with nvidia-smi, or use the NumPy backend."
        ) from problem
    if count < 1:
        raise BackendError("CuPy is installed, but this machine has no CUDA device; use the NumPy backend.")
    # One draw is one kernel: SplitMix64 of (key + index) gives 53 or 24 random bits per element.
    mix = """
        unsigned long long z = key + (unsigned long long)(i + 1) * 0x9E3779B97F4A7C15ULL;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
        z = z ^ (z >> 31);
    """
    single = cupy.ElementwiseKernel("uint64 key", "float32 u", mix + "u = (z >> 40) * 5.9604644775390625e-8f;", "ls_uniform32")
    double = cupy.ElementwiseKernel("uint64 key", "float64 u", mix + "u = (z >> 11) * 1.1102230246251565e-16;", "ls_uniform64")

    def uniform(generator: np.random.Generator, shape: tuple[int, ...], dtype: DType) -> Array:
        key = generator.integers(0, 2**64, dtype=np.uint64)
        wide = np.dtype(dtype) == np.float64
        out = cupy.empty(shape, np.float64 if wide else np.float32)
        (double if wide else single)(key, out)
        return out.astype(dtype, copy=False)

    return Backend(
        name="cupy",
        xp=cupy,
        array_type=cupy.ndarray,
        to_device=cupy.asarray,
        to_host=cupy.asnumpy,
        synchronize=lambda: cupy.cuda.get_current_stream().synchronize(),
        uniform=uniform,
    )


# --- moving and making arrays --------------------------------------------------------------------


def to_host(x: Array) -> np.ndarray:
    """``x`` as a NumPy array; a copy from a device, ``x`` itself where it is one already."""
    return np.asarray(backend_of(x).to_host(x))


def to_device(x: Any, backend: Backend | str | None = None, dtype: DType = None) -> Array:
    """``x`` as an array of ``backend`` (default: the current one), of ``dtype`` if one is given."""
    target = _current if backend is None else find_backend(backend) if isinstance(backend, str) else backend
    if isinstance(x, target.array_type):
        return x if dtype is None else x.astype(dtype, copy=False)  # type: ignore[attr-defined]
    host = np.asarray(to_host(x), dtype=dtype)
    return target.to_device(host)


_constants: dict[Any, Array] = {}


def constant(value: np.ndarray, like: Array) -> Array:
    """``value``, which nobody writes to, on the backend of ``like``: moved there once, so that no step copies from the host.

    >>> constant(np.ones(2), np.zeros(3))
    array([1., 1.])
    """
    backend = backend_of(like)
    if backend.name == "numpy":
        return value
    key = backend.name, getattr(getattr(like, "device", None), "id", 0), value.dtype.name, value.shape, value.tobytes()
    found = _constants.get(key)
    if found is None:
        found = backend.to_device(value)
        if len(_constants) < 1024:  # none is ever thrown out: a captured step reads it where it lies
            _constants[key] = found
    return found


def synchronize() -> None:
    """Wait until the current backend has finished all that it was given."""
    _current.synchronize()


def is_array(x: Any) -> bool:
    """Whether ``x`` is an array of a known backend.

    >>> is_array(np.ones(2)), is_array([1, 2])
    (True, False)
    """
    return (type(x) in _namespaces and hasattr(x, "dtype")) or any(isinstance(x, b.array_type) for b in _backends.values())


# --- the float type of new Parameters ------------------------------------------------------------


def floatx() -> str:
    """The float type of new Parameters: 'float32' unless ``set_floatx`` said otherwise."""
    return _floatx


def set_floatx(dtype: str) -> None:
    """Set the float type of new Parameters and of the data that ``fit`` converts.

    >>> set_floatx('float32')
    """
    global _floatx
    name = dtype if dtype == "bfloat16" else np.dtype(dtype).name
    if name not in FLOAT_TYPES:
        raise ValueError(f"floatx must be one of {', '.join(FLOAT_TYPES)}, not {dtype!r}")
    _floatx = name


@contextlib.contextmanager
def floatx_scope(dtype: str) -> Iterator[None]:
    """``set_floatx`` for a ``with`` block.

    >>> with floatx_scope('float64'):
    ...     floatx()
    'float64'
    """
    previous = _floatx
    set_floatx(dtype)
    try:
        yield
    finally:
        set_floatx(previous)


def is_float(x: Array) -> bool:
    """Whether the array holds floats or complex numbers; bfloat16 too, whose kind NumPy calls 'V'.

    >>> is_float(np.ones(2)), is_float(np.arange(2))
    (True, False)
    """
    return x.dtype.kind in "fc" or x.dtype.name == "bfloat16"


def as_float(x: Array) -> Array:
    """``x`` itself where it holds floats (or complex numbers), else as ``floatx()``."""
    return x if is_float(x) else x.astype(_floatx)


if os.environ.get("LS_BACKEND"):
    use_backend(os.environ["LS_BACKEND"])
