"""Additive attention on CUDA: scores without an array (..., T, S, D) of their tanh; the products are cuBLAS', the softmax attention.py's.

L leading axes (joined), T queries, S keys, D features.
"""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.cuda import Kept, Source, contiguous, each_grid, override, team_grid
from ls_core.products import matmul
from ls_core.types import Array

from ...attention_core import additive_attention_backward, additive_attention_forward
from .attention import softmax_backward, softmax_forward

SOURCE = Source(__file__, "additive_attention.cu")


@override(additive_attention_forward)
def additive_attention_forward_cuda(q: Array, k: Array, v: Array, weights: Array, bias: Array, keep: Array) -> tuple[Array, Array, Any]:
    if q.ndim < 3 or q.shape[:-2] != k.shape[:-2]:
        return additive_attention_forward.reference(q, k, v, weights, bias, keep)
    xp = get_xp(q)
    q, k, weights = contiguous(xp, q, k, weights)
    (T, D), S = q.shape[-2:], k.shape[-2]
    p = xp.empty((*q.shape[:-1], S), dtype=q.dtype)  # (..., T, S)
    SOURCE.run("additive_scores", p.dtype, *team_grid(p.size, D), q, k, weights, p, p.size, T, S, D)
    kept, keep = softmax_forward(p, bias, 1.0, False, keep)
    return matmul(kept, v), p, Kept((q, k, v, weights, p, keep))


@override(additive_attention_backward, keeps=True)
def additive_attention_backward_cuda(dy: Array, dscores: Array, saved: Any) -> tuple[Array, Array, Array, Array]:
    xp = get_xp(dy)
    q, k, v, weights, p, keep = saved
    dv = matmul((p if keep is None else p * keep).swapaxes(-1, -2), dy)  # (..., S, V)
    ds = softmax_backward(matmul(dy, v.swapaxes(-1, -2)), p, keep, dscores, 1.0)  # (..., T, S)
    (T, D), S = q.shape[-2:], k.shape[-2]
    dq, dk, of_weights = xp.empty_like(q), xp.empty_like(k), xp.empty_like(q)
    SOURCE.run("additive_backward", q.dtype, *each_grid(q.size), ds, q, k, weights, dq, of_weights, q.size, T, S, D, S, 1)
    SOURCE.run("additive_backward", q.dtype, *each_grid(k.size), ds, k, q, weights, dk, None, k.size, S, T, D, 1, S)
    return dq, dk, dv, of_weights.reshape(-1, D).sum(axis=0)
