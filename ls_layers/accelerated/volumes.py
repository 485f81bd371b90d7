"""Arrays and geometry of one, two or three spatial axes as those of three, which compiled kernels are written for."""

from __future__ import annotations

import math

from ls_core.threads import split
from ls_core.types import Array

from ..windows import Ints, Pads
from .blocks import LEAST, plain


def floats(least: int, *arrays: Array) -> bool:
    """Whether these are all float32 or all float64, and one of them has ``least`` numbers."""
    kind = arrays[0].dtype
    return kind.char in "fd" and all(a.dtype == kind for a in arrays) and max(a.size for a in arrays) >= least


def volume(x: Array) -> Array:
    """(B, I.., C) as (B, D, H, W, C), as compiled code takes it."""
    return plain(x).reshape(x.shape[0], *(1,) * (5 - x.ndim), *x.shape[1:])


def along(values: Ints, other: int = 1) -> Ints:
    """A number for each of three axes; ``other`` along those that are not there."""
    return (*(other,) * (3 - len(values)), *map(int, values))


def ahead(pads: Pads) -> Ints:
    """The padding before each of three axes."""
    return along(tuple(pad[0] for pad in pads), 0)


def images(x: Array) -> list[tuple[int, int]]:
    """The batch's parts for the threads, none too small to be worth one."""
    return split(x.shape[0], math.ceil(LEAST / max(math.prod(x.shape[1:]), 1)))


__all__ = ["ahead", "along", "floats", "images", "volume"]
