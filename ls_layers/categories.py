"""Categories as rows: one-hot, multi-hot and counts, what the encoding and lookup layers share.

.. any axes before the samples, S the samples' axis, D depth (how many categories).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array

MODES = ("one_hot", "multi_hot", "count")


@kernel
def one_hot_forward(ids: Array, depth: int, dtype: Any) -> Array:
    return (ids[..., None] == get_xp(ids).arange(depth)).astype(dtype)  # (.., D); an id outside gives a row of zeros


@kernel
def count_forward(ids: Array, weights: Array | None, depth: int, dtype: Any) -> Array:
    xp = get_xp(ids)
    wide = "float32" if np.dtype(dtype).itemsize == 2 else dtype  # CuPy adds no bfloat16 at places
    y = xp.zeros((len(ids), depth), dtype=wide)  # (B, D)
    rows = xp.arange(len(ids))[:, None]  # (B, 1)
    xp.add.at(y, (rows, ids), 1 if weights is None else weights)
    return y.astype(dtype, copy=False)


@kernel
def count_backward(dy: Array, ids: Array) -> Array:
    # y[b, ids[b, s]] += weights[b, s], so each weight gets the gradient of its category
    return get_xp(dy).take_along_axis(dy, ids, axis=-1)  # (B, S)


def as_samples(x: Array) -> tuple[Array, tuple[int, ...]]:
    """(B, S, ..) as rows (B .., S), and the axes before S: the second axis holds the samples, as in Keras, or the only one."""
    if x.ndim > 1:
        x = get_xp(x).moveaxis(x, 1, -1)
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1]), x.shape[:-1]


def encode(ids: Array, mode: str, depth: int, dtype: Any, weights: Array = None) -> Array:
    """Ids as rows; in 'count', ``weights`` of the ids' shape are summed instead of ones.

    >>> import numpy as np
    >>> encode(np.array([[1, 1, 0]]), 'count', 3, 'float32')
    array([[1., 2., 0.]], dtype=float32)
    """
    if ids.ndim == 0:
        ids = ids.reshape(1)
    if mode == "one_hot":
        return one_hot_forward(ids[..., 0] if ids.ndim > 1 and ids.shape[-1] == 1 else ids, depth, dtype)
    rows, shape = as_samples(ids)
    y = count_forward(rows, None if weights is None else as_samples(weights)[0], depth, dtype)
    if mode == "multi_hot":
        y = (y > 0).astype(dtype)
    return y.reshape(*shape, depth)


def encoded_shape(shape: Any, mode: str, depth: int) -> tuple[int | None, ...]:
    """The shape of ``encode``'s result."""
    shape = tuple(shape)
    if mode == "one_hot":
        return (*(shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape or (1,)), depth)
    return (*shape[:1], *shape[2:], depth) if len(shape) > 1 else (depth,)
