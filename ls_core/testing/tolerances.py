"""The one table of tolerances by dtype: how far two correct ways to compute the same thing may differ.

Relative to the largest magnitude of the wanted array. Gradient checks have bounds of their own (``ls_core.gradcheck``).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import is_float, to_host
from ..types import Array

TOLERANCES = {"complex128": 1e-12, "float64": 1e-12, "float32": 1e-5, "bfloat16": 5e-2, "float16": 5e-3}


def difference(got: Array, wanted: Array) -> float:
    """The largest difference, relative to the largest magnitude in ``wanted`` (at least 1).

    >>> difference(np.array([1.0, 4.0]), np.array([1.0, 5.0]))
    0.2
    """
    a, b = to_host(got), to_host(wanted)
    if a.shape != b.shape:
        raise AssertionError(f"shape {a.shape}, wanted {b.shape}")
    if a.size == 0:
        return 0.0
    if not is_float(a):
        return float((a != b).any())
    a, b = (x.astype(np.complex128 if x.dtype.kind == "c" else np.float64) for x in (a, b))
    if not np.array_equal(np.isfinite(a), np.isfinite(b)):
        return float("inf")
    a, b = np.where(np.isfinite(a), a, 0), np.where(np.isfinite(b), b, 0)
    return float(np.abs(a - b).max() / max(1.0, np.abs(b).max()))


def assert_close(got: Any, wanted: Any, dtype: str | None = None, what: str = "arrays") -> None:
    """Raise AssertionError unless ``got`` is ``wanted`` to the table's tolerance for ``dtype`` (default: got's)."""
    kind = dtype or str(got.dtype)
    bound = TOLERANCES.get(kind, 0.0)
    error = difference(got, wanted)
    if not error <= bound:
        raise AssertionError(f"{what} differ by {error:.2e}; {kind} allows {bound:.0e}")
