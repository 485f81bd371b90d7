"""Resampling an axis: the matrix (new, old) of an interpolation, and images times two of them.

B batch, H and W height and width, P and Q the new ones, C channels.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.products import matmul
from ls_core.types import Array

INTERPOLATIONS = ("bilinear", "nearest", "bicubic")


@kernel
def resize_forward(x: Array, rows: Array, columns: Array) -> Array:
    B, H, W, C = x.shape
    P, Q = len(rows), len(columns)
    tall = matmul(rows, x.reshape(B, H, W * C)).reshape(B, P, W, C)
    flat = tall.swapaxes(2, 3).reshape(B * P * C, W)  # channels first, so that the columns are one product too
    y = matmul(flat, columns.T)  # (B P C, Q)
    return get_xp(x).ascontiguousarray(y.reshape(B, P, C, Q).swapaxes(2, 3))  # (B, P, Q, C)


@kernel
def resize_backward(dy: Array, rows: Array, columns: Array) -> Array:
    B, P, Q, C = dy.shape
    H, W = rows.shape[1], columns.shape[1]
    # 2. y = matmul(flat, columns.T)
    dflat = matmul(dy.swapaxes(2, 3).reshape(B * P * C, Q), columns)  # (B P C, W)
    dtall = dflat.reshape(B, P, C, W).swapaxes(2, 3)  # (B, P, W, C)
    # 1. tall = matmul(rows, x)
    dx = matmul(rows.T, dtall.reshape(B, P, W * C))  # (B, H, W C)
    return dx.reshape(B, H, W, C)


@functools.lru_cache(maxsize=64)
def interpolation_matrix(old: int, new: int, interpolation: str, antialias: bool = False) -> np.ndarray:
    """The matrix (new, old) whose rows say how much each old pixel counts for a new one; float64.

    Pixel i covers [i, i + 1), so new pixel p is centred at ``(p + 1/2) old / new - 1/2``. Beyond the border the
    border's pixel counts. With ``antialias`` a shrinking filter is as wide as the step from pixel to pixel.

    >>> interpolation_matrix(2, 4, 'bilinear')[:2]
    array([[1.  , 0.  ],
           [0.75, 0.25]])
    """
    ratio = old / new
    if interpolation == "nearest":
        taken = np.floor((np.arange(new) + 0.5) * ratio).astype(int)
        return np.eye(old)[np.minimum(taken, old - 1)]
    if antialias:
        return _filtered(old, new, interpolation)
    centre = (np.arange(new) + 0.5) * ratio - 0.5  # (new,)
    if interpolation == "bilinear":
        centre = np.maximum(centre, 0)
    low = np.floor(centre).astype(int)
    matrix = np.zeros((new, old))
    for tap in (0, 1) if interpolation == "bilinear" else (-1, 0, 1, 2):
        weight = _tent(centre - low - tap) if interpolation == "bilinear" else _cubic(centre - low - tap, -0.75)
        np.add.at(matrix, (np.arange(new), np.clip(low + tap, 0, old - 1)), weight)
    return matrix


def _filtered(old: int, new: int, interpolation: str) -> np.ndarray:
    """Weights by distance, over the pixels that exist, summing to 1."""
    width = max(old / new, 1.0)
    reach = width * (1.0 if interpolation == "bilinear" else 2.0)
    centre = (np.arange(new) + 0.5) * (old / new)  # (new,)
    pixels = np.arange(old)
    distance = (pixels + 0.5 - centre[:, None]) / width  # (new, old)
    weights = _tent(distance) if interpolation == "bilinear" else _cubic(distance, -0.5)
    first = np.maximum((centre - reach + 0.5).astype(int), 0)[:, None]
    last = np.minimum((centre + reach + 0.5).astype(int), old)[:, None]
    weights = np.where((pixels >= first) & (pixels < last), weights, 0)
    return weights / weights.sum(axis=1, keepdims=True)


def _tent(distance: Any) -> Any:
    return np.maximum(1 - np.abs(distance), 0)


def _cubic(distance: Any, a: float) -> Any:
    """Keys' cubic convolution (1981, equation 4, with a in place of -1/2)."""
    d = np.abs(distance)
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0))
