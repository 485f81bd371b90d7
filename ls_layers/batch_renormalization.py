"""Batch renormalisation: what BatchNormalization(renorm=True) does to xhat while training.

z = xhat r + d, r = stddev / renorm_stddev, d = (mean - renorm_mean) / renorm_stddev. N rows, C channels.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.layer import Layer
from ls_core.types import Array


@kernel
def renormalization_forward(xhat: Array, r: Array, d: Array, gamma: Array, beta: Array) -> tuple[Array, tuple[Array, Array, Array]]:
    z = xhat * r + d  # (N, C)
    y = z if gamma is None else z * gamma
    if beta is not None:
        y = y + beta  # (N, C)
    return y, (xhat, r, d)


@kernel
def renormalization_backward(dy: Array, gamma: Array, saved: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
    xhat, r, d = saved
    # 2. y = z * gamma + beta
    dbeta = dy.sum(axis=0)  # (C,)
    dgamma = (dy * xhat).sum(axis=0) * r + dbeta * d  # (C,)
    # 1. z = xhat * r + d; r and d count as constants, though the batch made them (Ioffe 2017, section 3)
    return dy * (r if gamma is None else r * gamma), dgamma, dbeta


class Renormalization:
    """The statistics behind r and d, as state of ``layer``."""

    def __init__(self, layer: Layer, clipping: dict[str, float], momentum: float) -> None:
        unknown = set(clipping) - {"rmin", "rmax", "dmax"}
        if unknown:
            raise ValueError(f"BatchNormalization: renorm_clipping has 'rmin', 'rmax' and 'dmax', not {sorted(unknown)}")
        self.rmin, self.rmax, self.dmax = (clipping.get(key) for key in ("rmin", "rmax", "dmax"))
        if self.rmin is not None and self.rmax is not None and self.rmax < self.rmin:
            raise ValueError(f"BatchNormalization: renorm_clipping has rmax {self.rmax} below rmin {self.rmin}")
        if self.dmax is not None and self.dmax < 0:
            raise ValueError(f"BatchNormalization: renorm_clipping's dmax is not negative, not {self.dmax}")
        self.layer, self.momentum = layer, momentum

    def build(self, shape: tuple[int, ...], of_mean: Any, of_variance: Any) -> None:
        def root(shape: Any, **options: Any) -> np.ndarray:
            return np.sqrt(of_variance(shape, **options))

        self.moving_stddev = self.layer.add_weight(shape, root, name="moving_stddev", state=True)
        self.mean = self.layer.add_weight(shape, of_mean, name="renorm_mean", state=True)
        self.stddev = self.layer.add_weight(shape, root, name="renorm_stddev", state=True)

    def correct(self, mean: Array, variance: Array, epsilon: float) -> tuple[Array, Array]:
        """r and d, clipped."""
        xp = get_xp(mean)
        reference = xp.maximum(self.stddev.value.astype(mean.dtype, copy=False), math.sqrt(epsilon))  # (C,)
        r = xp.sqrt(variance + epsilon) / reference
        d = (mean - self.mean.value.astype(mean.dtype, copy=False)) / reference
        if self.rmin is not None:
            r = xp.maximum(r, self.rmin)
        if self.rmax is not None:
            r = xp.minimum(r, self.rmax)
        if self.dmax is not None:
            d = xp.minimum(xp.maximum(d, -self.dmax), self.dmax)
        return r, d


__all__ = ["Renormalization", "renormalization_backward", "renormalization_forward"]
