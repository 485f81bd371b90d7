"""The products of Dense. Needs Numba. B rows, I inputs, O outputs."""

from __future__ import annotations

from typing import Any

from ls_core.accelerated.compiled import jit, jit_apart
from ls_core.blas import kernel_name

from .products import product
from .tiles import VECTOR_BYTES

# Where BLAS was made for narrower vectors than the processor has (an older BLAS, another maker's processor, OPENBLAS_CORETYPE),
# the tiles are twice as fast; else the two run level, and BLAS has seen more processors.
BEATS_BLAS = VECTOR_BYTES == 64 and kernel_name().lower() in ("haswell", "zen", "sandybridge", "nehalem", "prescott")


@jit
def forward(z: Any, x: Any, W: Any, b: Any, top: int, bottom: int, left: int, right: int) -> None:
    """z[top:bottom, left:right] of z (B, O) = x @ W + b; b may have size 0."""
    product(z, x, False, W, False, top, bottom, left, right, 0, x.shape[1], False)
    for i in range(top, bottom if b.size else top):
        add(z[i, left:right], b[left:right])


@jit_apart
def add(total: Any, x: Any) -> None:
    """total += x."""
    for j in range(total.size):
        total[j] += x[j]


@jit
def backward(dx: Any, dW: Any, db: Any, dz: Any, x: Any, W: Any, top: int, bottom: int, left: int, right: int) -> None:
    """Rows ``top`` to ``bottom`` of dx = dz @ W^T and columns ``left`` to ``right`` of dW = x^T @ dz and db = sum dz.

    dx and db may have size 0.
    """
    product(dW, x, True, dz, False, 0, dW.shape[0], left, right, 0, dz.shape[0], False)
    if db.size:
        db[left:right] = 0
        for i in range(dz.shape[0]):
            add(db[left:right], dz[i, left:right])
    if dx.size:
        product(dx, dz, False, W, True, top, bottom, 0, dx.shape[1], 0, dz.shape[1], False)


__all__ = ["BEATS_BLAS", "backward", "forward"]
