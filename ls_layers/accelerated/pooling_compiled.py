"""Pooling, compiled: window by window, each read once, with the channels in the innermost loop. Needs Numba.

Every rank is written as a volume: x (B, D, H, W, C), windows (B, P, Q, R, C), with axes of length 1 in front.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.accelerated.compiled import jit


@jit
def reach(o: int, size: int, stride: int, before: int, length: int) -> Any:
    """From and to: what window o reads of an axis, padding left out."""
    start = o * stride - before
    return max(start, 0), min(start + size, length)


@jit
def max_forward(x: Any, y: Any, sizes: Any, strides: Any, before: Any, begin: int, end: int) -> None:
    """y of the images ``begin`` to ``end``; NaN wins."""
    _, D, H, W, C = x.shape
    _, P, Q, R, _ = y.shape
    for b in range(begin, end):
        for p in range(P):
            d0, d1 = reach(p, sizes[0], strides[0], before[0], D)
            for q in range(Q):
                h0, h1 = reach(q, sizes[1], strides[1], before[1], H)
                for r in range(R):
                    w0, w1 = reach(r, sizes[2], strides[2], before[2], W)
                    best = y[b, p, q, r]
                    best[:] = -np.inf
                    for d in range(d0, d1):
                        for h in range(h0, h1):
                            for w in range(w0, w1):
                                given = x[b, d, h, w]
                                for c in range(C):
                                    new, old = given[c], best[c]
                                    best[c] = new if new > old or new != new else old


@jit
def max_backward(dy: Any, x: Any, y: Any, dx: Any, sizes: Any, strides: Any, before: Any, begin: int, end: int) -> None:
    """dx of the images; a window's gradient goes to its first maximum in reading order, and then nothing is left of it."""
    _, D, H, W, C = x.shape
    _, P, Q, R, _ = y.shape
    left, zero = np.empty(C, dy.dtype), dy.dtype.type(0)
    for b in range(begin, end):
        dx[b] = 0
        for p in range(P):
            d0, d1 = reach(p, sizes[0], strides[0], before[0], D)
            for q in range(Q):
                h0, h1 = reach(q, sizes[1], strides[1], before[1], H)
                for r in range(R):
                    w0, w1 = reach(r, sizes[2], strides[2], before[2], W)
                    best = y[b, p, q, r]
                    left[:] = dy[b, p, q, r]
                    for d in range(d0, d1):
                        for h in range(h0, h1):
                            for w in range(w0, w1):
                                given, total = x[b, d, h, w], dx[b, d, h, w]
                                for c in range(C):
                                    rest, won = left[c], given[c] == best[c]
                                    total[c] += rest if won else zero
                                    left[c] = zero if won else rest


@jit
def average_forward(x: Any, y: Any, sizes: Any, strides: Any, before: Any, begin: int, end: int) -> None:
    """y of the images."""
    _, D, H, W, C = x.shape
    _, P, Q, R, _ = y.shape
    for b in range(begin, end):
        for p in range(P):
            d0, d1 = reach(p, sizes[0], strides[0], before[0], D)
            for q in range(Q):
                h0, h1 = reach(q, sizes[1], strides[1], before[1], H)
                for r in range(R):
                    w0, w1 = reach(r, sizes[2], strides[2], before[2], W)
                    count = y.dtype.type((d1 - d0) * (h1 - h0) * (w1 - w0))
                    total = y[b, p, q, r]
                    total[:] = 0
                    for d in range(d0, d1):
                        for h in range(h0, h1):
                            for w in range(w0, w1):
                                given = x[b, d, h, w]
                                for c in range(C):
                                    total[c] += given[c]
                    for c in range(C):
                        total[c] /= count


@jit
def average_backward(dy: Any, dx: Any, sizes: Any, strides: Any, before: Any, begin: int, end: int) -> None:
    """dx of the images."""
    _, D, H, W, C = dx.shape
    _, P, Q, R, _ = dy.shape
    share = np.empty(C, dy.dtype)
    for b in range(begin, end):
        dx[b] = 0
        for p in range(P):
            d0, d1 = reach(p, sizes[0], strides[0], before[0], D)
            for q in range(Q):
                h0, h1 = reach(q, sizes[1], strides[1], before[1], H)
                for r in range(R):
                    w0, w1 = reach(r, sizes[2], strides[2], before[2], W)
                    count = dy.dtype.type((d1 - d0) * (h1 - h0) * (w1 - w0))
                    given = dy[b, p, q, r]
                    for c in range(C):
                        share[c] = given[c] / count
                    for d in range(d0, d1):
                        for h in range(h0, h1):
                            for w in range(w0, w1):
                                total = dx[b, d, h, w]
                                for c in range(C):
                                    total[c] += share[c]


__all__ = ["average_backward", "average_forward", "max_backward", "max_forward"]
