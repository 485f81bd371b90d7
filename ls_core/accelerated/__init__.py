"""Faster overrides of the engine's own kernels for the CPU, and what compiled kernels everywhere share.

``FAMILY_numpy.py``: blocks that stay in the cache, spread over the pool of threads. ``FAMILY_numba.py``: what Numba
compiles (the extra 'fast'); it imports ``FAMILY_compiled.py``, and with it Numba, at its first call.
"""

from __future__ import annotations

from importlib.util import find_spec

COMPILES = find_spec("numba") is not None

__all__ = ["COMPILES"]
