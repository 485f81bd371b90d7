"""Dense, compiled: products of register tiles where they are faster than BLAS. B rows, I inputs, O outputs."""

from __future__ import annotations

import numpy as np

from ls_core.threads import run_blocks, split
from ls_core.types import Array

from ..dense import dense_backward, dense_forward
from .blocks import plain
from .dense_numpy import dense_backward_threads

NARROW = 16  # columns of the thinnest matrix that fills a tile's vectors well enough
WORK = 1 << 19  # multiplications below which a call costs more than it saves
SHARE = 1 << 22  # multiplications that a thread must have to be worth it


def fits(x: Array, W: Array, b: Array | None = None, dz: Array | None = None) -> bool:
    """Whether the product is large enough, of one type that there is compiled code for, and BLAS is the slower one."""
    work = x.size * W.shape[1]
    if work < WORK or min(W.shape) < NARROW or x.size < NARROW * W.shape[0]:
        return False
    alike = x.dtype.char in "fd" and x.dtype == W.dtype and all(each is None or each.dtype == x.dtype for each in (b, dz))
    if not alike:
        return False
    from .dense_compiled import BEATS_BLAS

    return BEATS_BLAS


@dense_forward.override("numba")
def dense_forward_compiled(x: Array, W: Array, b: Array | None) -> tuple[Array, Array]:
    if not fits(x, W, b):
        return dense_forward.reference(x, W, b)
    from .dense_compiled import forward

    x2, kernel, (I, O) = plain(x.reshape(-1, W.shape[0])), plain(W), W.shape
    B = len(x2)
    bias = np.empty(0, x.dtype) if b is None else plain(b)
    z = np.empty((B, O), x.dtype)
    if O >= B:  # each thread some columns, or else some rows: so many that what all of them read is the smaller matrix
        run_blocks(lambda left, right: forward(z, x2, kernel, bias, 0, B, left, right), split(O, max(NARROW, SHARE // (B * I))))
    else:
        run_blocks(lambda top, bottom: forward(z, x2, kernel, bias, top, bottom, 0, O), split(B, max(NARROW, SHARE // (I * O))))
    return z.reshape(*x.shape[:-1], O), x


@dense_backward.override("numba")
def dense_backward_compiled(
    dz: Array, x: Array, W: Array, has_bias: bool, input_gradient: bool
) -> tuple[Array | None, Array, Array | None]:
    if not fits(x, W, None, dz):
        return dense_backward_threads(dz, x, W, has_bias, input_gradient)
    from .dense_compiled import backward

    x2, kernel, (I, O) = plain(x.reshape(-1, W.shape[0])), plain(W), W.shape
    B = len(x2)
    dz2 = plain(dz.reshape(B, O))
    dx = np.empty((B, I) if input_gradient else (0, 0), x.dtype)
    dW, db = np.empty((I, O), x.dtype), np.empty(O if has_bias else 0, x.dtype)
    parts = len(split(min(B, O), max(NARROW, SHARE * min(B, O) // (B * I * O))))

    def part(i: int, j: int) -> None:
        backward(dx, dW, db, dz2, x2, kernel, B * i // parts, B * j // parts, O * i // parts, O * j // parts)

    run_blocks(part, split(parts))
    return dx.reshape(x.shape) if input_gradient else None, dW, db if has_bias else None


__all__ = ["dense_backward_compiled", "dense_forward_compiled"]
