"""Rows for text, lookups, encodings, statistics and images."""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.gradcheck.case import Case

from ..category_encoding import CategoryEncoding
from ..center_crop import CenterCrop
from ..discretization import Discretization
from ..hashing import Hashing
from ..integer_lookup import IntegerLookup
from ..normalization import Normalization
from ..random_brightness import RandomBrightness
from ..random_contrast import RandomContrast
from ..random_crop import RandomCrop
from ..random_flip import RandomFlip
from ..random_rotation import RandomRotation
from ..random_translation import RandomTranslation
from ..random_zoom import RandomZoom
from ..rescaling import Rescaling
from ..resizing import Resizing
from ..string_lookup import StringLookup
from ..text_vectorization import TextVectorization

ON_HOST = "texts and lookups read the host's memory"


def _texts(*texts: str) -> Any:
    return lambda g: (np.array(texts, dtype=object),)


def _images(*shape: int) -> Any:
    return lambda g: (g.normal(size=shape),)


# --- independent forwards, written as loops --------------------------------------------------------------


def _tokens_by_hand(layer: Any, texts: Any) -> np.ndarray:
    known = layer.get_vocabulary()
    rows = [[known.index(word) if word in known else 1 for word in text.lower().replace(",", "").split()] for text in texts]
    longest = layer.output_sequence_length or max(map(len, rows))
    return np.array([(row + [0] * longest)[:longest] for row in rows])


def _rescaled(layer: Any, x: np.ndarray) -> np.ndarray:
    scale, offset = np.broadcast_to(layer.scale, x.shape[-1]), np.broadcast_to(layer.offset, x.shape[-1])
    return np.array([[v * scale[c] + offset[c] for c, v in enumerate(row)] for row in x])


def _normalized(layer: Any, x: np.ndarray) -> np.ndarray:
    mean, variance = layer.given
    return np.array([[(v - mean[c]) / variance[c] ** 0.5 for c, v in enumerate(row)] for row in x])


def _counted(layer: Any, ids: np.ndarray, count_weights: Any = None) -> np.ndarray:
    y = np.zeros((len(ids), layer.num_tokens))
    for b, row in enumerate(ids):
        for s, i in enumerate(row):
            y[b, i] += 1 if count_weights is None else count_weights[b, s]
    return np.minimum(y, 1) if layer.output_mode == "multi_hot" else y


def _binned(layer: Any, x: np.ndarray) -> np.ndarray:
    return np.array([[sum(v >= b for b in layer.bin_boundaries) for v in row] for row in x])


def _hashed(layer: Any, words: Any) -> np.ndarray:
    known = {"A": 1, "B": 0, "C": 1, "D": 1, "E": 2}  # worked numbers of Keras' documentation
    return np.array([known[word] for word in words])


def _resized_by_loops(layer: Any, x: np.ndarray) -> np.ndarray:
    """Bilinear, from the definition: each new centre lies among four old ones."""
    B, H, W, C = x.shape
    y = np.zeros((B, layer.height, layer.width, C))
    for p in range(layer.height):
        for q in range(layer.width):
            r = min(max((p + 0.5) * H / layer.height - 0.5, 0), H - 1)
            s = min(max((q + 0.5) * W / layer.width - 0.5, 0), W - 1)
            i, j = int(r), int(s)
            k, m = min(i + 1, H - 1), min(j + 1, W - 1)
            u, v = r - i, s - j
            above = (1 - v) * x[:, i, j] + v * x[:, i, m]
            below = (1 - v) * x[:, k, j] + v * x[:, k, m]
            y[:, p, q] = (1 - u) * above + u * below
    return y


def _middle(layer: Any, x: np.ndarray) -> np.ndarray:
    return np.array([[[image[r, c] for c in range(1, 3)] for r in range(1, 4)] for image in x])


def _turned(layer: Any, x: np.ndarray) -> np.ndarray:
    return np.stack([np.rot90(image) for image in x])


def _shifted(layer: Any, x: np.ndarray) -> np.ndarray:
    y = np.full_like(x, layer.fill_value)
    y[:, 1:, :-2] = x[:, :-1, 2:]  # down by 1 of 4 rows, left by 2 of 4 columns
    return y


def _zoomed_out(layer: Any, x: np.ndarray) -> np.ndarray:
    y = np.full_like(x, layer.fill_value)
    y[:, 1:4] = x[:, ::2]  # twice as high: every second of 5 rows, around the middle one
    return y


def _lightened(layer: Any, x: np.ndarray) -> np.ndarray:
    low, high = layer.value_range
    return np.clip(x + layer.factor[0] * (high - low), low, high)


def _flipped(layer: Any, x: np.ndarray) -> np.ndarray:
    drawn = layer.stream("flips").uniform((len(x), 1, 1, 1), like=x)[:, 0, 0, 0]
    return np.stack([image[:, ::-1] if u <= 0.5 else image for u, image in zip(drawn, x, strict=True)])


