"""Rows for the pooling layers and Flatten."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from ls_core.gradcheck.case import Case

from ..adaptive_average_pooling1d import AdaptiveAveragePooling1D
from ..adaptive_average_pooling2d import AdaptiveAveragePooling2D
from ..adaptive_average_pooling3d import AdaptiveAveragePooling3D
from ..adaptive_max_pooling1d import AdaptiveMaxPooling1D
from ..adaptive_max_pooling2d import AdaptiveMaxPooling2D
from ..adaptive_max_pooling3d import AdaptiveMaxPooling3D
from ..average_pooling1d import AveragePooling1D
from ..average_pooling2d import AveragePooling2D
from ..average_pooling3d import AveragePooling3D
from ..flatten import Flatten
from ..global_average_pooling1d import GlobalAveragePooling1D
from ..global_average_pooling2d import GlobalAveragePooling2D
from ..global_average_pooling3d import GlobalAveragePooling3D
from ..global_max_pooling1d import GlobalMaxPooling1D
from ..global_max_pooling2d import GlobalMaxPooling2D
from ..global_max_pooling3d import GlobalMaxPooling3D
from ..max_pooling1d import MaxPooling1D
from ..max_pooling2d import MaxPooling2D
from ..max_pooling3d import MaxPooling3D


def _by_windows(reduce: Callable[[list[float]], float]) -> Callable[[Any, np.ndarray], np.ndarray]:
    """``reduce`` of the input's elements in each window, one window after the other."""

    def expected(layer: Any, x: np.ndarray) -> np.ndarray:
        spans = []  # along each axis, the positions of the input in each window
        for n, k, s in zip(x.shape[1:-1], layer.pool_size, layer.strides, strict=True):
            count = (n - k) // s + 1 if layer.padding == "valid" else -(-n // s)
            before = 0 if layer.padding == "valid" else max(0, (count - 1) * s + k - n) // 2
            spans.append([[p for p in range(o * s - before, o * s - before + k) if 0 <= p < n] for o in range(count)])
        y = np.empty((x.shape[0], *map(len, spans), x.shape[-1]))
        for at in np.ndindex(*y.shape):
            b, *o, c = at
            places = itertools.product(*(span[i] for span, i in zip(spans, o, strict=True)))
            y[at] = reduce([float(x[(b, *place, c)]) for place in places])
        return y

    return expected


def _adapted(reduce: Callable[[list[float]], float]) -> Callable[[Any, np.ndarray], np.ndarray]:
    """``reduce`` of the elements whose share of the axis touches the window's."""

    def expected(layer: Any, x: np.ndarray) -> np.ndarray:
        y = np.empty((x.shape[0], *layer.output_size, x.shape[-1]))
        for at in np.ndindex(*y.shape):
            b, *o, c = at
            axes = [
                [p for p in range(n) if (p + 1) * size > i * n and p * size < (i + 1) * n]  # (p, p + 1) / n meets (i, i + 1) / size
                for i, n, size in zip(o, x.shape[1:-1], layer.output_size, strict=True)
            ]
            y[at] = reduce([float(x[(b, *place, c)]) for place in itertools.product(*axes)])
        return y

    return expected


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _over_all(reduce: Callable[[list[float]], float]) -> Callable[..., np.ndarray]:
    def expected(layer: Any, x: np.ndarray, mask: Any = None) -> np.ndarray:
        kept = np.ones(x.shape[:-1], dtype=bool) if mask is None else mask
        B, C = x.shape[0], x.shape[-1]
        return np.array([[reduce(list(x[b, ..., c][kept[b]])) for c in range(C)] for b in range(B)])

    return expected


_max_by_windows, _mean_by_windows = _by_windows(max), _by_windows(_mean)


def _normal(*shape: int) -> Callable[[np.random.Generator], tuple[np.ndarray]]:
    return lambda g: (g.normal(size=shape),)


def _distinct(*shape: int) -> Callable[[np.random.Generator], tuple[np.ndarray]]:
    """Numbers at least 0.1 apart, so that no maximum is near a tie."""
    return lambda g: (0.1 * g.permutation(int(np.prod(shape))).reshape(shape) - 1.0,)


_MASK = np.array([[True, False, True, True], [False, True, False, False]])

