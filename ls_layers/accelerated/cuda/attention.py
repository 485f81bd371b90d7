"""Scaled dot-product attention on CUDA: products with cuBLAS, and scale, bias, causal mask, softmax and dropout in one launch.

Where the scores would be many, and nobody wants them, they are not stored at all: fused_attention.py.

L leading axes (joined), H heads of the queries, G of keys and values, T queries, S keys.
"""

from __future__ import annotations

import math
from typing import Any

from ls_core.backend import get_xp
from ls_core.cuda import Kept, Source, contiguous, override, team_grid
from ls_core.products import matmul
from ls_core.types import Array

from ...attention_core import group, scaled_dot_product_attention_backward, scaled_dot_product_attention_forward, ungroup
from . import fused_attention

SOURCE = Source(__file__, "attention.cu")


def _bias_strides(xp: Any, bias: Array, shape: tuple[int, ...]) -> tuple[Array, list[int]]:
    """``bias``, C-contiguous, and its steps in numbers along (L, H, T, S) of scores of ``shape``: 0 where it is broadcast."""
    if bias is None:
        return None, [0, 0, 0, 0]
    bias = bias.reshape((1,) * (len(shape) - bias.ndim) + bias.shape)
    lead = bias.shape[:-3]
    if any(size != 1 for size in lead) and lead != shape[:-3]:  # one of several leading axes: no single step along L
        bias = xp.broadcast_to(bias, (*shape[:-3], *bias.shape[-3:]))
    (bias,) = contiguous(xp, bias)
    sizes = (math.prod(bias.shape[:-3]), *bias.shape[-3:])
    steps = [math.prod(sizes[i + 1 :]) for i in range(4)]
    return bias, [0 if size == 1 else step for size, step in zip(sizes, steps, strict=True)]


def softmax_forward(p: Array, bias: Array, scale: float, causal: bool, keep: Array) -> tuple[Array, Array]:
    """Make scores (..., H, T, S), C-contiguous, into softmax(scale scores + bias) -> this times ``keep`` (itself without one), keep."""
    xp = get_xp(p)
    H, T, S = p.shape[-3:]
    bias, strides = _bias_strides(xp, bias, p.shape)
    (keep,) = contiguous(xp, keep)
    kept = None if keep is None else xp.empty(p.shape, dtype=p.dtype)
    rows = p.size // max(S, 1)
    how = (p, bias, *strides, keep, kept, rows, H, T, S, float(scale), int(causal))
    SOURCE.run("attention_softmax_forward", p.dtype, *team_grid(rows, S), *how)
    return p if kept is None else kept, keep


def softmax_backward(dkept: Array, p: Array, keep: Array, dscores: Array, scale: float) -> Array:
    """The gradient of the scores, from those of p * keep and of p."""
    S = p.shape[-1]
    ds, dscores = contiguous(get_xp(p), dkept, dscores)
    rows = ds.size // max(S, 1)
    SOURCE.run("attention_softmax_backward", ds.dtype, *team_grid(rows, S), ds, p, keep, dscores, rows, S, float(scale))
    return ds


@override(scaled_dot_product_attention_forward)
def attention_forward_cuda(
    q: Array, k: Array, v: Array, bias: Array, scale: float, causal: bool, keep: Array, return_scores: bool
) -> tuple[Array, Array, Any]:
    xp = get_xp(q)
    G, H = k.shape[-3], q.shape[-3]
    shape = (*q.shape[:-1], k.shape[-2])  # of the scores (..., H, T, S)
    if not return_scores and fused_attention.fits(q, v, math.prod(shape)):
        bias, strides = _bias_strides(xp, bias, shape)
        y, kept = fused_attention.fused_forward(q, k, v, bias, strides, scale, causal, keep)
        return y, None, kept
    (p,) = contiguous(xp, ungroup(matmul(group(q, G), k.swapaxes(-1, -2)), H))  # (..., H, T, S), the scores so far
    kept, keep = softmax_forward(p, bias, scale, causal, keep)
    y = ungroup(matmul(group(kept, G), v), H)  # (..., H, T, V)
    return y, p if return_scores else None, (q, k, v, p, keep, scale)


@override(scaled_dot_product_attention_backward)
def attention_backward_cuda(dy: Array, dscores: Array, saved: Any) -> tuple[Array, Array, Array]:
    if type(saved) is Kept:
        return fused_attention.fused_backward(dy, saved)
    q, k, v, p, keep, scale = saved
    G, H = k.shape[-3], q.shape[-3]
    kept = p if keep is None else p * keep  # (..., H, T, S)
    dv = matmul(group(kept, G).swapaxes(-1, -2), group(dy, G))  # (..., G, S, V)
    dkept = ungroup(matmul(group(dy, G), v.swapaxes(-1, -2)), H)  # (..., H, T, S)
    ds = softmax_backward(dkept, p, keep, dscores, scale)
    ds = group(ds, G)  # (..., G, HT/G, S)
    dq = ungroup(matmul(ds, k), H)  # (..., H, T, D)
    dk = matmul(ds.swapaxes(-1, -2), group(q, G))  # (..., G, S, D)
    return dq, dk, dv
