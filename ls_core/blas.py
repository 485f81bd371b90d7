"""NumPy's BLAS: how many threads it uses, and which processor its kernels are made for."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np


@functools.cache
def _openblas() -> ctypes.CDLL | None:
    """The OpenBLAS that came with NumPy; None for another BLAS."""
    folder = Path(np.__file__).parent.parent / "numpy.libs"
    for path in sorted(folder.glob("*openblas*")) if folder.is_dir() else []:
        return ctypes.CDLL(str(path))  # NumPy has loaded it: this only finds it
    return None


@functools.cache
def _function(name: str) -> Callable[..., int] | None:
    """OpenBLAS' function of this name, under the prefix and suffix that it was built with."""
    library = _openblas()
    for prefix, suffix in (("scipy_openblas_", "64_"), ("openblas_", "64_"), ("openblas_", ""), ("scipy_openblas_", "")):
        found = getattr(library, f"{prefix}{name}{suffix}", None)
        if found is not None:
            return found
    return None


def can_set_blas_threads() -> bool:
    """Whether ``blas_threads`` has an effect."""
    return _function("set_num_threads") is not None


@contextmanager
def blas_threads(count: int) -> Iterator[None]:
    """Within, matrix products use ``count`` threads (where the BLAS can be told)."""
    get, set_ = _function("get_num_threads"), _function("set_num_threads")
    previous = get() if get is not None else count
    if set_ is None or previous == count:
        yield
        return
    set_(count)
    try:
        yield
    finally:
        set_(previous)


def kernel_name() -> str:
    """The processor that OpenBLAS' kernels are made for; '' for another BLAS."""
    name = _function("get_corename")
    if name is None:
        return ""
    name.restype = ctypes.c_char_p  # type: ignore[attr-defined]
    found = name()
    return found.decode() if isinstance(found, bytes) else ""
