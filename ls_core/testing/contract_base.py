"""What the checks of the contract share: their list, and how runs are compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..backend import to_host
from ..gradcheck.case import Case
from ..gradcheck.subject import is_float
from .tolerances import assert_close
from .trial import Run

Check = Callable[[Case], None]
CHECKS: dict[str, Check] = {}


def contract(check: Check) -> Check:
    """Add ``check`` to CHECKS."""
    CHECKS[check.__name__] = check
    return check


def same(got: Run, wanted: Run, dtype: str = "float64") -> None:
    """Both runs gave the same arrays, to the table's tolerance."""
    for kind, ours, theirs in (
        ("output", got.y, wanted.y),
        ("input gradient", got.dx, wanted.dx),
        ("weight gradient", got.grads, wanted.grads),
    ):
        assert len(ours) == len(theirs), f"{len(ours)} {kind}s, wanted {len(theirs)}"
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            if (a is None) != (b is None):  # a weight that nothing reached has no gradient, which stands for zeros
                present = b if a is None else a
                assert kind == "weight gradient", f"{kind} {i} is {'missing' if a is None else 'superfluous'}"
                assert not to_host(present).any(), f"{kind} {i} is there on one side only"
            elif is_float(a):
                assert_close(a, b, dtype, f"{kind} {i}")


def bits(arrays: list[Any]) -> list[bytes]:
    """The exact contents of arrays."""
    return [to_host(a).tobytes() if to_host(a).dtype.kind in "biufc" else repr(a).encode() for a in arrays]
