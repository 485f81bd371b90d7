"""What a measurement gives: a Figure, or a Refused that says why there is none; and how results are compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ls_core.backend import backend_of, is_array, to_host
from ls_core.gradcheck.subject import leaves
from ls_core.testing.tolerances import TOLERANCES

from .roofline import Work


class Refused(RuntimeError):
    """Why a figure is not reported."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


@dataclass
class Figure:
    """What was measured, seconds for one call. ``device`` is None where the host itself computes."""

    name: str
    median: float
    p10: float
    p90: float
    cpu: float  # processor time of all threads of this process
    launch: float  # until the call returned, its work perhaps still running
    device: float | None
    first: float  # the very first call, compilation included
    samples: int
    calls: int  # per sample
    work: Work | None
    share: float | None  # of the roofline: the least time that the machine needs, over the median
    bound: str | None  # by what: 'compute' or 'memory'
    labels: dict[str, Any]

    @property
    def gflops(self) -> float | None:
        """Billions of operations a second; None where they were not counted."""
        return self.work.flops / self.median * 1e-9 if self.work and self.work.flops else None

    @property
    def gbytes(self) -> float | None:
        """Billions of bytes a second that must at least have moved."""
        return self.work.nbytes / self.median * 1e-9 if self.work and self.work.nbytes else None

    def as_json(self) -> dict[str, Any]:
        """For a file: milliseconds, rates, labels."""
        ms = {f"{k}_ms": None if v is None else v * 1e3 for k, v in self._times().items()}
        counted = {} if self.work is None else {"flops": self.work.flops, "bytes": self.work.nbytes}
        rates = {"gflops": self.gflops, "gbytes": self.gbytes, "share": self.share, "bound": self.bound}
        return {"name": self.name, **self.labels, **ms, "samples": self.samples, "calls": self.calls, **counted, **rates}

    def _times(self) -> dict[str, float | None]:
        names = ("median", "p10", "p90", "cpu", "launch", "device", "first")
        return {name: getattr(self, name) for name in names}


def host_arrays(result: Any) -> list[np.ndarray]:
    """The arrays in what a kernel returned, as NumPy arrays, NumPy's scalars among them; waits for them."""
    return [np.asarray(to_host(leaf)) for leaf in leaves(result) if isinstance(leaf, np.generic) or is_array(leaf)]


def arrival(result: Any) -> Any:
    """The smallest array of a result, as a NumPy array; waits for it."""
    found = [leaf for leaf in leaves(result) if is_array(leaf)]
    return to_host(min(found, key=lambda leaf: leaf.nbytes)) if found else None


def difference(got: np.ndarray, wanted: np.ndarray) -> float:
    """The largest difference, relative to the largest magnitude in ``wanted``.

    >>> difference(np.array([0.1, 0.4]), np.array([0.1, 0.5]))
    0.19999999999999996
    """
    if got.shape != wanted.shape:
        return float("inf")
    if got.dtype.kind not in "fc":
        return float(bool((got != wanted).any()))
    a, b = got.astype(np.float64), wanted.astype(np.float64)
    if not np.isfinite(a).all():
        return 0.0 if np.array_equal(a, b, equal_nan=True) else float("inf")
    return float(np.abs(a - b).max(initial=0.0) / max(np.abs(b).max(initial=0.0), 1e-30))


def unfinished(result: Any) -> str | None:
    """What is wrong with a result that holds arrays of a kind that may compute when somebody reads them."""
    arrays = [leaf for leaf in leaves(result) if not isinstance(leaf, np.generic) and (isinstance(leaf, np.ndarray) or is_array(leaf))]
    kinds = [type(leaf) for leaf in arrays if type(leaf) is not backend_of(leaf).array_type]
    return f"a {kinds[0].__name__} came, which may compute when it is read, and no plain array" if kinds else None


def matches(
    expected: Sequence[np.ndarray], results: Callable[[Any], list[np.ndarray]] = host_arrays, dtypes: Sequence[str] | None = None
) -> Callable[[Any], str | None]:
    """A ``verify`` that compares with ``expected`` under the table of tolerances.

    ``dtypes``: what the results must have; those of ``expected``, unless it is more exact than they can be.
    """
    wanted = [a.dtype.name for a in expected] if dtypes is None else list(dtypes)

    def verify(result: Any) -> str | None:
        lazy = unfinished(result)
        if lazy:
            return lazy
        got = results(result)
        if len(got) != len(expected):
            return f"{len(got)} arrays came, the reference gives {len(expected)}"
        for i, (a, b) in enumerate(zip(got, expected, strict=True)):
            error, bound = difference(a, b), TOLERANCES.get(wanted[i], 0.0)
            if a.dtype != wanted[i]:
                return f"array {i} is {a.dtype}, the reference gives {wanted[i]}"
            if not error <= bound:
                return f"array {i} differs from the reference by {error:.1e}; {a.dtype} allows {bound:.0e}"
        return None

    return verify