def _contrasted(layer: Any, x: np.ndarray) -> np.ndarray:
    drawn = layer.stream("factor").uniform((len(x), 1, 1, 1), "float64", like=x)
    factor = 1 - layer.factor[0] + drawn * (layer.factor[0] + layer.factor[1])
    mean = x.sum(axis=(1, 2), keepdims=True) / (x.shape[1] * x.shape[2])
    return np.clip(mean + factor * (x - mean), *layer.value_range)


def _same_images(layer: Any, x: np.ndarray) -> np.ndarray:
    return x


CASES = [
    Case(
        "TextVectorization",
        lambda: TextVectorization(vocabulary=["the", "cat", "sat"]),
        _texts("The cat, the dog", "sat"),
        expected=_tokens_by_hand,
        differentiable=False,
        skip=("zero_length_batch", "output_shape"),
        notes=ON_HOST + "; the output is as long as the longest text of the batch",
    ),
    Case(
        "TextVectorization cut and padded",
        lambda: TextVectorization(vocabulary=["the", "cat", "sat"], output_sequence_length=3),
        _texts("The cat sat, the end", "", "sat"),
        expected=_tokens_by_hand,
        differentiable=False,
        notes=ON_HOST,
    ),
    Case(
        "TextVectorization counts",
        lambda: TextVectorization(vocabulary=["a", "b"], output_mode="count"),
        _texts("a a b", "c"),
        expected=lambda layer, texts: np.array([[0, 2, 1], [1, 0, 0]]),
        differentiable=False,
        notes=ON_HOST,
    ),
    Case(
        "StringLookup",
        lambda: StringLookup(vocabulary=["a", "b", "c", "d"]),
        lambda g: (np.array([["a", "c", "d"], ["d", "z", "b"]], dtype=object),),
        expected=lambda layer, x: np.array([[1, 3, 4], [4, 0, 2]]),
        differentiable=False,
        notes=ON_HOST,
    ),
    Case(
        "IntegerLookup",
        lambda: IntegerLookup(vocabulary=[12, 36, 1138, 42]),
        lambda g: (np.array([[12, 1138, 42], [42, 1000, 36]]),),
        expected=lambda layer, x: np.array([[1, 3, 4], [4, 0, 2]]),
        differentiable=False,
        skip=("on_standin",),
        notes=ON_HOST + ", so integers on a device are waited for",
    ),
    Case("Hashing", lambda: Hashing(3), _texts("A", "B", "C", "D", "E"), expected=_hashed, differentiable=False, notes=ON_HOST),
    Case(
        "Discretization",
        lambda: Discretization([-0.5, 0.0, 0.5]),
        lambda g: (g.normal(size=(3, 4)),),
        expected=_binned,
        differentiable=False,
    ),
    Case(
        "CategoryEncoding",
        lambda: CategoryEncoding(5),
        lambda g: (g.integers(5, size=(3, 4)),),
        expected=_counted,
        differentiable=False,
    ),
    Case(
        "CategoryEncoding with weights",
        lambda: CategoryEncoding(5, "count"),
        lambda g: (g.integers(5, size=(3, 4)),),
        options={"count_weights": np.random.default_rng(0).normal(size=(3, 4))},
        expected=_counted,
    ),
    Case("Rescaling", lambda: Rescaling(0.5, -1), lambda g: (g.normal(size=(3, 4)),), expected=_rescaled),
    Case("Rescaling by channel", lambda: Rescaling([0.5, 2.0], [0.0, 1.0]), lambda g: (g.normal(size=(3, 2)),), expected=_rescaled),
    Case(
        "Normalization, given",
        lambda: Normalization(mean=[1.0, 2.0], variance=[4.0, 0.25]),
        lambda g: (g.normal(size=(3, 2)),),
        expected=_normalized,
    ),
    Case("Normalization, not adapted, two axes", lambda: Normalization(axis=(1, 2)), lambda g: (g.normal(size=(3, 2, 4)),)),
    Case(
        "Normalization, inverted, one mean",
        lambda: Normalization(axis=None, mean=1.0, variance=4.0, invert=True),
        lambda g: (g.normal(size=(3, 2)),),
        expected=lambda layer, x: 2 * x + 1,
    ),
    Case("Resizing larger", lambda: Resizing(7, 5), _images(2, 3, 4, 2), expected=_resized_by_loops),
    Case(
        "Resizing smaller, no batch",
        lambda: Resizing(2, 3),
        _images(5, 7, 2),
        same_alone=False,
        skip=("zero_length_batch",),
        notes="the first axis is the height",
    ),
    Case("Resizing nearest", lambda: Resizing(4, 5, "nearest"), _images(2, 3, 3, 1)),
    Case("Resizing bicubic, channels first", lambda: Resizing(4, 3, "bicubic", data_format="channels_first"), _images(2, 1, 5, 5)),
    Case("Resizing antialiased", lambda: Resizing(2, 3, antialias=True), _images(2, 5, 7, 1)),
    Case("Resizing cropped", lambda: Resizing(3, 3, crop_to_aspect_ratio=True), _images(2, 4, 7, 1)),
    Case("Resizing padded", lambda: Resizing(3, 3, pad_to_aspect_ratio=True, fill_value=0.5), _images(2, 4, 8, 1)),
    Case("CenterCrop", lambda: CenterCrop(3, 2), _images(2, 5, 4, 2), expected=_middle),
    Case("CenterCrop of a small image", lambda: CenterCrop(4, 6), _images(2, 5, 4, 1)),
    Case("RandomCrop at inference", lambda: RandomCrop(2, 3), _images(2, 4, 6, 1)),
    Case("RandomCrop in training", lambda: RandomCrop(2, 3, seed=1), _images(2, 4, 6, 1), training=True),
    Case(
        "RandomCrop of everything",
        lambda: RandomCrop(4, 6),
        _images(2, 4, 6, 1),
        training=True,
        expected=_same_images,
    ),
    Case("RandomFlip at inference", lambda: RandomFlip(), _images(2, 3, 4, 1), expected=_same_images),
    Case(
        "RandomFlip in training",
        lambda: RandomFlip("horizontal"),
        _images(4, 3, 4, 2),
        training=True,
        same_alone=False,
        notes="each image has a draw of its own",
        expected=_flipped,
    ),
    Case(
        "RandomFlip both ways, channels first",
        lambda: RandomFlip(data_format="channels_first"),
        _images(4, 2, 3, 4),
        training=True,
        same_alone=False,
        notes="each image has a draw of its own",
    ),
    Case("RandomContrast", lambda: RandomContrast((0.0, 0.5)), _images(2, 3, 3, 2), expected=_same_images),
    Case(
        "RandomContrast in training",
        lambda: RandomContrast(0.5, value_range=(-1.2, 1.1)),
        _images(2, 3, 3, 2),
        training=True,
        same_alone=False,
        notes="each image has a draw of its own",
        expected=_contrasted,
    ),
    Case(
        "RandomRotation by a quarter",
        lambda: RandomRotation((0.25, 0.25)),
        _images(2, 3, 3, 2),
        training=True,
        expected=_turned,
    ),
    *(
        Case(
            f"RandomRotation {fill} {interpolation}",
            lambda fill=fill, interpolation=interpolation: RandomRotation(0.4, fill, interpolation, fill_value=0.5),  # type: ignore[misc]
            _images(2, 4, 3, 2),
            training=True,
            same_alone=False,
            notes="each image has a draw of its own",
        )
        for fill, interpolation in (("reflect", "bilinear"), ("constant", "bilinear"), ("wrap", "bilinear"), ("nearest", "nearest"))
    ),
    Case(
        "RandomTranslation by whole pixels",
        lambda: RandomTranslation((0.25, 0.25), (-0.5, -0.5), "constant", fill_value=2.0),
        _images(2, 4, 4, 2),
        training=True,
        expected=_shifted,
    ),
    Case(
        "RandomTranslation between pixels, channels first",
        lambda: RandomTranslation(0.4, 0.3, data_format="channels_first"),
        _images(2, 1, 4, 5),
        training=True,
        same_alone=False,
        notes="each image has a draw of its own",
    ),
    Case(
        "RandomTranslation of one image", lambda: RandomTranslation(0.4, 0.3, "nearest"), _images(4, 5, 2), training=True, same_alone=False
    ),
    Case(
        "RandomZoom out by two",
        lambda: RandomZoom((1.0, 1.0), (0.0, 0.0), "constant", fill_value=2.0),
        _images(2, 5, 3, 2),
        training=True,
        expected=_zoomed_out,
    ),
    Case(
        "RandomZoom of both axes alike, channels first",
        lambda: RandomZoom(0.5, data_format="channels_first"),
        _images(2, 1, 4, 5),
        training=True,
        same_alone=False,
        notes="each image has a draw of its own",
    ),
    Case(
        "RandomBrightness by a given amount",
        lambda: RandomBrightness((0.25, 0.25), value_range=(-1.2, 1.1)),
        _images(2, 3, 3, 2),
        training=True,
        expected=_lightened,
    ),
    Case(
        "RandomBrightness drawn",
        lambda: RandomBrightness(0.3, value_range=(-1.2, 1.1)),
        _images(3, 3, 3, 2),
        training=True,
        same_alone=False,
        notes="each image has a draw of its own",
    ),
]
