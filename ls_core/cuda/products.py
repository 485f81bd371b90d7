"""matmul on CUDA: what cuBLAS is asked for.

NumPy's order of memory is rows first, cuBLAS' columns first: to cuBLAS an array (R, C) is its own transpose (C, R). So C = A B is
asked for as C^T = B^T A^T, and no array is turned. A transposed view is the other way round again (TURNED); a copy is
made only where the numbers of neither a row nor a column lie one after the other.

M rows of the product, N columns, K the axis that is summed over; "leading axes" are those of a batch. For cuBLAS a matrix has a
leading dimension, the step from one of its columns to the next, and a batch one step for each of its arrays, 0 where it is broadcast.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import get_xp
from ..products import matmul
from ..types import Array
from .cublas import ACCESS, LARGEST, PLAIN, TURNED, Access, Kind, Matrix, gemm, kind_of
from .overrides import override


def layout(x: Array) -> tuple[int, int] | None:
    """(operation, leading dimension) that give cuBLAS the last two axes, transposed; None where there are none.

    >>> layout(np.ones((2, 3))), layout(np.ones((2, 3)).T), layout(np.ones((4, 6))[::2, ::2])
    ((0, 3), (1, 3), None)
    """
    (rows, columns), item = x.shape[-2:], x.itemsize
    down, right = x.strides[-2:]
    if down % item or right % item:
        return None
    down, right = down // item, right // item
    if right == 1 or columns == 1:
        if rows == 1:
            return PLAIN, columns
        if down >= columns:
            return PLAIN, down
    if down == 1 or rows == 1:
        if columns == 1:
            return TURNED, rows
        if right >= rows:
            return TURNED, right
    return None


def steps(x: Array, lead: tuple[int, ...]) -> list[int] | None:
    """The steps of ``x`` along the leading axes of sizes ``lead``, in numbers; 0 where it is broadcast, None where cuBLAS can't have one.

    >>> steps(np.ones((4, 1, 2, 3)), (4, 5)), steps(np.ones((5, 2, 3)), (4, 5))
    ([6, 0], [0, 6])
    """
    own = x.shape[:-2]
    found = [0] * (len(lead) - len(own))
    if not own:
        return found
    for size, step in zip(own, x.strides, strict=False):
        if size == 1:
            step = 0
        elif step < 0 or step % x.itemsize:
            return None
        found.append(step // x.itemsize)
    return found


def joined(lead: tuple[int, ...], *all_steps: list[int]) -> list[tuple[int, ...]]:
    """The leading axes as few ones, each (size, the step of every array): neighbours become one where every array lies so.

    >>> joined((4, 5), [30, 6], [0, 0]), joined((4, 5), [30, 6], [0, 2])
    ([(20, 6, 0)], [(4, 30, 0), (5, 6, 2)])
    """
    axes: list[tuple[int, ...]] = []
    for size, *along in zip(lead, *all_steps, strict=True):
        if size == 1:
            continue
        if axes and all(outer == inner * size for outer, inner in zip(axes[-1][1:], along, strict=True)):
            axes[-1] = (axes[-1][0] * size, *along)
        else:
            axes.append((size, *along))
    return axes


@override(matmul, types=None)
def matmul_cublas(a: Array, b: Array, out: Array | None = None) -> Array:
    if type(b) is type(a) and b.dtype != a.dtype and kind_of(a.dtype) and kind_of(b.dtype):  # such as a float32 state and bfloat16 weights
        dtype = np.result_type(a.dtype, b.dtype)
        a, b = a.astype(dtype, copy=False), b.astype(dtype, copy=False)
    access, kind = ACCESS[type(a)], kind_of(a.dtype)
    shape = _shape(a, b, out) if kind is not None and type(b) is type(a) and b.dtype == a.dtype else None
    if kind is None or shape is None:
        return matmul.reference(a, b, out)
    xp = get_xp(a)
    if a.ndim == 1 or b.ndim == 1:
        rows, columns = (a if a.ndim > 1 else a[None, :]), (b if b.ndim > 1 else b[:, None])
        y = matmul_cublas(rows, columns).reshape(shape)
        if out is None:
            return y
        out[...] = y
        return out
    c = xp.empty(shape, dtype=a.dtype) if out is None else out
    if c.size:
        if a.shape[-1]:
            _product(access, xp, kind, a, b, c)
        else:
            c.fill(0)
    return c


def _shape(a: Array, b: Array, out: Array | None) -> tuple[int, ...] | None:
    """The product's shape; None where there is none, or ``out`` is another one: the reference knows what to say."""
    if a.ndim == b.ndim == 2:
        found: tuple[int, ...] = (a.shape[0], b.shape[1])
    elif a.ndim and b.ndim:
        try:
            lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        except ValueError:
            return None
        found = (*lead, *a.shape[:-1][-1:], *(b.shape[-1:] if b.ndim > 1 else ()))
    else:
        return None
    if a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        return None
    return found if out is None or (type(out) is type(a) and out.dtype == a.dtype and out.shape == found) else None


