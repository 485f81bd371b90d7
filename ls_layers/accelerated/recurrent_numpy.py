"""What LSTM and GRU have in common on NumPy: which thread does what, and how the arrays lie.

The loop over the time steps runs in one thread: two loops, each with rows of its own, would wait for the interpreter's lock at every
call. It holds the units first and the batch last, (U, B): then every gate is one run of numbers, over which NumPy is three times as
fast as over rows of a few hundred, and a step's product with the recurrent weights is quicker turned round, (4U, U) @ (U, B).
All other products need no loop. They are made for a chunk of steps at a time by the pool's other threads: the inputs' ahead of the
loop, the gradients' behind it, and when the loop is done its thread takes part in what is left.

B batch, T time steps, I inputs, U units, G gates times U.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from ls_core.blas import kernel_name
from ls_core.threads import Tasks
from ls_core.types import Array

from .recurrent_rows import fits as one_type

LEAST = 16  # of the batch; with fewer the reference's products, with the rows first, are as quick
CHUNK = 512 * 1024  # bytes of a chunk's gates
CHUNKS = 16  # at most
# OpenBLAS for AVX-512 makes products of up to a million multiplications from the operands where they lie; for larger ones it
# copies them first, which a few columns do not pay for.
UNCOPIED = 1_000_000 if kernel_name() in ("SkylakeX", "Cooperlake", "SapphireRapids") else 0
FEW_COLUMNS = 64


class Columns(NamedTuple):
    """What the loops save: xs (T, I, B), hs (T + 1, U, B) with hs[t] before step t, the buffers of the steps (T, rows, B)."""

    xs: Array
    hs: Array
    steps: Array


def fits(x: Array, *others: Array | None) -> bool:
    """Whether x (B, T, I) has enough rows, and all are of one type that there are fast products of, and hold something."""
    return len(x) >= LEAST and one_type(x, *others)


def chunks(steps: int, gates: Array) -> list[tuple[int, int]]:
    """(begin, end) of each chunk of time steps; ``gates`` are one step's."""
    length = max(1, CHUNK // gates.nbytes, -(-steps // CHUNKS))
    return [(begin, min(begin + length, steps)) for begin in range(0, steps, length)]


def in_pieces(W: Array, B: int) -> Array:
    """W (G, K) as (pieces, G / pieces, K), so that the product of a piece with (K, B) is uncopied; one piece where none can be."""
    rows, K = W.shape
    most = UNCOPIED // (K * B) if B <= FEW_COLUMNS else 0  # rows of a piece
    pieces = next((k for k in range(1, rows // 8 + 1) if rows % k == 0 and rows // k <= most), 1)
    return W.reshape(pieces, rows // pieces, K)


def inputs_ahead(tasks: Tasks, x: Array, xs: Array, weights: Callable[[], tuple[Array, Array | None]], gates: Array) -> Iterator[int]:
    """gates (T, G, B) = W (G, I) @ x + b, and xs (T, I, B) = x (B, T, I); gives each t when they are there. ``weights()``: W, b."""
    B = len(x)
    given: list[tuple[Array, Array | None]] = []

    def prepare() -> None:
        W, b = weights()
        given.append((in_pieces(W, B), None if b is None else np.repeat(b[:, None], B, axis=1)))  # b for whole steps: (G, B)

    def multiply(begin: int, end: int) -> None:
        ready.wait()
        W, b = given[0]
        xs[begin:end] = x[:, begin:end].transpose(1, 2, 0)
        some = gates[begin:end]  # (steps, G, B)
        np.matmul(W, xs[begin:end, None], out=some.reshape(end - begin, *W.shape[:2], B))
        if b is not None:
            some += b

    ready = tasks.add(prepare)
    pieces = chunks(len(xs), gates[0])
    waiting = [tasks.add(multiply, *piece) for piece in pieces]

    def steps() -> Iterator[int]:
        for (begin, end), task in zip(pieces, waiting, strict=True):
            task.wait()
            yield from range(begin, end)

    return steps()


def side_by_side(columns: Array) -> Array:
    """(steps, rows, B) -> (rows, steps B)."""
    return np.ascontiguousarray(columns.transpose(1, 0, 2)).reshape(columns.shape[1], -1)


class InOrder:
    """A sum of ``count`` arrays that come in any order, from several threads, and are added in one order; in the end turned."""

    def __init__(self, count: int) -> None:
        self.total: Array = None
        self._count, self._added = count, 0
        self._early: dict[int, Array] = {}
        self._lock = threading.Lock()

    def add(self, place: int, term: Array) -> None:
        """The term at ``place`` of 0 ... count - 1."""
        with self._lock:
            self._early[place] = term
            while self._added in self._early:
                next_one = self._early.pop(self._added)
                if self._added:
                    self.total += next_one
                else:
                    self.total = next_one
                self._added += 1
            if self._added == self._count:
                self.total = np.ascontiguousarray(self.total.T)


class Gradients:
    """The gradients behind the loop: of x and of the weights.

    ``of_x`` and ``of_h`` are the rows of dz that belong to the products with x and with h.
    """

    def __init__(self, tasks: Tasks, saved: Columns, W: Array, of_x: slice, of_h: slice, input_gradient: bool) -> None:
        """W (I, G)."""
        self._tasks, self._xs, self._hs, self._W, self._of_x, self._of_h = tasks, saved.xs, saved.hs, W, of_x, of_h
        (T, I, B), dtype = saved.xs.shape, saved.xs.dtype
        self._dxt = np.empty((T, B, I), dtype) if input_gradient else None
        from_the_end = chunks(T, saved.steps[0, of_x])
        self.chunks = [(T - end, T - begin) for begin, end in from_the_end]  # as the loop meets them
        self._dW, self._dU, self._db = (InOrder(len(self.chunks)) for _ in range(3))

    def add(self, place: int, dz: Array) -> None:
        """dz (steps, rows, B) of ``chunks[place]``."""
        here = slice(*self.chunks[place])
        dz = side_by_side(dz)
        self._tasks.add(self._multiply, self._dW, place, dz[self._of_x], self._xs[here])
        self._tasks.add(self._multiply, self._dU, place, dz[self._of_h], self._hs[here])
        if self._dxt is not None:
            self._tasks.add(self._to_inputs, dz[self._of_x], self._dxt[here])
        self._db.add(place, dz @ np.ones(dz.shape[1], dz.dtype))  # (rows,)

    def _multiply(self, total: InOrder, place: int, dz: Array, columns: Array) -> None:
        total.add(place, dz @ side_by_side(columns).T)  # (G, steps B) @ (steps B, I or U)

    def _to_inputs(self, dz: Array, dxt: Array) -> None:
        np.matmul(dz.T, self._W.T, out=dxt.reshape(dz.shape[1], -1))  # (steps B, G) @ (G, I)

    def results(self) -> tuple[Array | None, Array, Array, Array]:
        """When the tasks are done: dx (B, T, I), the gradients of W (I, G), of U (U, G) and of the rows of dz."""
        dx = None if self._dxt is None else self._dxt.transpose(1, 0, 2)
        return dx, self._dW.total, self._dU.total, self._db.total


__all__ = ["Columns", "Gradients", "fits", "in_pieces", "inputs_ahead"]
