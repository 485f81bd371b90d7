"""Depthwise convolution, compiled: window by window, with the channels in the innermost loop. Needs Numba.

Every rank is written as a volume: x (B, D, H, W, C), z and dz (B, P, Q, R, C), W (K, C), with axes of length 1 in front;
K taps of the three axes in reading order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.accelerated.compiled import jit


@jit
def taps(o: int, size: int, stride: int, dilation: int, before: int, length: int) -> Any:
    """The input position of window o's first tap; and from and to: those of its taps that are in the input."""
    start = o * stride - before
    first = max(0, (dilation - 1 - start) // dilation)
    last = min(size, (length - 1 - start) // dilation + 1)
    return start, first, max(first, last)


@jit
def forward(x: Any, W: Any, bias: Any, z: Any, sizes: Any, strides: Any, dilation: Any, before: Any, begin: int, end: int) -> None:
    """z of the images ``begin`` to ``end``."""
    _, D, H, across, C = x.shape
    _, P, Q, R, _ = z.shape
    for b in range(begin, end):
        for p in range(P):
            d, i0, i1 = taps(p, sizes[0], strides[0], dilation[0], before[0], D)
            for q in range(Q):
                h, j0, j1 = taps(q, sizes[1], strides[1], dilation[1], before[1], H)
                for r in range(R):
                    w, l0, l1 = taps(r, sizes[2], strides[2], dilation[2], before[2], across)
                    total = z[b, p, q, r]
                    for c in range(C):
                        total[c] = bias[c]
                    for i in range(i0, i1):
                        for j in range(j0, j1):
                            for l in range(l0, l1):
                                given = x[b, d + i * dilation[0], h + j * dilation[1], w + l * dilation[2]]
                                weight = W[(i * sizes[1] + j) * sizes[2] + l]
                                for c in range(C):
                                    total[c] += given[c] * weight[c]


@jit
def backward(
    dz: Any, x: Any, W: Any, dx: Any, dW: Any, wanted: bool, sizes: Any, strides: Any, dilation: Any, before: Any, begin: int, end: int
) -> None:
    """dx of the images ``begin`` to ``end`` (where ``wanted``), and dW (K, C) in float64 += what they give to it."""
    _, D, H, across, C = x.shape
    _, P, Q, R, _ = dz.shape
    of_row = np.empty(W.shape, W.dtype)  # the sums of one row of windows: short, so that few digits are lost
    for b in range(begin, end):
        if wanted:
            dx[b] = 0
        for p in range(P):
            d, i0, i1 = taps(p, sizes[0], strides[0], dilation[0], before[0], D)
            for q in range(Q):
                h, j0, j1 = taps(q, sizes[1], strides[1], dilation[1], before[1], H)
                of_row[:] = 0
                for r in range(R):
                    w, l0, l1 = taps(r, sizes[2], strides[2], dilation[2], before[2], across)
                    g = dz[b, p, q, r]
                    for i in range(i0, i1):
                        for j in range(j0, j1):
                            for l in range(l0, l1):
                                k = (i * sizes[1] + j) * sizes[2] + l
                                place = d + i * dilation[0], h + j * dilation[1], w + l * dilation[2]
                                given, total = x[b, place[0], place[1], place[2]], of_row[k]
                                for c in range(C):
                                    total[c] += g[c] * given[c]
                                if wanted:
                                    to, weight = dx[b, place[0], place[1], place[2]], W[k]
                                    for c in range(C):
                                        to[c] += g[c] * weight[c]
                dW += of_row


__all__ = ["backward", "forward"]
