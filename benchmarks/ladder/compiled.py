"""The fused rungs, compiled by Numba: each function does its rows ``begin`` to ``end``, so that threads can share them out."""

from __future__ import annotations

import math
from typing import Any

from ls_core.accelerated.compiled import exp, jit_apart, jit_sums


@jit_sums
def softmax_rows(x: Any, y: Any, begin: int, end: int) -> None:
    C = x.shape[1]
    for i in range(begin, end):
        largest = x[i, 0]
        for j in range(C):
            largest = max(largest, x[i, j])
        total = x.dtype.type(0)
        for j in range(C):
            y[i, j] = exp(x[i, j] - largest)
            total += y[i, j]
        scale = x.dtype.type(1) / total
        for j in range(C):
            y[i, j] *= scale


@jit_sums
def normalise_rows(x: Any, gamma: Any, beta: Any, epsilon: float, y: Any, begin: int, end: int) -> None:
    N = x.shape[1]
    for i in range(begin, end):
        mean = x.dtype.type(0)
        for j in range(N):
            mean += x[i, j]
        mean /= x.dtype.type(N)
        variance = x.dtype.type(0)
        for j in range(N):
            centred = x[i, j] - mean
            variance += centred * centred
        inverse = x.dtype.type(1 / math.sqrt(variance / x.dtype.type(N) + epsilon))
        for j in range(N):
            y[i, j] = (x[i, j] - mean) * inverse * gamma[j] + beta[j]


@jit_sums
def softmax_gradient_rows(dy: Any, y: Any, dx: Any, begin: int, end: int) -> None:
    C = y.shape[1]
    for i in range(begin, end):
        along = y.dtype.type(0)
        for j in range(C):
            along += dy[i, j] * y[i, j]
        for j in range(C):
            dx[i, j] = y[i, j] * (dy[i, j] - along)


@jit_sums
def normalise_gradient_rows(dy: Any, gamma: Any, xhat: Any, inverse: Any, dx: Any, dgamma: Any, dbeta: Any, begin: int, end: int) -> None:
    """dgamma and dbeta (N,) are added to."""
    N = dy.shape[1]
    for i in range(begin, end):
        along = dy.dtype.type(0)
        common = dy.dtype.type(0)
        for j in range(N):
            dxhat = dy[i, j] * gamma[j]
            along += dxhat * xhat[i, j]
            common += dxhat
        along /= dy.dtype.type(N)
        common /= dy.dtype.type(N)
        for j in range(N):
            dgamma[j] += dy[i, j] * xhat[i, j]
            dbeta[j] += dy[i, j]
            dx[i, j] = (dy[i, j] * gamma[j] - common - xhat[i, j] * along) * inverse[i, 0]


@jit_apart
def dense_rows(x: Any, W: Any, b: Any, z: Any, begin: int, end: int) -> None:
    I, O = W.shape
    for i in range(begin, end - 3, 4):
        for o in range(O):
            z[i, o] = z[i + 1, o] = z[i + 2, o] = z[i + 3, o] = b[o]
        for k in range(I):
            p, q, r, s = x[i, k], x[i + 1, k], x[i + 2, k], x[i + 3, k]
            for o in range(O):
                z[i, o] += p * W[k, o]
                z[i + 1, o] += q * W[k, o]
                z[i + 2, o] += r * W[k, o]
                z[i + 3, o] += s * W[k, o]
    for i in range(end - (end - begin) % 4, end):
        for o in range(O):
            z[i, o] = b[o]
        for k in range(I):
            for o in range(O):
                z[i, o] += x[i, k] * W[k, o]


@jit_apart
def convolve_images(x: Any, W: Any, b: Any, y: Any, begin: int, end: int) -> None:
    """x (B, H + 2, W + 2, C) with its margins, W (3, 3, C, F) -> y (B, H, W, F)."""
    _, H, width, F = y.shape
    C = x.shape[3]
    for n in range(begin, end):
        for i in range(H):
            for j in range(width):
                for f in range(F):
                    y[n, i, j, f] = b[f]
                for k in range(3):
                    for l in range(3):
                        for c in range(C):
                            v = x[n, i + k, j + l, c]
                            for f in range(F):
                                y[n, i, j, f] += v * W[k, l, c, f]


@jit_apart
def lstm_cells(gates: Any, c: Any, h: Any, begin: int, end: int) -> None:
    """gates (B, 4U) before their activations, c (B, U) written over, h (B, U) written."""
    n = c.shape[1]
    one = c.dtype.type(1)
    two = c.dtype.type(2)
    for b in range(begin, end):
        for u in range(n):
            i = one / (one + exp(-gates[b, u]))
            f = one / (one + exp(-gates[b, n + u]))
            g = two / (one + exp(-two * gates[b, 2 * n + u])) - one  # tanh
            o = one / (one + exp(-gates[b, 3 * n + u]))
            c[b, u] = f * c[b, u] + i * g
            h[b, u] = o * (two / (one + exp(-two * c[b, u])) - one)
