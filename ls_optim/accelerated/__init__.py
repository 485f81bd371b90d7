"""Faster updates for the CPU; importing this package registers them.

``updates_numpy.py``: blocks that stay in the cache, spread over the pool of threads. ``updates_numba.py``: one compiled pass
that reads and writes each number once (the extra 'fast'); Numba is imported at its first call.
"""

from __future__ import annotations

import os

from ls_core.accelerated import COMPILES

from . import updates_numpy as updates_numpy

if COMPILES and os.environ.get("LS_ACCELERATOR", "1") != "0":
    from . import updates_numba as updates_numba
