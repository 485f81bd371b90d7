"""Faster overrides of the engine's own kernels for the CPU, and what compiled kernels everywhere share.

``FAMILY_numpy.py``: blocks that stay in the cache, spread over the pool of threads. ``FAMILY_numba.py``: what Numba
compiles (the extra 'fast'); it imports ``FAMILY_compiled.py``, and with it Numba, at its first call.
"""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np

from ..types import Array

COMPILES = find_spec("numba") is not None


def plain(x: Array) -> Array:
    """``x`` as compiled code takes it: contiguous and, though nothing writes to it, writeable, or it would be compiled twice."""
    return np.require(x, requirements=["C", "A", "W"])


__all__ = ["COMPILES", "plain"]
