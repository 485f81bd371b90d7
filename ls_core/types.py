"""Names for types that the whole library shares."""

from __future__ import annotations

from typing import Any, TypeAlias

Array: TypeAlias = Any  # numpy.ndarray, cupy.ndarray or another registered backend's array
Shape: TypeAlias = "tuple[int | None, ...]"  # None stands for an axis that is known with the data
DType: TypeAlias = Any  # anything that numpy.dtype() takes
