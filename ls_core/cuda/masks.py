"""Dropout masks on CUDA. Drawing is one launch (see ``ls_core.backend``), this one the other; x * mask is CuPy's own product."""

from __future__ import annotations

import numpy as np

from ..backend import get_xp
from ..random import keep_scaled
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
