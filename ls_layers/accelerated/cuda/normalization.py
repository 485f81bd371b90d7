"""Layer and RMS normalisation on CUDA. N rows, C normalised numbers.

Forward reads x once from memory and writes y; backward reads dy and x, once for dx and once for the sums of gamma and beta.
"""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.cuda import SINGLE_AND_DOUBLE, Kept, Source, column_grid, contiguous, override, team_grid
from ls_core.types import Array

from ...layer_normalization import layer_normalization_backward, layer_normalization_forward
from ...rms_normalization import rms_normalization_backward, rms_normalization_forward

SOURCE = Source(__file__, "normalization.cu")


def _forward(x: Array, gamma: Array, beta: Array, epsilon: float, centred: bool) -> tuple[Array, Kept]:
    xp = get_xp(x)
    x, gamma, beta = contiguous(xp, x, gamma, beta)
    C = x.shape[-1]
    N = x.size // max(C, 1)
    y, inverse = xp.empty(x.shape, dtype=x.dtype), xp.empty(N, dtype=x.dtype)
    mean = xp.empty(N, dtype=x.dtype) if centred else None
    SOURCE.run("layer_norm_forward", x.dtype, *team_grid(N, C), x, gamma, beta, y, mean, inverse, N, C, float(epsilon))
    return y, Kept((x, mean, inverse))


def _backward(dy: Array, gamma: Array, saved: Any) -> tuple[Array, Array, Array]:
    xp = get_xp(dy)
    x, mean, inverse = saved
    dy, gamma = contiguous(xp, dy, gamma)
    C = x.shape[-1]
    N = x.size // max(C, 1)
    dx = xp.empty(x.shape, dtype=x.dtype)
    SOURCE.run("layer_norm_backward", x.dtype, *team_grid(N, C), dy, gamma, x, mean, inverse, dx, N, C)
    blocks, threads, chunk = column_grid(N, C)
    sums = xp.empty((blocks[1], 2, C), dtype=x.dtype)
    SOURCE.run("layer_norm_sums", x.dtype, blocks, threads, dy, x, mean, inverse, sums, N, C, chunk)
    dgamma, dbeta = sums.sum(axis=0)  # (C,), (C,)
    return dx, dgamma, dbeta


@override(layer_normalization_forward, types=SINGLE_AND_DOUBLE)
def layer_normalization_forward_cuda(x: Array, gamma: Array, beta: Array, epsilon: float) -> tuple[Array, Any]:
    return _forward(x, gamma, beta, epsilon, centred=True)


@override(layer_normalization_backward, keeps=True)
def layer_normalization_backward_cuda(dy: Array, gamma: Array, saved: Any) -> tuple[Array, Array, Array]:
    dx, dgamma, dbeta = _backward(dy, gamma, saved)
    return dx, None if gamma is None else dgamma, dbeta


@override(rms_normalization_forward, types=SINGLE_AND_DOUBLE)
def rms_normalization_forward_cuda(x: Array, scale: Array, epsilon: float) -> tuple[Array, Any]:
    return _forward(x, scale, None, epsilon, centred=False)


@override(rms_normalization_backward, keeps=True)
def rms_normalization_backward_cuda(dy: Array, scale: Array, saved: Any) -> tuple[Array, Array]:
    return _backward(dy, scale, saved)[:2]
