"""The loops of scaled dot-product attention, a block of queries of one head at a time. Needs Numba.

A block's scores, 32 queries by all keys, stay in the cache from the product that makes them to the one that uses them,
and never reach memory: the backward makes them again from two numbers of a row, the largest score and the sum of the
exponentials. Under a causal mask a block stops at the last key that one of its queries sees, which saves nearly half.

B batch, H heads of the queries, G of keys and values, T queries, S keys, D and V features of a key and a value, which
fill whole panels of the products: q (B, T, H, D), k (B, S, G, D), v (B, S, G, V), all contiguous. A unit is one of the
B G heads of keys and values, with the H / G heads of queries that share it; units ``begin`` to ``end`` are worked on.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.accelerated.compiled import dot, exp, jit, jit_sums, largest

from .products import multiply, width_of

ROWS = 32  # queries of a block


@jit
def forward(
    y: Any,
    kept: Any,
    q: Any,
    k: Any,
    v: Any,
    bias: Any,
    masked: bool,
    keep: Any,
    dropped: bool,
    scale: float,
    causal: bool,
    begin: int,
    end: int,
) -> None:
    """y (B, T, H, V) = (softmax(q k^T scale + bias) * keep) v; kept (B, H, T, 2): a row's largest score, sum exp(score - largest).

    bias and keep (B, H, T, S) count where ``masked`` and ``dropped`` say so.
    """
    (_, T, H, D), (_, S, G, V) = q.shape, v.shape
    width = width_of(q)
    keys = np.zeros((D, round_up(S, width)), q.dtype)  # k^T * scale
    p = np.empty((ROWS, keys.shape[1]), q.dtype)
    for unit in range(begin, end):
        b, g = unit // G, unit % G
        turn(keys, k[b], g, scale)
        for h in range(g * (H // G), (g + 1) * (H // G)):
            for i in range(0, T, ROWS):
                rows = min(ROWS, T - i)
                last = min(i + rows, S) if causal else S
                seen = round_up(last, width)
                product(p, 0, p.shape[1], q, at(q, b, i, h), H * D, 1, keys, 0, keys.shape[1], rows, D, seen, True)
                for r in range(rows):
                    row = p[r, :seen]
                    mask(row, min(i + r + 1, S) if causal else S)
                    if masked:
                        add(row, bias[b, h, i + r])
                    top = largest(row)
                    kept[b, h, i + r, 0] = top
                    kept[b, h, i + r, 1] = exponentials(row, top)
                    if dropped:
                        times(row, keep[b, h, i + r])
                product(y, at(y, b, i, h), H * V, p, 0, p.shape[1], 1, v, at(v, b, 0, g), G * V, rows, last, V, True)
                for r in range(rows):
                    divide(y[b, i + r, h], kept[b, h, i + r, 1])


@jit
def backward(
    dq: Any,
    dk: Any,
    dv: Any,
    dy: Any,
    q: Any,
    k: Any,
    v: Any,
    bias: Any,
    masked: bool,
    keep: Any,
    dropped: bool,
    kept: Any,
    scale: float,
    causal: bool,
    begin: int,
    end: int,
) -> None:
    """dq, dk and dv (both hold zeros before), laid out as q, k and v, from dy (B, T, H, V) and what the forward kept."""
    (_, T, H, D), (_, S, G, V) = q.shape, v.shape
    width = width_of(q)
    keys = np.zeros((D, round_up(S, width)), q.dtype)  # k^T * scale
    values = np.zeros((V, round_up(S, width)), q.dtype)  # v^T
    line = keys.shape[1]
    p, ds = np.empty((ROWS, line), q.dtype), np.empty((ROWS, line), q.dtype)
    for unit in range(begin, end):
        b, g = unit // G, unit % G
        turn(keys, k[b], g, scale)
        turn(values, v[b], g, 1)
        for h in range(g * (H // G), (g + 1) * (H // G)):
            for i in range(0, T, ROWS):
                rows = min(ROWS, T - i)
                last = min(i + rows, S) if causal else S
                seen = round_up(last, width)
                product(p, 0, line, q, at(q, b, i, h), H * D, 1, keys, 0, line, rows, D, seen, True)
                # the gradient of p * keep
                product(ds, 0, line, dy, at(dy, b, i, h), H * V, 1, values, 0, line, rows, V, seen, True)
                for r in range(rows):
                    row, drow = p[r, :seen], ds[r, :seen]
                    mask(row, min(i + r + 1, S) if causal else S)
                    if masked:
                        add(row, bias[b, h, i + r])
                    probabilities(row, kept[b, h, i + r, 0], kept[b, h, i + r, 1])
                    if dropped:
                        times(drow, keep[b, h, i + r])
                    softmax_gradient(drow, row, scale)
                    if dropped:
                        times(row, keep[b, h, i + r])
                # dv += (p * keep)^T dy, dq = ds k, dk += ds^T q
                product(dv, at(dv, b, 0, g), G * V, p, 0, 1, line, dy, at(dy, b, i, h), H * V, last, rows, V, False)
                product(dq, at(dq, b, i, h), H * D, ds, 0, line, 1, k, at(k, b, 0, g), G * D, rows, last, D, True)
                product(dk, at(dk, b, 0, g), G * D, ds, 0, 1, line, q, at(q, b, i, h), H * D, last, rows, D, False)


@jit
def product(
    c: Any,
    c_at: int,
    ldc: int,
    a: Any,
    a_at: int,
    row_step: int,
    k_step: int,
    b: Any,
    b_at: int,
    ldb: int,
    rows: int,
    length: int,
    columns: int,
    first: bool,
) -> None:
    """``multiply`` for several panels: ``columns`` of them in all."""
    for j in range(0, columns, width_of(c)):
        multiply(c, c_at + j, ldc, a, a_at, row_step, k_step, b, b_at + j, ldb, rows, length, first)


@jit
def at(x: Any, b: int, i: int, h: int) -> int:
    """How many numbers stand before x[b, i, h] in an array with four axes."""
    return ((b * x.shape[1] + i) * x.shape[2] + h) * x.shape[3]


@jit
def round_up(number: int, width: int) -> int:
    return (number + width - 1) // width * width


@jit
def turn(to: Any, x: Any, head: int, scale: float) -> None:
    """to[c, r] = x[r, head, c] * scale."""
    factor = to.dtype.type(scale)
    for r in range(x.shape[0]):
        row = x[r, head]
        for c in range(row.size):
            to[c, r] = row[c] * factor


# --- rows of scores -----------------------------------------------------------------------------------------------


@jit
def mask(row: Any, limit: int) -> None:
    """Nothing is seen from number ``limit`` on."""
    row[limit:] = -np.inf


@jit
def add(x: Any, y: Any) -> None:
    """x += y, as many as y has."""
    for j in range(min(x.size, y.size)):
        x[j] += y[j]


@jit
def times(x: Any, y: Any) -> None:
    """x *= y, as many as y has."""
    for j in range(min(x.size, y.size)):
        x[j] *= y[j]


@jit
def divide(x: Any, total: Any) -> None:
    """x /= total."""
    factor = x.dtype.type(1) / total
    for j in range(x.size):
        x[j] *= factor


@jit_sums
def exponentials(x: Any, top: Any) -> Any:
    """x = exp(x - top); -> the sum."""
    result = x.dtype.type(0)
    for j in range(x.size):
        x[j] = exp(x[j] - top)
        result += x[j]
    return result


@jit
def probabilities(x: Any, top: Any, total: Any) -> None:
    """x = exp(x - top) / total."""
    factor = x.dtype.type(1) / total
    for j in range(x.size):
        x[j] = exp(x[j] - top) * factor


@jit
def softmax_gradient(dp: Any, p: Any, scale: float) -> None:
    """dp becomes ds * scale = p (dp - sum(p dp)) * scale."""
    common, factor = dot(dp, p), dp.dtype.type(scale)
    for j in range(dp.size):
        dp[j] = p[j] * (dp[j] - common) * factor
