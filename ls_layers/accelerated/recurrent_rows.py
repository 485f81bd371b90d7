"""What the compiled SimpleRNN, LSTM and GRU have in common on the Python side.

Each thread takes its rows of the batch through all time steps. What is saved is what the references save, so that either
may follow the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ls_core.threads import run_blocks, split
from ls_core.types import Array

from .blocks import plain

ROWS = 8  # of the batch, that a thread should have: as many as a tile of the products


def fits(*arrays: Array | None) -> bool:
    """Whether all are of one type that there is compiled code for, and hold something."""
    kinds = {each.dtype for each in arrays if each is not None}
    return len(kinds) == 1 and kinds.pop().char in "fd" and all(each is None or each.size for each in arrays)


def or_zeros(b: Array | None, shape: tuple[int, ...], like: Array) -> Array:
    """A bias that may be missing."""
    return np.zeros(shape, like.dtype) if b is None else plain(b)


def or_nothing(x: Array | None, rank: int, dtype: Any) -> Array:
    """An array that may be missing; its size is then 0. Compiled code takes None for another type, and would be compiled for each."""
    return np.empty((0,) * rank, dtype) if x is None else plain(x)


def run_rows(x: Array, loop: Callable[[Array, int, int], Any]) -> Array:
    """``loop(xt, begin, end)`` for the rows of each thread; returns xt, x (B, T, I) as (T, B, I): no copy where it lies so already."""
    xt = x.transpose(1, 0, 2)
    copy = not (xt.flags.c_contiguous and xt.flags.writeable)
    if copy:
        xt = np.empty(xt.shape, xt.dtype)

    def part(begin: int, end: int) -> None:
        if copy:
            xt[:, begin:end] = x[begin:end].transpose(1, 0, 2)
        loop(xt, begin, end)

    run_blocks(part, split(len(x), ROWS))
    return xt


def run_rows_back(rows: int, like: tuple[Array, ...], loop: Callable[..., Any]) -> list[Array]:
    """``loop(*sums, begin, end)`` for the rows of each thread; ``sums`` begin as zeros ``like`` the arrays given. Returns their totals."""
    blocks = split(rows, ROWS)
    parts = {begin: [np.zeros(each.shape, each.dtype) for each in like] for begin, _ in blocks}
    run_blocks(lambda begin, end: loop(*parts[begin], begin, end), blocks)
    totals, *others = (parts[begin] for begin, _ in blocks)
    for sums in others:
        for total, each in zip(totals, sums, strict=True):
            total += each
    return totals


__all__ = ["fits", "or_nothing", "or_zeros", "run_rows", "run_rows_back"]
