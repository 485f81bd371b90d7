"""Rows of tables on CUDA: sums of an Embedding's gradient without a wait for the device, and a table's rows in and out.

n ids, V rows of the table, D columns (all axes but the first, joined).
"""

from __future__ import annotations

import math
from typing import Any

from ..backend import get_xp
from ..kernel import deterministic
from ..parameter import add_rows, put_rows, sum_rows, take_rows
from ..types import Array
from .launch import Source, contiguous, each_grid, team_grid
from .overrides import FLOATS, override

ROWS = Source(__file__, "rows.cu")


def as_ids(ids: Array) -> Array:
    """``ids`` as the kernels take them: int64, one axis."""
    return contiguous(get_xp(ids), ids.reshape(-1).astype("int64", copy=False))[0]


def columns(table: Array) -> int:
    """The numbers of one row."""
    return math.prod(table.shape[1:])


def gather_rows(table: Array, ids: Array, outside: float) -> Array:
    """table[ids], for ids (n,); a row of ``outside`` where there is none."""
    xp = get_xp(table)
    n, D = ids.size, columns(table)
    table, ids = contiguous(xp, table, as_ids(ids))
    y = xp.empty((n, *table.shape[1:]), dtype=table.dtype)
    ROWS.run("gather_rows", table.dtype, *team_grid(n, D), table, ids, y, n, D, table.shape[0], outside)
    return y


@override(sum_rows)
def sum_rows_cuda(ids: Array, values: Array) -> tuple[Array, Array]:
    """-> rows (n,), sums (n, ...): as many as ids came, so that nobody waits; unused ones are row -1 with values 0."""
    xp = get_xp(values)
    if values.dtype.itemsize == 2:  # added up in float32
        rows, sums = sum_rows_cuda(ids, values.astype("float32"))
        return rows, sums.astype(values.dtype)
    n, D = ids.size, columns(values)
    ids, values = contiguous(xp, as_ids(ids), values)
    size = 1 << (2 * max(n, 1)).bit_length()
    keys, first = xp.full(size, -1, dtype="int64"), xp.full(size, n, dtype="int64")
    slots, owner, rows = (xp.empty(n, dtype="int64") for _ in range(3))
    ROWS.run("enter_ids", values.dtype, *each_grid(n), ids, keys, first, slots, n, size)
    ROWS.run("find_owners", values.dtype, *each_grid(n), ids, first, slots, owner, rows, n)
    if deterministic():
        sums = xp.empty(values.shape, dtype=values.dtype)
        ROWS.run("sum_rows_ordered", values.dtype, (n,), (256,), values, owner, sums, n, D)
    else:
        sums = xp.zeros(values.shape, dtype=values.dtype)
        ROWS.run("sum_rows_atomic", values.dtype, *team_grid(n, D), values, owner, sums, n, D)
    return rows, sums


@override(take_rows)
def take_rows_cuda(table: Array, rows: Array) -> Array:
    return gather_rows(table, rows, 0.0)


def _write(kernel: Any, name: str) -> None:
    """Override ``put_rows`` or ``add_rows``; values of another type than the table's are converted, never left to the
    reference, for which a row of -1 is the last one."""

    @override(kernel, types=None)
    def write(table: Array, rows: Array, values: Array) -> None:
        if table.dtype.name not in FLOATS:  # complex numbers: their sums came from the reference, without unused places
            return kernel.reference(table, rows, values)
        n, D = rows.size, columns(table)
        whole, rows, values = contiguous(get_xp(table), table, as_ids(rows), values.astype(table.dtype, copy=False))
        ROWS.run(name, table.dtype, *team_grid(n, D), whole, rows, values, n, D, table.shape[0])
        if whole is not table:
            table[...] = whole


_write(put_rows, "put_rows")
_write(add_rows, "add_rows")
