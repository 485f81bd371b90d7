"""cuBLAS on the stand-in device: the calls that ``ls_core.cuda.cublas`` makes, answered by plain loops. No GPU is needed.

The same Python asks for the same products with the same operations, leading dimensions and steps; what would be wrong on a GPU shows:

- what cuBLAS refuses is refused: a leading dimension shorter than a column, types that don't go together, a handle that was not made;
- each array is copied between guards, together with the gaps of a strided one. Where cuBLAS only reads, gaps and guards hold NaN, which
  spoils the result; where it writes to them it is an error;
- a product that shares memory with its factors is an error, as is a handle without a workspace.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

from ..cuda.cublas import bind, set_access
from .cuda_emulator import GUARD, MARK, NAN, EmulatorError, built
from .standin_array import StandInArray
from .standin_graph import CUDA, recorded

HEADER = Path(__file__).with_name("cublas_emulator.h")
calls: list[str] = []  # the functions that multiplied, for the tests that count them


class Emulated:
    """Access to the arrays of the stand-in device."""

    @functools.cached_property
    def _library(self) -> Any:
        return bind(ctypes.CDLL(str(built("cublas", HEADER.read_text(encoding="utf-8"), "-O2"))))

    def library(self) -> Any:
        return self._library

    def place(self) -> tuple[int, int]:
        return 0, CUDA.get_current_stream().ptr

    def capturing(self) -> bool:
        return CUDA.get_current_stream().is_capturing()

    def workspace(self) -> tuple[Any, int, int]:
        memory = np.zeros(1024, np.uint8)
        return memory, -(-memory.ctypes.data // 256) * 256, 512

    def run(self, call: Callable[..., int], a: Any, b: Any, c: Any) -> int:
        status: list[int] = []
        _run(call, a, b, c, status)
        return status[0]


@recorded
def _run(call: Callable[..., int], a: StandInArray, b: StandInArray, c: StandInArray, status: list[int]) -> None:
    if np.shares_memory(c._a, a._a) or np.shares_memory(c._a, b._a):
        raise EmulatorError(f"a product of shape {c.shape} is written where its factors lie")
    given_a, given_b = (_guarded(x._a, NAN)[0] for x in (a, b))
    made, its_bytes, memory = _guarded(c._a, MARK)
    given_a[...], given_b[...] = a._a, b._a
    calls.append(call.__name__)
    status.append(call(given_a.ctypes.data, given_b.ctypes.data, made.ctypes.data))
    c._a[...] = made
    its_bytes[...] = MARK
    if (memory != MARK).any():
        raise EmulatorError(f"cuBLAS writes outside an array of shape {c.shape}, strides {c.strides}")


def _guarded(x: np.ndarray, fill: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An array that lies as ``x`` does, gaps and all, its bytes, and the memory around it; all hold ``fill``."""
    low, high = byte_bounds(x)
    memory = np.full(high - low + 2 * GUARD, fill, np.uint8)
    begin = GUARD + x.ctypes.data - low
    like: np.ndarray = np.ndarray(x.shape, x.dtype, memory, begin, x.strides)
    return like, np.ndarray((*x.shape, x.itemsize), np.uint8, memory, begin, (*x.strides, 1)), memory


EMULATED = Emulated()
set_access(StandInArray, EMULATED)

__all__ = ["EMULATED", "calls"]
