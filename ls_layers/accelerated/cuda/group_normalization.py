"""Group normalisation on CUDA. B examples, S places, G groups of K channels, C = G K.

Forward reads x once from memory and writes y; backward reads dy and x, once for dx and once for the sums of gamma and beta.
"""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.cuda import SINGLE_AND_DOUBLE, Kept, Source, column_grid, contiguous, override, team_grid
from ls_core.types import Array

from ...group_normalization import group_normalization_backward, group_normalization_forward

SOURCE = Source(__file__, "group_normalization.cu")


@override(group_normalization_forward, types=SINGLE_AND_DOUBLE)
def group_normalization_forward_cuda(x: Array, gamma: Array, beta: Array, groups: int, epsilon: float) -> tuple[Array, Any]:
    xp = get_xp(x)
    x, gamma, beta = contiguous(xp, x, gamma, beta)
    B, S, C = x.shape
    K = C // groups
    y = xp.empty(x.shape, dtype=x.dtype)
    mean, inverse = (xp.empty((B, groups), dtype=x.dtype) for _ in range(2))
    grid = team_grid(B * groups, S * K)
    SOURCE.run("group_norm_forward", x.dtype, *grid, x, gamma, beta, y, mean, inverse, B, S, groups, K, float(epsilon))
    return y, Kept((x, mean, inverse))


@override(group_normalization_backward, keeps=True)
def group_normalization_backward_cuda(dy: Array, gamma: Array, saved: Any) -> tuple[Array, Array, Array]:
    xp = get_xp(dy)
    x, mean, inverse = saved
    dy, gamma = contiguous(xp, dy, gamma)
    (B, S, C), G = x.shape, mean.shape[1]
    sizes = (B, S, G, C // G)
    dx = xp.empty(x.shape, dtype=x.dtype)
    SOURCE.run("group_norm_backward", x.dtype, *team_grid(B * G, S * C // G), dy, gamma, x, mean, inverse, dx, *sizes)
    blocks, threads, chunk = column_grid(B * S, C)
    sums = xp.empty((blocks[1], 2, C), dtype=x.dtype)
    SOURCE.run("group_norm_sums", x.dtype, blocks, threads, dy, x, mean, inverse, sums, *sizes, chunk)
    dgamma, dbeta = sums.sum(axis=0)  # (C,), (C,)
    return dx, None if gamma is None else dgamma, dbeta
