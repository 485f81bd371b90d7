"""The layers that change shapes, against Keras 3."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

import ls_layers

from .keras_judge import compare_layer

pytestmark = pytest.mark.judges

CHANNELS = ["channels_last", "channels_first"]
ROWS: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
    *(("Reshape", {"target_shape": t}, (3, 2, 6)) for t in [(12,), (4, 3), (-1,), (3, -1), (-1, 2, 3), (2, 1, 6, 1)]),
    *(("Permute", {"dims": d}, (2, 3, 4, 5)) for d in [(1, 2, 3), (1, 3, 2), (2, 1, 3), (2, 3, 1), (3, 1, 2), (3, 2, 1)]),
    ("Permute", {"dims": (1,)}, (2, 3)),
    *(("RepeatVector", {"n": n}, (2, 3)) for n in (1, 2, 5)),
    *(("Cropping1D", {"cropping": c}, (2, 6, 3)) for c in [0, 1, 2, (0, 3), (3, 0), (2, 1)]),
    *(
        ("Cropping2D", {"cropping": c, "data_format": f}, (2, 6, 5, 7))
        for c in [0, 1, (1, 2), ((1, 0), (0, 2)), ((0, 0), (1, 1)), ((2, 1), (0, 0))]
        for f in CHANNELS
    ),
    *(
        ("Cropping3D", {"cropping": c, "data_format": f}, (1, 5, 6, 4, 5))
        for c in [1, (1, 0, 1), ((1, 0), (0, 2), (1, 1)), ((0, 1), (0, 0), (2, 0))]
        for f in CHANNELS
    ),
    *(("ZeroPadding1D", {"padding": p, "data_format": f}, (2, 4, 3)) for p in [0, 1, 3, (0, 2), (2, 0), (1, 3)] for f in CHANNELS),
    *(
        ("ZeroPadding2D", {"padding": p, "data_format": f}, (2, 3, 4, 2))
        for p in [0, 2, (1, 2), (0, 1), ((1, 0), (0, 2)), ((2, 1), (3, 4))]
        for f in CHANNELS
    ),
    *(
        ("ZeroPadding3D", {"padding": p, "data_format": f}, (2, 2, 3, 1, 2))
        for p in [1, (1, 0, 2), ((1, 0), (0, 2), (1, 1))]
        for f in CHANNELS
    ),
    *(("UpSampling1D", {"size": s}, (2, 4, 3)) for s in (1, 2, 5)),
    *(
        ("UpSampling2D", {"size": s, "data_format": f, "interpolation": i}, shape)
        for s in [2, 3, (1, 2), (4, 3), (5, 1), (1, 1)]
        for f in CHANNELS
        for i in ("nearest", "bilinear")
        for shape in [(2, 3, 4, 2), (1, 1, 1, 1)]
    ),
    *(("UpSampling3D", {"size": s, "data_format": f}, (2, 2, 3, 1, 2)) for s in [2, (1, 2, 3), (3, 1, 1)] for f in CHANNELS),
]


@pytest.mark.parametrize(("name", "arguments", "shape"), ROWS, ids=str)
def test_shape(name: str, arguments: dict[str, Any], shape: tuple[int, ...], rng: np.random.Generator) -> None:
    compare_layer(getattr(ls_layers, name), getattr(keras.layers, name), arguments, (rng.normal(size=shape),))
    ours, theirs = getattr(ls_layers, name)(**arguments), getattr(keras.layers, name)(**arguments)
    unknown = (None, *shape[1:])
    assert tuple(ours.output_shape(unknown)) == tuple(theirs.compute_output_shape(unknown))
    assert theirs.get_config().keys() <= ours.get_config().keys()
