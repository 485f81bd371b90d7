"""Convolution without columns, compiled: register tiles read the padded input where it lies. Needs Numba.

Neighbouring outputs of a row read inputs that are ``stride`` pixels apart, so a row of outputs is a product of matrices
whose left operand needs no copy: its rows overlap in memory. All taps that lie side by side in a row of the kernel are one
such product; the others are added to it. Only the padding is written out, for a few rows at a time, which stay in the cache.

Every rank is written as a volume: x (B, D, H, W, G C), z (B, P, Q, R, G F), kernels (G, K, C, F'), with axes of length 1 in
front. G groups, K taps, C channels and F filters of a group, F' is F filled up to whole panels of the products. ``sizes``,
``strides``, ``dilation`` and ``before`` (padding) have a number for each of the three axes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.accelerated.compiled import jit

from .products import multiply, width_of

BAND = 1 << 16  # numbers of padded input that are written out at once


@jit
def copy(to: Any, given: Any) -> None:
    """to[i] = given[i]."""
    for i in range(to.size):
        to[i] = given[i]


@jit
def reaches(count: int, size: int, stride: int, dilation: int) -> int:
    """How many positions ``count`` neighbouring windows read along an axis."""
    return (count - 1) * stride + (size - 1) * dilation + 1


@jit
def band_of(Q: int, R: int, channels: int, sizes: Any, strides: Any, dilation: Any) -> int:
    """How many rows of outputs have inputs that make a band."""
    row = sizes[0] * reaches(R, sizes[2], strides[2], dilation[2]) * channels
    spare = BAND // row - reaches(1, sizes[1], strides[1], dilation[1])
    return max(1, min(Q, 1 + spare // strides[1]))


@jit
def pad(x: Any, b: int, p: int, q: int, rows: int, columns: int, sizes: Any, strides: Any, dilation: Any, before: Any, padded: Any) -> None:
    """The inputs of outputs (b, p, q ..) into ``padded`` (taps of the first axis, rows, columns, G C); zeros outside x."""
    _, D, H, W, C = x.shape
    flat = x.reshape(-1)
    left = min(max(before[2], 0), columns)
    right = max(left, min(columns, W + before[2]))
    for k in range(sizes[0]):
        d = p * strides[0] + k * dilation[0] - before[0]
        for i in range(rows):
            h = q * strides[1] + i - before[1]
            row = padded[(k * rows + i) * columns * C : (k * rows + i + 1) * columns * C]
            if 0 <= d < D and 0 <= h < H:
                at = (((b * D + d) * H + h) * W + left - before[2]) * C
                row[: left * C] = 0
                copy(row[left * C : right * C], flat[at : at + (right - left) * C])
                row[right * C :] = 0
            else:
                row[:] = 0


@jit
def forward(x: Any, W: Any, bias: Any, z: Any, sizes: Any, strides: Any, dilation: Any, before: Any, begin: int, end: int) -> None:
    """Rows ``begin`` to ``end`` of the B P Q rows of z."""
    _, P, Q, R, _ = z.shape
    G, _, C, columns = W.shape
    F, width, GC = z.shape[4] // G, width_of(z), x.shape[4]
    band, line = band_of(Q, R, GC, sizes, strides, dilation), reaches(R, sizes[2], strides[2], dilation[2])
    together = sizes[2] if G == 1 and dilation[2] == 1 else 1  # taps side by side, with their channels
    padded = np.empty(sizes[0] * reaches(band, sizes[1], strides[1], dilation[1]) * line * GC, x.dtype)
    sums, kernel = np.empty(R * width, z.dtype), W.reshape(-1)
    row = begin
    while row < end:
        b, p, q = row // (P * Q), row // Q % P, row % Q
        count = min(band, Q - q, end - row)
        rows = reaches(count, sizes[1], strides[1], dilation[1])
        pad(x, b, p, q, rows, line, sizes, strides, dilation, before, padded)
        for g in range(G):
            for f in range(0, columns, width):  # a panel of the kernel stays in the cache while the rows pass
                last = min(f + width, F)
                for i in range(count):
                    b_at, first = g * sizes[0] * sizes[1] * sizes[2] * C * columns + f, True
                    for k in range(sizes[0]):
                        for j in range(sizes[1]):
                            for l in range(0, sizes[2], together):
                                h = k * rows + i * strides[1] + j * dilation[1]
                                at = (h * line + l * dilation[2]) * GC + g * C
                                length = together * C
                                multiply(sums, 0, width, padded, at, strides[2] * GC, 1, kernel, b_at, columns, R, length, first)
                                b_at += length * columns
                                first = False
                    added = bias[g * F + f : g * F + last]
                    for r in range(R):
                        made, given = z[b, p, q + i, r, g * F + f : g * F + last], sums[r * width : (r + 1) * width]
                        for c in range(made.size):
                            made[c] = given[c] + added[c]
        row += count


@jit
def kernel_gradient(x: Any, dz: Any, dW: Any, sizes: Any, strides: Any, dilation: Any, before: Any, begin: int, end: int) -> None:
    """dW (G, K, C, F') += what rows ``begin`` to ``end`` of the B P Q rows of dz give to it."""
    _, P, Q, R, _ = dz.shape
    G, _, C, columns = dW.shape
    F, width, GC = dz.shape[4] // G, width_of(dz), x.shape[4]
    band, line = band_of(Q, R, GC, sizes, strides, dilation), reaches(R, sizes[2], strides[2], dilation[2])
    together = sizes[2] if G == 1 and dilation[2] == 1 else 1
    padded = np.empty(sizes[0] * reaches(band, sizes[1], strides[1], dilation[1]) * line * GC, x.dtype)
    given, sums = np.zeros(R * columns, dz.dtype), dW.reshape(-1)
    row = begin
    while row < end:
        b, p, q = row // (P * Q), row // Q % P, row % Q
        count = min(band, Q - q, end - row)
        rows = reaches(count, sizes[1], strides[1], dilation[1])
        pad(x, b, p, q, rows, line, sizes, strides, dilation, before, padded)
        for i in range(count):
            for g in range(G):
                for r in range(R):
                    copy(given[r * columns : r * columns + F], dz[b, p, q + i, r, g * F : (g + 1) * F])
                for f in range(0, columns, width):
                    to = g * sizes[0] * sizes[1] * sizes[2] * C * columns + f
                    for k in range(sizes[0]):
                        for j in range(sizes[1]):
                            for l in range(0, sizes[2], together):
                                h = k * rows + i * strides[1] + j * dilation[1]
                                at = (h * line + l * dilation[2]) * GC + g * C
                                multiply(sums, to, columns, padded, at, 1, strides[2] * GC, given, f, columns, together * C, R, False)
                                to += together * C * columns
        row += count


@jit
def spread(x: Any, W: Any, bias: Any, z: Any, sizes: Any, strides: Any, dilation: Any, before: Any, begin: int, end: int) -> None:
    """Images ``begin`` to ``end`` of a transposed convolution: each input adds its products to a window of the output.

    x (B, D, H, W, G C), kernels (G, K, C, F'), z (B, P, Q, R, G F): z[i * stride + k * dilation - before] += x[i] W[k].
    """
    _, D, H, across, GC = x.shape
    _, P, Q, R, GF = z.shape
    G, _, C, columns = W.shape
    F, width = GF // G, width_of(z)
    deep, tall = reaches(D, sizes[0], strides[0], dilation[0]), reaches(H, sizes[1], strides[1], dilation[1])
    wide = reaches(across, sizes[2], strides[2], dilation[2])
    total = np.empty(deep * tall * wide * GF + columns, z.dtype)  # the last window's sums have columns more
    given, kernel = x.reshape(-1), W.reshape(-1)
    for b in range(begin, end):
        total[:] = 0
        for d in range(D):
            for h in range(H):
                at = ((b * D + d) * H + h) * across * GC
                for g in range(G):
                    for f in range(0, columns, width):
                        for k in range(sizes[0] * sizes[1] * sizes[2]):
                            i, j, l = k // (sizes[1] * sizes[2]), k // sizes[2] % sizes[1], k % sizes[2]
                            place = (d * strides[0] + i * dilation[0]) * tall + h * strides[1] + j * dilation[1]
                            to = (place * wide + l * dilation[2]) * GF + g * F + f
                            b_at = (g * sizes[0] * sizes[1] * sizes[2] + k) * C * columns + f
                            multiply(total, to, strides[2] * GF, given, at + g * C, GC, 1, kernel, b_at, columns, across, C, False)
        for p in range(P):
            for q in range(Q):
                for r in range(R):
                    d, h, w = p + before[0], q + before[1], r + before[2]
                    made = z[b, p, q, r]
                    copy(made, bias)
                    if 0 <= d < deep and 0 <= h < tall and 0 <= w < wide:
                        at = ((d * tall + h) * wide + w) * GF
                        given_here = total[at : at + GF]
                        for f in range(GF):
                            made[f] += given_here[f]


__all__ = ["forward", "kernel_gradient", "spread"]
