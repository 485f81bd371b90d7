"""What LSTM and GRU have in common on NumPy: which thread does what, and how the arrays lie.

The loop over the time steps runs in one thread: two loops, each with rows of its own, would wait for the interpreter's lock at every
call. It holds the units first and the batch last, (U, B): then every gate is one run of numbers, over which NumPy is three times as
fast as over rows of a few hundred, and a step's product with the recurrent weights is quicker turned round, (4U, U) @ (U, B).
All other products need no loop. They are made for a chunk of steps at a time by the pool's other threads: the inputs' ahead of the
loop, the gradients' behind it.

B batch, T time steps, I inputs, U units, G gates times U.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ls_core.threads import Tasks
from ls_core.types import Array

from .recurrent_rows import fits as one_type

LEAST = 16  # of the batch; with fewer the reference's products, with the rows first, are as quick
CHUNK = 512 * 1024  # bytes of a chunk's gates
CHUNKS = 16  # at most


class Columns(NamedTuple):
    """What the loops save: xt (T, B, I), hs (T + 1, U, B) with hs[t] before step t, the buffers of the steps (T, rows, B)."""

    xt: Array
    hs: Array
    steps: Array


def fits(x: Array, *others: Array | None) -> bool:
    """Whether x (B, T, I) has enough rows, and all are of one type that there are fast products of, and hold something."""
    return len(x) >= LEAST and one_type(x, *others)


def chunks(steps: int, gates: Array) -> list[tuple[int, int]]:
    """(begin, end) of each chunk of time steps; ``gates`` are one step's."""
    length = max(1, CHUNK // gates.nbytes, -(-steps // CHUNKS))
    return [(begin, min(begin + length, steps)) for begin in range(0, steps, length)]


def inputs_ahead(tasks: Tasks, x: Array, xt: Array, W: Array, b: Array | None, gates: Array) -> Iterator[int]:
    """gates (T, G, B) = W (G, I) @ x + b, and xt (T, B, I) = x (B, T, I); gives each t when they are there."""

    def multiply(begin: int, end: int) -> None:
        xt[begin:end] = x[:, begin:end].transpose(1, 0, 2)
        some = gates[begin:end]
        np.matmul(W, xt[begin:end].transpose(0, 2, 1), out=some)  # (steps, G, B)
        if b is not None:
            some += b[:, None]

    pieces = chunks(len(xt), gates[0])
    waiting = [tasks.add(multiply, *piece) for piece in pieces]
    for (begin, end), task in zip(pieces, waiting, strict=True):
        task.wait()
        yield from range(begin, end)


class Gradients:
    """The gradients behind the loop: of x and of the weights.

    ``of_x`` and ``of_h`` are the rows of dz that belong to the products with x and with h.
    """

    def __init__(self, tasks: Tasks, saved: Columns, W: Array, of_x: slice, of_h: slice, input_gradient: bool) -> None:
        """W (G, I)."""
        self._tasks, self._xt, self._hs, self._W, self._of_x, self._of_h = tasks, saved.xt, saved.hs, W, of_x, of_h
        self._dxt = np.empty_like(saved.xt) if input_gradient else None  # (T, B, I)
        self._sums: dict[int, list[Array]] = {}

    def add(self, begin: int, dz: Array) -> None:
        """dz (steps, rows, B) of the steps from ``begin`` on, which nobody changes any more."""
        self._tasks.add(self._multiply, begin, dz)

    def _multiply(self, begin: int, dz: Array) -> None:
        steps, rows, B = dz.shape
        end = begin + steps
        dz = np.ascontiguousarray(dz.transpose(1, 0, 2)).reshape(rows, steps * B)
        hs = np.ascontiguousarray(self._hs[begin:end].transpose(1, 0, 2)).reshape(-1, steps * B)  # (U, steps B)
        of_x, of_h = dz[self._of_x], dz[self._of_h]  # (G, steps B)
        xt = self._xt[begin:end].reshape(steps * B, -1)  # (steps B, I)
        self._sums[begin] = [of_x @ xt, of_h @ hs.T, dz.sum(axis=1)]  # (G, I), (G, U), (rows,)
        if self._dxt is not None:
            np.matmul(of_x.T, self._W, out=self._dxt[begin:end].reshape(steps * B, -1))

    def results(self) -> tuple[Array | None, list[Array]]:
        """dx (B, T, I); the gradients of W (G, I), of U (G, U) and of the rows of dz, added up in the order of the steps."""
        first, *others = (self._sums[begin] for begin in sorted(self._sums))
        for sums in others:
            for total, each in zip(first, sums, strict=True):
                total += each
        return None if self._dxt is None else self._dxt.transpose(1, 0, 2), first


__all__ = ["Columns", "Gradients", "chunks", "fits", "inputs_ahead"]
