"""Dropout masks on CUDA. Drawing is one launch, by a key of the host's (``ls_core.backend``) or by one that lies on the device, as in a
captured step; a mask of the numbers drawn is the other. x * mask is CuPy's own product.
"""

from __future__ import annotations

import math

import numpy as np

from ..backend import get_xp
from ..random import keep_scaled, set_keys, uniform_by_key
from ..types import Array, DType
from .launch import Source, contiguous, each_grid
from .overrides import FLOATS, override

SOURCE = Source(__file__, "masks.cu")


@override(keep_scaled, types=("float32",))
def keep_scaled_cuda(drawn: Array, rate: float, dtype: DType) -> Array:
    xp = get_xp(drawn)
    if np.dtype(dtype).name not in FLOATS:
        return keep_scaled.reference(drawn, rate, dtype)
    (drawn,) = contiguous(xp, drawn)
    mask = xp.empty(drawn.shape, dtype=dtype)
    factor = 1.0 / (1.0 - rate) if rate < 1 else 0.0
    SOURCE.run("keep_scaled", mask.dtype, *each_grid(mask.size), drawn, mask, mask.size, float(rate), factor)
    return mask


@override(set_keys, types=None)
def set_keys_cuda(keys: Array, values: list[int]) -> None:
    for i in range(0, len(values), 8):
        some = values[i : i + 8]
        SOURCE.run("set_keys", "float32", (1,), (8,), keys, i, len(some), *some, *[0] * (8 - len(some)))


@override(uniform_by_key, types=None)
def uniform_by_key_cuda(keys: Array, place: int, shape: tuple[int, ...], dtype: DType) -> Array:
    drawn = get_xp(keys).empty(shape, dtype="float64" if np.dtype(dtype) == np.float64 else "float32")
    n = math.prod(shape)
    SOURCE.run("uniform_by_key", drawn.dtype, *each_grid(n), keys, place, drawn, n)
    return drawn.astype(dtype, copy=False)
