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


def run_rows_back(rows: int, db: Array, loop: Callable[[Array, int, int], Any]) -> None:
    """``loop(db_part, begin, end)`` for the rows of each thread; db becomes the sum of the parts."""
    blocks = split(rows, ROWS)
    parts = {begin: np.zeros_like(db) for begin, _ in blocks}
    run_blocks(lambda begin, end: loop(parts[begin], begin, end), blocks)
    db[...] = sum(parts[begin] for begin, _ in blocks)


def weight_gradients(*triples: tuple[Array, Array, Array]) -> None:
    """For each (dW, a, dz): dW (K, N) = a^T dz, where a (T, B, K) and dz (T, B, N); each thread some columns of each."""
    from .products import product

    flat = [(dW, a.reshape(-1, a.shape[2]), dz.reshape(-1, dz.shape[2])) for dW, a, dz in triples]

    def part(left: int, right: int) -> None:
        for dW, a, dz in flat:
            product(dW, a, True, dz, False, 0, a.shape[1], left, right, 0, a.shape[0], False)

    run_blocks(part, split(triples[0][0].shape[1], 64))


__all__ = ["fits", "or_nothing", "or_zeros", "plain", "run_rows", "run_rows_back", "weight_gradients"]