def _product(access: Access, xp: Any, kind: Kind, a: Array, b: Array, c: Array) -> None:
    """c = a @ b, no size 0."""
    lead = c.shape[:-2]
    of_c, along_c = layout(c), steps(c, lead)
    if of_c is None or along_c is None:
        whole = xp.empty(c.shape, dtype=c.dtype)
        _product(access, xp, kind, a, b, whole)
        c[...] = whole
        return
    if of_c[0] == TURNED:  # c^T = b^T a^T
        _product(access, xp, kind, b.swapaxes(-1, -2), a.swapaxes(-1, -2), c.swapaxes(-1, -2))
        return
    (a, of_a, along_a), (b, of_b, along_b) = _ready(xp, a, lead), _ready(xp, b, lead)
    axes = joined(lead, along_a, along_b, along_c)
    if len(axes) > 1:  # the axes of an array lie apart, such as batch and heads of a (B, T, H, D) seen as (B, H, T, D)
        (a, of_a, along_a), (b, of_b, along_b) = _ready(xp, a, lead, together=True), _ready(xp, b, lead, together=True)
        axes = joined(lead, along_a, along_b, along_c)
    (op_a, ld_a), (op_b, ld_b), ld_c = of_a, of_b, of_c[1]
    (M, K), N = a.shape[-2:], b.shape[-1]
    while axes and op_a == PLAIN and _rows_go_on(axes[-1], M, K, N, ld_a, ld_c):
        size, step_a, _, step_c = axes.pop()
        if M == 1:
            ld_a, ld_c = step_a, step_c
        M *= size
    if len(axes) > 1:  # each array is broadcast along another axis, or those of c lie apart
        axis = min((i for i, size in enumerate(lead) if size > 1), key=lambda i: lead[i])
        for i in range(lead[axis]):
            _product(access, xp, kind, *(_at(x, axis - len(lead), i) for x in (a, b, c)))
        return
    count, step_a, step_b, step_c = axes[0] if axes else (0, 0, 0, 0)
    if max(M, N, K, ld_a, ld_b, ld_c, count) > LARGEST:
        c[...] = matmul.reference(a, b)
        return
    first, second = Matrix(b, op_b, ld_b, step_b), Matrix(a, op_a, ld_a, step_a)
    gemm(access, kind, N, M, K, first, second, Matrix(c, PLAIN, ld_c, step_c), count)


def _ready(xp: Any, x: Array, lead: tuple[int, ...], together: bool = False) -> tuple[Array, tuple[int, int], list[int]]:
    """``x``, its layout and its steps; copied where cuBLAS can't read it as it lies, or (``together``) its leading axes lie apart."""
    of_x, along = layout(x), steps(x, lead)
    own = x.shape[:-2]
    if of_x is None or along is None or (together and len(joined(own, along[len(lead) - len(own) :])) > 1):
        x = xp.ascontiguousarray(x)
        of_x, along = layout(x), steps(x, lead)
    return x, of_x, along  # type: ignore[return-value]


def _rows_go_on(axis: tuple[int, ...], M: int, K: int, N: int, ld_a: int, ld_c: int) -> bool:
    """Whether a batch's rows follow one another in a and c, all times the same b: then it is one product with more rows."""
    _, step_a, step_b, step_c = axis
    return step_b == 0 and ((step_a >= K and step_c >= N) if M == 1 else (step_a == M * ld_a and step_c == M * ld_c))


def _at(x: Array, axis: int, i: int) -> Array:
    """``x[i]`` along a leading axis (counted from the matrices back), or ``x`` where it is broadcast along it."""
    place = x.ndim - 2 + axis
    if place < 0:
        return x
    return x[(slice(None),) * place + (i if x.shape[place] > 1 else 0,)]
