"""relu, compiled: one pass. Needs Numba."""

from __future__ import annotations

from typing import Any

from ls_core.accelerated.compiled import jit


@jit
def forward(x: Any, y: Any) -> None:
    """y = max(x, 0), NaN where x is NaN."""
    zero = x.dtype.type(0)
    for i in range(x.size):
        given = x[i]
        y[i] = zero if given < zero else given


@jit
def backward(dy: Any, y: Any, dx: Any) -> None:
    """dx = dy where y > 0, else 0."""
    zero = dy.dtype.type(0)
    for i in range(dy.size):
        given = dy[i]
        dx[i] = given if y[i] > zero else zero


__all__ = ["backward", "forward"]
