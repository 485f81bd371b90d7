"""ImageLayer: what the image layers share, so that each sees (B, H, W, C).

B batch, H height, W width, C channels.
"""

from __future__ import annotations

from typing import Any

from ls_core.backend import floatx, get_xp, is_float
from ls_core.errors import ShapeError
from ls_core.layer import Layer
from ls_core.types import Array


class ImageLayer(Layer):
    """Base of the image layers: one image or a batch, channels last or first.

    A subclass writes ``transform(images, training)``, which returns (images, saved), and ``transpose(dy, saved)``;
    both see (B, H, W, C) floats. ``saved`` None says that the images passed unchanged.
    """

    keeps_integers = False  # whether integer images stay integers, rounded

    def __init__(self, data_format: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        if data_format not in (None, "channels_last", "channels_first"):
            raise ValueError(f"{self}: data_format is 'channels_last' or 'channels_first', not {data_format!r}")
        self.channels_first = data_format == "channels_first"

    def transform(self, images: Array, training: bool) -> tuple[Array, Any]:
        """(B, H, W, C) to (B, H', W', C), and what ``transpose`` needs."""
        raise NotImplementedError

    def transpose(self, dy: Array, saved: Any) -> Array:
        """The gradient of the images: (B, H', W', C) to (B, H, W, C)."""
        raise NotImplementedError

    def forward(self, images: Array, training: bool = False) -> Any:
        if images.ndim not in (3, 4):
            raise ShapeError(
                f"{self}: the input has {images.ndim} axes, shape {tuple(images.shape)}; it wants one image of 3 axes "
                f"({'channels, height, width' if self.channels_first else 'height, width, channels'}) or a batch of them."
            )
        x, dtype = self.as_batch(images), images.dtype
        if not is_float(images):
            x = x.astype(self.dtype or floatx())
        y, saved = self.transform(x, training)
        if dtype.kind in "iu" and self.keeps_integers:
            y = get_xp(y).rint(y).astype(dtype)
        return self.restore(y, images.ndim), (saved, images.ndim, is_float(images))

    def backward(self, dy: Array, saved: Any, input_gradient: bool = True) -> Array:
        inner, rank, differentiable = saved
        if not (input_gradient and differentiable):
            return None
        return dy if inner is None else self.restore(self.transpose(self.as_batch(dy), inner), rank)

    def as_batch(self, images: Array) -> Array:
        """A view (B, H, W, C) of ``images``."""
        images = images if images.ndim == 4 else images[None]
        return get_xp(images).moveaxis(images, 1, 3) if self.channels_first else images

    def restore(self, images: Array, rank: int) -> Array:
        """The view that ``as_batch`` came from."""
        images = get_xp(images).moveaxis(images, 3, 1) if self.channels_first else images
        return images if rank == 4 else images[0]

    def resized(self, input_shape: Any, height: int, width: int) -> tuple[Any, ...]:
        """``input_shape`` with another height and width."""
        shape = list(input_shape)
        first = len(shape) - (2 if self.channels_first else 3)
        shape[first : first + 2] = [height, width]
        return tuple(shape)