CASES = [
    Case("MaxPooling1D", lambda: MaxPooling1D(2), _distinct(2, 5, 3), expected=_max_by_windows),
    Case("MaxPooling1D same, overlapping", lambda: MaxPooling1D(3, 2, padding="same"), _distinct(2, 6, 2), expected=_max_by_windows),
    Case("MaxPooling1D stride above pool", lambda: MaxPooling1D(2, 3), _distinct(2, 6, 2), expected=_max_by_windows),
    Case("MaxPooling1D channels first", lambda: MaxPooling1D(2, 1, data_format="channels_first"), _distinct(2, 3, 4)),
    Case("MaxPooling2D", MaxPooling2D, _distinct(2, 4, 3, 2), expected=_max_by_windows),
    Case(
        "MaxPooling2D same, overlapping",
        lambda: MaxPooling2D((3, 2), (2, 1), padding="same"),
        _distinct(2, 4, 3, 2),
        expected=_max_by_windows,
    ),
    Case("MaxPooling2D channels first", lambda: MaxPooling2D(2, data_format="channels_first"), _distinct(2, 2, 4, 3)),
    Case("MaxPooling3D", lambda: MaxPooling3D((1, 2, 2)), _distinct(2, 2, 2, 3, 2), expected=_max_by_windows),
    Case("MaxPooling3D same", lambda: MaxPooling3D(2, 1, padding="same"), _distinct(1, 2, 3, 2, 2), expected=_max_by_windows),
    Case("AveragePooling1D", lambda: AveragePooling1D(2), _normal(2, 5, 3), expected=_mean_by_windows),
    Case("AveragePooling1D same, overlapping", lambda: AveragePooling1D(3, 2, padding="same"), _normal(2, 6, 2), expected=_mean_by_windows),
    Case("AveragePooling1D channels first", lambda: AveragePooling1D(2, 1, data_format="channels_first"), _normal(2, 3, 4)),
    Case("AveragePooling2D", lambda: AveragePooling2D(2), _normal(2, 4, 3, 2), expected=_mean_by_windows),
    Case("AveragePooling2D same", lambda: AveragePooling2D((3, 2), 2, padding="same"), _normal(2, 4, 3, 2), expected=_mean_by_windows),
    Case("AveragePooling3D", lambda: AveragePooling3D((1, 2, 2)), _normal(2, 2, 2, 3, 2), expected=_mean_by_windows),
    Case("AveragePooling3D same", lambda: AveragePooling3D(2, 1, padding="same"), _normal(1, 2, 3, 2, 2), expected=_mean_by_windows),
    Case("GlobalMaxPooling1D", GlobalMaxPooling1D, _distinct(2, 4, 3), expected=_over_all(max)),
    Case("GlobalMaxPooling1D channels first, axes kept", lambda: GlobalMaxPooling1D("channels_first", True), _distinct(2, 4, 3)),
    Case("GlobalMaxPooling2D", GlobalMaxPooling2D, _distinct(2, 2, 3, 2), expected=_over_all(max)),
    Case("GlobalMaxPooling3D", GlobalMaxPooling3D, _distinct(2, 2, 1, 3, 2), expected=_over_all(max)),
    Case("GlobalAveragePooling1D", GlobalAveragePooling1D, _normal(2, 4, 3), expected=_over_all(_mean)),
    Case(
        "GlobalAveragePooling1D mask",
        GlobalAveragePooling1D,
        _normal(2, 4, 3),
        {"mask": _MASK},
        expected=_over_all(_mean),
        same_alone=False,
        notes="the mask has one row for each row of the batch",
    ),
    Case("GlobalAveragePooling1D channels first, axes kept", lambda: GlobalAveragePooling1D("channels_first", True), _normal(2, 4, 3)),
    Case("GlobalAveragePooling2D", GlobalAveragePooling2D, _normal(2, 2, 3, 2), expected=_over_all(_mean)),
    Case("GlobalAveragePooling2D axes kept", lambda: GlobalAveragePooling2D(keepdims=True), _normal(2, 2, 3, 2)),
    Case("GlobalAveragePooling3D", GlobalAveragePooling3D, _normal(2, 2, 1, 3, 2), expected=_over_all(_mean)),
    Case("AdaptiveAveragePooling1D", lambda: AdaptiveAveragePooling1D(3), _normal(2, 5, 2), expected=_adapted(_mean)),
    Case("AdaptiveAveragePooling1D to more", lambda: AdaptiveAveragePooling1D(4), _normal(2, 3, 2), expected=_adapted(_mean)),
    Case("AdaptiveAveragePooling2D", lambda: AdaptiveAveragePooling2D((2, 3)), _normal(2, 3, 4, 2), expected=_adapted(_mean)),
    Case("AdaptiveAveragePooling2D channels first", lambda: AdaptiveAveragePooling2D(2, "channels_first"), _normal(2, 2, 3, 4)),
    Case("AdaptiveAveragePooling3D", lambda: AdaptiveAveragePooling3D((1, 2, 2)), _normal(2, 2, 3, 2, 1), expected=_adapted(_mean)),
    Case("AdaptiveMaxPooling1D", lambda: AdaptiveMaxPooling1D(3), _distinct(2, 5, 2), expected=_adapted(max)),
    Case("AdaptiveMaxPooling1D to more", lambda: AdaptiveMaxPooling1D(4), _distinct(2, 3, 2), expected=_adapted(max)),
    Case("AdaptiveMaxPooling2D", lambda: AdaptiveMaxPooling2D((2, 3)), _distinct(2, 3, 4, 2), expected=_adapted(max)),
    Case("AdaptiveMaxPooling2D channels first", lambda: AdaptiveMaxPooling2D(2, "channels_first"), _distinct(2, 2, 3, 4)),
    Case("AdaptiveMaxPooling3D", lambda: AdaptiveMaxPooling3D((1, 2, 2)), _distinct(2, 2, 3, 2, 1), expected=_adapted(max)),
    Case("Flatten", Flatten, _normal(2, 3, 2), expected=lambda layer, x: np.array([[v for row in image for v in row] for image in x])),
    Case("Flatten channels first", lambda: Flatten("channels_first"), _normal(2, 3, 2, 2)),
    Case("Flatten one axis", Flatten, _normal(3)),
]
