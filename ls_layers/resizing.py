"""Resizing: images to another height and width."""

from __future__ import annotations

from typing import Any

from ls_core.backend import constant, get_xp
from ls_core.types import Array

from .images import ImageLayer
from .resampling import INTERPOLATIONS, interpolation_matrix, resize_backward, resize_forward

Window = tuple[slice, slice]


def aspect_window(height: int, width: int, new_height: int, new_width: int) -> Window:
    """The largest part of an image, in its middle, that has the shape of the new one."""
    crop_height = max(min(height, int(width * new_height / new_width)), 1)
    crop_width = max(min(width, int(height * new_width / new_height)), 1)
    top, left = (height - crop_height) // 2, (width - crop_width) // 2
    return slice(top, top + crop_height), slice(left, left + crop_width)


def resize(x: Array, height: int, width: int, interpolation: str = "bilinear", antialias: bool = False) -> tuple[Array, Any]:
    """Images (B, H, W, C) to (B, height, width, C), and the two matrices that did it."""
    sizes = ((x.shape[1], height), (x.shape[2], width))
    matrices = [constant(interpolation_matrix(*pair, interpolation, antialias).astype(x.real.dtype), x) for pair in sizes]
    return resize_forward(x, *matrices), matrices


class Resizing(ImageLayer):
    """Images of any size to ``height`` x ``width``, in training and inference.

    Parameters
    ----------
    height, width : int
        Of the output, in pixels.
    interpolation : {'bilinear', 'nearest', 'bicubic'}
    crop_to_aspect_ratio : bool
        Cut what sticks out in the middle of the two long sides, instead of distorting.
    pad_to_aspect_ratio : bool
        Add margins of fill_value instead of distorting.
    fill_mode : {'constant'}
    fill_value : float
        Of the margins.
    antialias : bool
        Average over all pixels that shrink into one; otherwise the nearest ones alone count.
    data_format : {'channels_last', 'channels_first'}

    Notes
    -----
    Input (B, H, W, C) or (H, W, C), output the same with height and width; integer images are rounded to integers.
    A linear operator R_H x R_W^T, so backward is ``R_H^T dy R_W``. Pixels are squares whose centres lie at 1/2, as
    in TensorFlow and PyTorch (align_corners=False); bicubic is PyTorch's (a = -3/4, with antialias -1/2).

    Source: Keras 3, ``keras.layers.Resizing``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Resizing(1, 2)
    >>> y, cache = layer.forward(np.arange(8.).reshape(1, 2, 4, 1))
    >>> y.ravel(), layer.backward(np.ones((1, 1, 2, 1)), cache).ravel()
    (array([2.5, 4.5]), array([0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25]))
    """

    keeps_integers = True

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(data_format, **options)
        if interpolation not in INTERPOLATIONS:
            raise ValueError(f"{self}: interpolation is one of {', '.join(INTERPOLATIONS)}, not {interpolation!r}")
        if crop_to_aspect_ratio and pad_to_aspect_ratio:
            raise ValueError(f"{self}: the images are cropped or padded to the aspect ratio, not both")
        if fill_mode != "constant":
            raise ValueError(f"{self}: fill_mode is 'constant', not {fill_mode!r}")
        if height < 1 or width < 1:
            raise ValueError(f"{self}: height and width are positive integers, not {height!r} and {width!r}")
        self.height, self.width = height, width
        self.interpolation, self.antialias = interpolation, bool(antialias)
        self.crop, self.pad, self.fill_value = crop_to_aspect_ratio, pad_to_aspect_ratio, fill_value

    def transform(self, images: Array, training: bool) -> tuple[Array, Any]:
        shape, window = images.shape, None
        if self.crop:
            window = aspect_window(shape[1], shape[2], self.height, self.width)
            images = images[:, window[0], window[1]]
        elif self.pad:
            window = self._margins(shape[1], shape[2])
            images = self._padded(images, *window)
        y, matrices = resize(images, self.height, self.width, self.interpolation, self.antialias)
        return y, (matrices, window, shape)

    def transpose(self, dy: Array, saved: Any) -> Array:
        matrices, window, shape = saved
        inner = resize_backward(dy, *matrices)  # of what was resized
        if window is None:
            return inner
        if self.pad:
            return inner[:, window[0], window[1]]  # the margins are constants
        dx = get_xp(dy).zeros(shape, dtype=dy.dtype)
        dx[:, window[0], window[1]] = inner
        return dx

    def _margins(self, height: int, width: int) -> Window:
        """Where the image lies in the padded one; the margins before and after it are alike."""
        above = (max(height, int(width * self.height / self.width)) - height) // 2
        before = (max(width, int(height * self.width / self.height)) - width) // 2
        return slice(above, above + height), slice(before, before + width)

    def _padded(self, images: Array, rows: slice, columns: slice) -> Array:
        B, H, W, C = images.shape
        full = get_xp(images).full((B, H + 2 * rows.start, W + 2 * columns.start, C), self.fill_value, dtype=images.dtype)
        full[:, rows, columns] = images
        return full

    def output_shape(self, input_shape: Any) -> Any:
        return self.resized(input_shape, self.height, self.width)


__all__ = ["Resizing", "aspect_window", "resize"]
