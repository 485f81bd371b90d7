"""Scaled dot-product attention on NumPy: one example and some of its queries at a time, so that scores stay in the cache.

Under a causal mask a block of queries stops at the last key that it sees. The reference's functions do the rest, on views.
B batch, H heads of the queries, G of keys and values, T queries, S keys, D and V features of a key and a value.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ls_core.threads import run_blocks, split
from ls_core.types import Array

from ..attention_core import (
    group,
    lowest,
    scaled_dot_product_attention_backward,
    scaled_dot_product_attention_forward,
    softmax_gradient,
    softmax_in_place,
    ungroup,
)

CACHE = 512 * 1024  # bytes of a block's scores
LEAST = 32  # queries of a block
QUERIES = 64  # at most, under a causal mask
SMALL = 1 << 15  # scores of an example; so few are left to the reference, which takes all examples together


class Kept(tuple[Any, ...]):
    """What the forward below saved; other tuples are the reference's."""

    __slots__ = ()


@scaled_dot_product_attention_forward.override("numpy")
def attention_forward_blocks(
    q: Array, k: Array, v: Array, bias: Array, scale: float, causal: bool, keep: Array, return_scores: bool
) -> tuple[Array, Array, Any]:
    if not (q.ndim == k.ndim == v.ndim == 4 and q.dtype == k.dtype == v.dtype) or math.prod(q.shape[1:3]) * k.shape[2] < SMALL:
        return scaled_dot_product_attention_forward.reference(q, k, v, bias, scale, causal, keep, return_scores)
    (B, H, T, _), (_, G, S, V) = q.shape, v.shape
    p = np.empty((B, H, T, S), q.dtype)
    y = np.empty((B, T, H, V), q.dtype).transpose(0, 2, 1, 3)  # the output projection reads a query's heads side by side
    bias = None if bias is None else np.broadcast_to(bias, p.shape)

    def part(begin: int, end: int) -> None:
        for b, i, j, seen in _blocks(begin, end, p, causal):
            keys, values = k[b, :, :seen], v[b, :, :seen]  # (G, seen, D), (G, seen, V)
            s = ungroup(group(q[b, :, i:j] * scale, G) @ keys.swapaxes(-1, -2), H)  # (H, j - i, seen)
            if causal and seen > i + 1:
                s += _later(i, j, seen, s.dtype)
            softmax_in_place(s, None if bias is None else bias[b, :, i:j, :seen], causal=False)
            p[b, :, i:j, :seen] = s
            p[b, :, i:j, seen:] = 0
            if keep is not None:
                s *= keep[b, :, i:j, :seen]
            y[b, :, i:j] = ungroup(group(s, G) @ values, H)

    run_blocks(part, split(B))
    return y, p if return_scores else None, Kept((q, k, v, p, keep, scale, causal))


@scaled_dot_product_attention_backward.override("numpy")
def attention_backward_blocks(dy: Array, dscores: Array, saved: Any) -> tuple[Array, Array, Array]:
    if not isinstance(saved, Kept):
        return scaled_dot_product_attention_backward.reference(dy, dscores, saved)
    q, k, v, p, keep, scale, causal = saved
    (B, H, T, D), (_, G, S, V) = q.shape, v.shape
    dq, dk, dv = (np.zeros((B, n, h, d), q.dtype).transpose(0, 2, 1, 3) for n, h, d in ((T, H, D), (S, G, D), (S, G, V)))

    def part(begin: int, end: int) -> None:
        for b, i, j, seen in _blocks(begin, end, p, causal):
            queries, slopes = group(q[b, :, i:j], G), group(dy[b, :, i:j], G)  # (G, R, D), (G, R, V) with R = (j - i) H / G
            keys, values, weights = k[b, :, :seen], v[b, :, :seen], p[b, :, i:j, :seen]  # (H, j - i, seen)
            kept = None if keep is None else keep[b, :, i:j, :seen]
            # 4. y = (p * keep) @ v
            dv[b, :, :seen] += group(weights if kept is None else weights * kept, G).swapaxes(-1, -2) @ slopes
            dkept = ungroup(slopes @ values.swapaxes(-1, -2), H)  # (H, j - i, seen)
            # 3. p = softmax(s), 2. s += bias
            ds = softmax_gradient(dkept, weights, kept, None if dscores is None else dscores[b, :, i:j, :seen])
            ds *= scale
            # 1. s = (q * scale) @ k^T
            dq[b, :, i:j] = ungroup(group(ds, G) @ keys, H)
            dk[b, :, :seen] += group(ds, G).swapaxes(-1, -2) @ queries

    run_blocks(part, split(B))
    return dq, dk, dv


def _blocks(begin: int, end: int, p: Array, causal: bool) -> Iterator[tuple[int, int, int, int]]:
    """Blocks of the scores of examples ``begin`` to ``end``: the example, its queries from and to, and how many keys they see."""
    _, H, T, S = p.shape
    rows = max(LEAST, min(CACHE // (H * S * p.itemsize), QUERIES if causal else T))
    for b in range(begin, end):
        for i in range(0, T, rows):
            j = min(i + rows, T)
            yield b, i, j, min(j, S) if causal else S


def _later(i: int, j: int, seen: int, dtype: Any) -> Array:
    """(j - i, seen): 0 where a key is not after query i ... j - 1, ``lowest`` elsewhere."""
    return (np.arange(i, j)[:, None] < np.arange(seen)).astype(dtype) * lowest(dtype)


__all__ = ["attention_backward_blocks", "attention_forward_blocks"]
