"""Freed memory stays in the process, so that the next step finds it there.

A training step frees tens of megabytes that the next one asks for again. glibc gives large blocks back to the system at once,
and then the system clears every page of them anew: a third of a step's time, measured on models of 20 ms a step and more. Peak
memory does not grow; it is the memory between two steps that does not shrink.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # numbers of glibc's mallopt
_LARGEST = 1 << 28  # bytes; larger blocks still go back at once
_KEPT = 1 << 30


@functools.cache
def keep_freed_memory() -> bool:
    """Ask the C library to keep freed blocks for the next step; False where it can't be asked, or ``LS_KEEP_MEMORY`` is 0.

    Training calls it before the first step. It holds for the whole process.
    """
    if not sys.platform.startswith("linux") or os.environ.get("LS_KEEP_MEMORY", "1") == "0":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST)) and bool(mallopt(_TRIM_THRESHOLD, _KEPT))


__all__ = ["keep_freed_memory"]
