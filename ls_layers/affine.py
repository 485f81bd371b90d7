"""Affine maps of images: each output pixel reads the input where a matrix says, between its pixels.

B batch, H height, W width, C channels, N = B H W pixels, K corners that a pixel is interpolated from.
"""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array

from .images import ImageLayer

FILL_MODES = ("reflect", "wrap", "constant", "nearest")
INTERPOLATIONS = ("bilinear", "nearest")


@kernel
def affine_corners(matrices: Array, height: int, width: int, interpolation: str, fill_mode: str) -> tuple[Array, Array]:
    """The pixels that each output pixel reads, and their weights.

    ``matrices`` (B, 6), rows a b c d e f: output pixel (row h, column w) reads the input at column ``a w + b h + c`` and
    row ``d w + e h + f``. Returns places (K, N) in the batch's pixels, row by row, and weights (K, N); what lies outside
    weighs nothing with fill_mode 'constant'.
    """
    xp = get_xp(matrices)
    B = len(matrices)
    m = matrices.reshape(B, 6, 1, 1)
    h = xp.arange(height, dtype=matrices.dtype)[:, None]  # (H, 1)
    w = xp.arange(width, dtype=matrices.dtype)  # (W,)
    across = m[:, 0] * w + m[:, 1] * h + m[:, 2]  # (B, H, W)
    down = m[:, 3] * w + m[:, 4] * h + m[:, 5]  # (B, H, W)
    first = xp.arange(B)[:, None, None] * (height * width)  # (B, 1, 1), each image's first pixel
    places, weights = [], []
    for row, row_weight in _neighbours(down, interpolation):
        for column, column_weight in _neighbours(across, interpolation):
            weight = row_weight * column_weight
            if fill_mode == "constant":
                weight = weight * ((row >= 0) & (row < height) & (column >= 0) & (column < width))
            place = first + _inside(row, height, fill_mode) * width + _inside(column, width, fill_mode)
            places.append(place.reshape(-1))
            weights.append(weight.reshape(-1))
    return xp.stack(places), xp.stack(weights)


def _neighbours(position: Array, interpolation: str) -> list[tuple[Array, Array]]:
    """The pixels next to a position along one axis, with their weights."""
    xp = get_xp(position)
    if interpolation == "nearest":
        return [(xp.rint(position).astype("int64"), xp.ones_like(position))]
    low = xp.floor(position)
    share = position - low
    index = low.astype("int64")
    return [(index, 1 - share), (index + 1, share)]


def _inside(index: Array, size: int, fill_mode: str) -> Array:
    """The pixel that stands for one outside the image."""
    xp = get_xp(index)
    if fill_mode == "wrap":  # a b c | a b c | a b c
        return index % size
    if fill_mode == "reflect":  # c b a | a b c | c b a
        index = index % (2 * size)
        return xp.minimum(index, 2 * size - 1 - index)
    return xp.clip(index, 0, size - 1)  # a a a | a b c | c c c


@kernel
def affine_forward(x: Array, places: Array, weights: Array, fill_value: float) -> Array:
    pixels = x.reshape(-1, x.shape[-1])  # (N, C)
    y = fill_value * (1 - weights.sum(axis=0))[:, None]  # (N, 1), what lies outside
    for place, weight in zip(places, weights, strict=True):
        y = y + pixels[place] * weight[:, None]  # (N, C)
    return y.reshape(x.shape)


@kernel
def affine_backward(dy: Array, places: Array, weights: Array) -> Array:
    xp = get_xp(dy)
    wide = "float32" if dy.dtype.itemsize == 2 else dy.dtype  # CuPy adds no bfloat16 at places
    flat = dy.reshape(-1, dy.shape[-1]).astype(wide, copy=False)  # (N, C)
    # y[n] = sum_k weights[k, n] x[places[k, n]], so a pixel gets the gradient of all that read it
    dx = xp.zeros(flat.shape, dtype=wide)
    for place, weight in zip(places, weights, strict=True):
        xp.add.at(dx, place, flat * weight[:, None])
    return dx.reshape(dy.shape).astype(dy.dtype, copy=False)


class AffineLayer(ImageLayer):
    """Base of RandomRotation, RandomTranslation and RandomZoom: a matrix for each image while training.

    A subclass writes ``matrices(images)``, (B, 6).
    """

    def __init__(
        self, fill_mode: str, interpolation: str, seed: int | None, fill_value: float, data_format: str | None, **options: Any
    ) -> None:
        super().__init__(data_format, **options)
        if fill_mode not in FILL_MODES:
            raise ValueError(f"{self}: fill_mode is one of {', '.join(FILL_MODES)}, not {fill_mode!r}")
        if interpolation not in INTERPOLATIONS:
            raise ValueError(f"{self}: interpolation is one of {', '.join(INTERPOLATIONS)}, not {interpolation!r}")
        self.fill_mode, self.interpolation, self.seed, self.fill_value = fill_mode, interpolation, seed, fill_value

    def matrices(self, images: Array) -> Array:
        """A new matrix for each image: (B, 6)."""
        raise NotImplementedError

    def draw(self, use: str, images: Array, lower: float, upper: float) -> Array:
        """A number for each image, from lower to upper: (B,), float64 whatever the images are, so that places are exact."""
        return self.stream(use).uniform((len(images),), "float64", like=images) * (upper - lower) + lower

    def transform(self, images: Array, training: bool) -> tuple[Array, Any]:
        if not training:
            return images, None
        H, W = images.shape[1:3]
        places, weights = affine_corners(self.matrices(images), H, W, self.interpolation, self.fill_mode)
        weights = weights.astype(images.real.dtype)
        fill = self.fill_value if self.fill_mode == "constant" else 0.0
        return affine_forward(images, places, weights, fill), (places, weights)

    def transpose(self, dy: Array, saved: Any) -> Array:
        return affine_backward(dy, *saved)


def factor_range(owner: Any, factor: Any, name: str) -> tuple[float, float]:
    """(lower, upper) of a factor: one number f stands for (-|f|, |f|)."""
    lower, upper = (-abs(factor), abs(factor)) if isinstance(factor, (int, float)) else sorted(factor)
    if not -1 <= lower <= upper <= 1:
        raise ValueError(f"{owner}: {name} is a number from -1 to 1, or two of them, not {factor!r}")
    return lower, upper
