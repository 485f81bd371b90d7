"""Rows for the normalisations."""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.gradcheck.case import Case
from ls_core.initializers import RandomUniform

from ..batch_normalization import BatchNormalization
from ..dense import Dense
from ..embedding import Embedding
from ..group_normalization import GroupNormalization
from ..layer_normalization import LayerNormalization
from ..rms_normalization import RMSNormalization
from ..spectral_normalization import SpectralNormalization
from ..unit_normalization import UnitNormalization


def _batch_by_loops(layer: Any, x: np.ndarray, mask: Any = None, training: bool = True) -> np.ndarray:
    y = np.empty_like(x)
    for c in range(x.shape[-1]):
        if training:
            kept = x[..., c].ravel() if mask is None else x[..., c][mask]
            mean = sum(kept) / len(kept)
            variance = sum((each - mean) ** 2 for each in kept) / len(kept)
        else:
            mean, variance = layer.moving_mean.value[c], layer.moving_variance.value[c]
        y[..., c] = layer.gamma.value[c] * (x[..., c] - mean) / (variance + layer.epsilon) ** 0.5 + layer.beta.value[c]
    return y


def _batch_at_rest(layer: Any, x: np.ndarray) -> np.ndarray:
    return _batch_by_loops(layer, x, training=False)


def _layer_by_loops(layer: Any, x: np.ndarray) -> np.ndarray:
    y = np.empty_like(x)
    for row in np.ndindex(*x.shape[:-1]):
        mean = sum(x[row]) / x.shape[-1]
        variance = sum((each - mean) ** 2 for each in x[row]) / x.shape[-1]
        y[row] = (x[row] - mean) / (variance + layer.epsilon) ** 0.5 * layer.gamma.value + layer.beta.value
    return y


def _rms_by_loops(layer: Any, x: np.ndarray) -> np.ndarray:
    root = np.array([[(sum(each**2 for each in row) / len(row) + layer.epsilon) ** 0.5] for row in x])
    return layer.scale.value * x / root


def _group_by_loops(layer: Any, x: np.ndarray) -> np.ndarray:
    y = np.empty_like(x)
    size = x.shape[-1] // layer.groups
    for b in range(x.shape[0]):
        for g in range(layer.groups):
            channels = slice(g * size, (g + 1) * size)
            part = x[b, ..., channels]
            y[b, ..., channels] = (part - part.mean()) / (part.var() + layer.epsilon) ** 0.5
    return y * layer.gamma.value + layer.beta.value


def _unit_by_loops(layer: Any, x: np.ndarray) -> np.ndarray:
    return np.array([row / sum(each**2 for each in row) ** 0.5 for row in x])


def _dense_by_loops(layer: Any, x: np.ndarray) -> np.ndarray:
    return np.array([[sum(row * column) for column in layer.kernel.value.T] for row in x]) + layer.layer.bias.value


def _normal(*shape: int) -> Any:
    return lambda g: (g.normal(0.5, 1.0, size=shape),)


def _batch(**options: Any) -> Any:
    random: dict[str, Any] = {"beta_initializer": "normal", "gamma_initializer": "normal", "moving_mean_initializer": "normal"}
    return lambda: BatchNormalization(**random, moving_variance_initializer=RandomUniform(0.5, 1.5), **options)


_RANDOM: dict[str, Any] = {"beta_initializer": "normal", "gamma_initializer": "normal"}
_MASK = np.array([[True, True, False], [True, False, False], [True, True, True]])

CASES = [
    Case("BatchNormalization", _batch(), _normal(4, 3), expected=_batch_at_rest),
    Case("BatchNormalization training", _batch(), _normal(6, 3), training=True, expected=_batch_by_loops, same_alone=False),
    Case(
        "BatchNormalization training, masked",
        _batch(),
        _normal(3, 3, 2),
        options={"mask": _MASK},
        training=True,
        same_alone=False,
    ),
    Case(
        "BatchNormalization training, channels first, no gamma",
        _batch(axis=1, scale=False),
        _normal(3, 2, 3),
        training=True,
        same_alone=False,
    ),
    Case(
        "BatchNormalization training, channels first, masked",
        _batch(axis=1, center=False),
        _normal(3, 3, 2),
        options={"mask": _MASK},
        training=True,
        same_alone=False,
    ),
    Case(
        "BatchNormalization renorm",
        _batch(renorm=True),
        _normal(4, 3),
        notes="at inference only: while training its backward takes the correction for constant, on purpose",
    ),
    Case("LayerNormalization", lambda: LayerNormalization(**_RANDOM), _normal(3, 5), expected=_layer_by_loops),
    Case("LayerNormalization, no gamma, no beta", lambda: LayerNormalization(scale=False, center=False), _normal(2, 3, 4)),
    Case("LayerNormalization, two axes", lambda: LayerNormalization(axis=[1, 2]), _normal(2, 3, 4)),
    Case("LayerNormalization, first and last axis", lambda: LayerNormalization(axis=[1, -1]), _normal(2, 3, 2, 2)),
    Case("LayerNormalization rms_scaling", lambda: LayerNormalization(rms_scaling=True), _normal(3, 5)),
    Case("RMSNormalization", RMSNormalization, _normal(3, 5), expected=_rms_by_loops),
    Case("RMSNormalization, two axes", lambda: RMSNormalization(axis=(1, 2)), _normal(2, 3, 4)),
    Case("RMSNormalization, axis 1", lambda: RMSNormalization(axis=1), _normal(2, 3, 4)),
    Case("GroupNormalization", lambda: GroupNormalization(groups=2, **_RANDOM), _normal(2, 3, 6), expected=_group_by_loops),
    Case("GroupNormalization, a group each", lambda: GroupNormalization(groups=-1, scale=False), _normal(2, 2, 3, 2)),
    Case("GroupNormalization, channels first", lambda: GroupNormalization(groups=2, axis=1), _normal(2, 4, 3)),
    Case("UnitNormalization", UnitNormalization, _normal(3, 5), expected=_unit_by_loops),
    Case("UnitNormalization, two axes", lambda: UnitNormalization(axis=[1, 2]), _normal(2, 3, 4)),
    Case(
        "SpectralNormalization", lambda: SpectralNormalization(Dense(3, bias_initializer="normal")), _normal(4, 5), expected=_dense_by_loops
    ),
    Case(
        "SpectralNormalization of an Embedding",
        lambda: SpectralNormalization(Embedding(5, 3), power_iterations=2),
        lambda g: (g.integers(0, 5, size=(2, 4)),),
        notes="at inference only: while training a forward replaces the embeddings",
    ),
]
