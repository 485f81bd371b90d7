"""Rows for the dropouts, the noises and the penalty on activities."""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.gradcheck.case import Case

from ..activity_regularization import ActivityRegularization
from ..alpha_dropout import AlphaDropout
from ..dense import Dense
from ..dropout import Dropout
from ..gaussian_dropout import GaussianDropout
from ..gaussian_noise import GaussianNoise
from ..spatial_dropout1d import SpatialDropout1D
from ..spatial_dropout2d import SpatialDropout2D
from ..spatial_dropout3d import SpatialDropout3D


def _dropped_by_loops(layer: Any, x: np.ndarray) -> np.ndarray:
    """Draws the same mask, one number for each group of elements that share their fate."""
    shape = layer.mask_shape(x)
    kept = layer.stream("mask").uniform(shape) >= layer.rate
    y = np.zeros(x.shape)
    for place in np.ndindex(*x.shape):
        if kept[tuple(0 if size == 1 else i for i, size in zip(place, shape, strict=True))]:
            y[place] = x[place] / (1 - layer.rate)
    return y


def _alpha_dropped_by_loops(layer: Any, x: np.ndarray) -> np.ndarray:
    kept = layer.stream("mask").uniform(x.shape) >= layer.rate
    q, limit = 1 - layer.rate, -1.7580993408473766
    a = (q + limit**2 * q * layer.rate) ** -0.5
    return np.array([a * (v if k else limit) - a * layer.rate * limit for v, k in zip(x.ravel(), kept.ravel(), strict=True)]).reshape(
        x.shape
    )


def _multiplied(layer: Any, x: np.ndarray) -> np.ndarray:
    return x * (1 + (layer.rate / (1 - layer.rate)) ** 0.5 * layer.stream("noise").normal(x.shape, np.float64))


def _added(layer: Any, x: np.ndarray) -> np.ndarray:
    return x + layer.stddev * layer.stream("noise").normal(x.shape, np.float64)


def _row(name: str, make: Any, shape: tuple[int, ...], expected: Any = None) -> Case:
    return Case(name, make, lambda g: (g.normal(size=shape),), training=True, expected=expected)


CASES = [
    _row("Dropout", lambda: Dropout(0.4), (3, 4), _dropped_by_loops),
    _row("Dropout noise_shape", lambda: Dropout(0.4, noise_shape=(None, 1, 4)), (3, 2, 4), _dropped_by_loops),
    _row("Dropout seed", lambda: Dropout(0.4, seed=3), (3, 4)),
    _row("Dropout rate 0", lambda: Dropout(0.0), (3, 4), lambda layer, x: x),
    _row("Dropout rate 1", lambda: Dropout(1.0), (3, 4), lambda layer, x: 0 * x),
    Case("Dropout at inference", lambda: Dropout(0.4), lambda g: (g.normal(size=(3, 4)),), expected=lambda layer, x: x),
    _row("SpatialDropout1D", lambda: SpatialDropout1D(0.4), (3, 2, 4), _dropped_by_loops),
    _row("SpatialDropout2D", lambda: SpatialDropout2D(0.4), (3, 2, 2, 4), _dropped_by_loops),
    _row("SpatialDropout2D channels_first", lambda: SpatialDropout2D(0.4, "channels_first"), (3, 4, 2, 2), _dropped_by_loops),
    _row("SpatialDropout3D", lambda: SpatialDropout3D(0.4), (3, 2, 1, 2, 3), _dropped_by_loops),
    _row("SpatialDropout3D channels_first", lambda: SpatialDropout3D(0.4, "channels_first"), (3, 3, 2, 1, 2), _dropped_by_loops),
    _row("GaussianDropout", lambda: GaussianDropout(0.4), (3, 4), _multiplied),
    Case("GaussianDropout at inference", lambda: GaussianDropout(0.4), lambda g: (g.normal(size=(3, 4)),), expected=lambda layer, x: x),
    _row("GaussianNoise", lambda: GaussianNoise(0.4), (3, 4), _added),
    Case("GaussianNoise at inference", lambda: GaussianNoise(0.4), lambda g: (g.normal(size=(3, 4)),), expected=lambda layer, x: x),
    _row("AlphaDropout", lambda: AlphaDropout(0.4), (3, 4), _alpha_dropped_by_loops),
    _row("AlphaDropout noise_shape", lambda: AlphaDropout(0.4, noise_shape=(None, 1)), (3, 4)),
    Case("AlphaDropout at inference", lambda: AlphaDropout(0.4), lambda g: (g.normal(size=(3, 4)),), expected=lambda layer, x: x),
    Case(
        "ActivityRegularization",
        lambda: ActivityRegularization(l1=0.2, l2=0.3),
        lambda g: (g.normal(size=(3, 4)),),
        expected=lambda layer, x: x,
        same_alone=False,
        notes="the penalty is divided by the batch size",
    ),
    Case(
        "Dense activity_regularizer",
        lambda: Dense(3, activation="tanh", activity_regularizer="l2"),
        lambda g: (g.normal(size=(4, 2)),),
        same_alone=False,
        notes="the penalty is divided by the batch size",
    ),
]
