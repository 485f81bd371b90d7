"""Rows for the layers that change shapes: Reshape, Permute, RepeatVector, Cropping, ZeroPadding, UpSampling."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from ls_core.gradcheck.case import Case

from ..cropping1d import Cropping1D
from ..cropping2d import Cropping2D
from ..cropping3d import Cropping3D
from ..permute import Permute
from ..repeat_vector import RepeatVector
from ..reshape import Reshape
from ..up_sampling1d import UpSampling1D
from ..up_sampling2d import UpSampling2D
from ..up_sampling3d import UpSampling3D
from ..zero_padding1d import ZeroPadding1D
from ..zero_padding2d import ZeroPadding2D
from ..zero_padding3d import ZeroPadding3D


def _reshaped(layer: Any, x: np.ndarray) -> np.ndarray:
    y = np.empty((x.shape[0], 4, 3))
    for b in range(x.shape[0]):
        numbers = iter([n for row in x[b] for n in row])
        for i, j in itertools.product(range(4), range(3)):
            y[b, i, j] = next(numbers)
    return y


def _permuted(layer: Any, x: np.ndarray) -> np.ndarray:
    y = np.empty((x.shape[0], x.shape[3], x.shape[1], x.shape[2]))
    for b, i, j, k in np.ndindex(x.shape):
        y[b, k, i, j] = x[b, i, j, k]
    return y


def _with_margins(sign: int) -> Any:
    def expected(layer: Any, x: np.ndarray) -> np.ndarray:
        first = 2 if layer.channels_first else 1
        shape = list(x.shape)
        for i, (before, after) in enumerate(layer.margins):
            shape[first + i] += sign * (before + after)
        y = np.zeros(shape)
        for place in np.ndindex(*shape):
            source = list(place)
            for i, (before, _) in enumerate(layer.margins):
                source[first + i] -= sign * before
            if all(0 <= s < size for s, size in zip(source, x.shape, strict=True)):
                y[place] = x[tuple(source)]
        return y

    return expected


def _repeated(layer: Any, x: np.ndarray) -> np.ndarray:
    first = 2 if layer.channels_first else 1
    shape = list(x.shape)
    for i, s in enumerate(layer.size):
        shape[first + i] *= s
    y = np.empty(shape)
    for place in np.ndindex(*shape):
        source = list(place)
        for i, s in enumerate(layer.size):
            source[first + i] //= s
        y[place] = x[tuple(source)]
    return y


def _bilinear(layer: Any, x: np.ndarray) -> np.ndarray:
    """numpy.interp along rows, then along columns: it too is constant beyond the outermost centres."""
    B, H, W, C = x.shape
    sh, sw = layer.size
    rows, columns = (np.arange(H * sh) + 0.5) / sh - 0.5, (np.arange(W * sw) + 0.5) / sw - 0.5
    y = np.empty((B, H * sh, W * sw, C))
    for b, c in np.ndindex(B, C):
        high = np.stack([np.interp(rows, np.arange(H), x[b, :, w, c]) for w in range(W)], axis=1)
        y[b, :, :, c] = np.stack([np.interp(columns, np.arange(W), line) for line in high])
    return y


def _normal(*shape: int) -> Any:
    return lambda g: (g.normal(size=shape),)


_CROPPED, _PADDED = _with_margins(-1), _with_margins(1)
CASES = [
    Case("Reshape", lambda: Reshape((4, 3)), _normal(2, 2, 6), expected=_reshaped),
    Case("Reshape, one size left over", lambda: Reshape((-1, 2)), _normal(2, 3, 4)),
    Case("Permute", lambda: Permute((3, 1, 2)), _normal(2, 3, 2, 4), expected=_permuted),
    Case(
        "RepeatVector",
        lambda: RepeatVector(3),
        _normal(2, 4),
        expected=lambda layer, x: np.array([[list(row)] * 3 for row in x]),
    ),
    Case("Cropping1D", lambda: Cropping1D((1, 2)), _normal(2, 5, 2), expected=_CROPPED),
    Case("Cropping1D, nothing at the end", lambda: Cropping1D((2, 0)), _normal(2, 4, 3), expected=_CROPPED),
    Case("Cropping2D", lambda: Cropping2D(((1, 0), (2, 1))), _normal(2, 3, 5, 2), expected=_CROPPED),
    Case("Cropping2D channels first", lambda: Cropping2D(1, data_format="channels_first"), _normal(2, 2, 3, 4), expected=_CROPPED),
    Case("Cropping3D", lambda: Cropping3D(((1, 1), (0, 1), (1, 0))), _normal(1, 3, 2, 3, 2), expected=_CROPPED),
    Case("ZeroPadding1D", lambda: ZeroPadding1D((1, 2)), _normal(2, 3, 2), expected=_PADDED),
    Case("ZeroPadding2D", lambda: ZeroPadding2D(((1, 0), (2, 1))), _normal(2, 2, 3, 2), expected=_PADDED),
    Case(
        "ZeroPadding2D channels first", lambda: ZeroPadding2D((1, 2), data_format="channels_first"), _normal(2, 2, 2, 1), expected=_PADDED
    ),
    Case("ZeroPadding3D", lambda: ZeroPadding3D((1, 0, 2)), _normal(1, 2, 2, 1, 2), expected=_PADDED),
    Case("UpSampling1D", lambda: UpSampling1D(3), _normal(2, 3, 2), expected=_repeated),
    Case("UpSampling2D", lambda: UpSampling2D((2, 3)), _normal(2, 2, 3, 2), expected=_repeated),
    Case("UpSampling2D channels first", lambda: UpSampling2D((3, 1), "channels_first"), _normal(2, 2, 3, 2), expected=_repeated),
    Case("UpSampling2D bilinear", lambda: UpSampling2D((2, 3), interpolation="bilinear"), _normal(2, 3, 4, 2), expected=_bilinear),
    Case("UpSampling2D bilinear, one row", lambda: UpSampling2D((4, 2), interpolation="bilinear"), _normal(1, 1, 2, 2), expected=_bilinear),
    Case(
        "UpSampling2D bilinear channels first",
        lambda: UpSampling2D(2, "channels_first", "bilinear"),
        _normal(2, 2, 2, 3),
        expected=lambda layer, x: np.moveaxis(_bilinear(layer, np.moveaxis(x, 1, -1)), -1, 1),
    ),
    Case("UpSampling3D", lambda: UpSampling3D((2, 1, 3)), _normal(1, 2, 2, 1, 2), expected=_repeated),
]
