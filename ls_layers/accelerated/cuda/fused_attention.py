"""Attention on CUDA whose scores are never stored, for those that would be large: one launch forward, two backward.

L leading axes (joined), H heads of the queries, G of keys and values, T queries, S keys, D features of queries and keys, V of values.
"""

from __future__ import annotations

import math
from typing import Any

from ls_core.backend import get_xp
from ls_core.cuda import Kept, Source, contiguous
from ls_core.types import Array

SOURCE = Source(__file__, "fused_attention.cu")
STORED = 1 << 28  # so many scores are stored: cuBLAS' products are faster than these kernels, which no one has timed
FEATURES = 128  # of a head, at most


def fits(q: Array, v: Array, scores: int) -> bool:
    """Whether there are more than ``STORED`` scores, and heads that the kernels can take."""
    return scores > STORED and max(q.shape[-1], v.shape[-1]) <= FEATURES


def fused_forward(
    q: Array, k: Array, v: Array, bias: Array, strides: list[int], scale: float, causal: bool, keep: Array
) -> tuple[Array, Kept]:
    """-> y (..., H, T, V), saved. ``bias`` is read with its ``strides`` along (L, H, T, S)."""
    xp = get_xp(q)
    q, k, v, keep = contiguous(xp, q, k, v, keep)
    (H, T, D), (G, S, V) = q.shape[-3:], v.shape[-3:]
    how = H, G, T, S, D, V, float(scale), int(causal)
    y = xp.empty((*q.shape[:-1], v.shape[-1]), dtype=q.dtype)
    tops, sums = (xp.empty(q.shape[:-1], dtype="float64" if q.dtype == "float64" else "float32") for _ in range(2))  # (..., H, T)
    _run("fused_attention_forward", q, q.shape, q, k, v, bias, *strides, keep, y, tops, sums, *how)
    return y, Kept((q, k, v, bias, strides, keep, y, tops, sums, how))


def fused_backward(dy: Array, saved: Kept) -> tuple[Array, Array, Array]:
    """-> dq, dk, dv."""
    xp = get_xp(dy)
    q, k, v, bias, strides, keep, y, tops, sums, how = saved
    (dy,) = contiguous(xp, dy)
    dq, dk, dv, along = (xp.empty(a.shape, dtype=a.dtype) for a in (q, k, v, sums))
    _run("fused_attention_backward_queries", q, q.shape, q, k, v, bias, *strides, keep, y, dy, tops, sums, along, dq, *how)
    _run("fused_attention_backward_keys", q, k.shape, q, k, v, bias, *strides, keep, dy, tops, sums, along, dk, dv, *how)
    return dq, dk, dv


def _run(name: str, q: Array, shape: tuple[int, ...], *args: Any) -> None:
    """A block for 32 rows of each head of an array of ``shape``."""
    SOURCE.run(name, q.dtype, (math.prod(shape[:-2]) * -(-shape[-2] // 32),), (32, 8), *args)


__all__ = ["fits", "fused_backward", "fused_forward"]
