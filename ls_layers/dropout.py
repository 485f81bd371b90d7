"""Dropout: y = x mask, mask 1 / (1 - rate) where an element is kept and 0 where it is dropped."""

from __future__ import annotations

from typing import Any

from ls_core.backend import as_float
from ls_core.errors import ShapeError
from ls_core.kernel import kernel
from ls_core.layer import Layer
from ls_core.types import Array


@kernel
def dropout_forward(x: Array, mask: Array) -> Array:
    return x * mask  # (...)


@kernel
def dropout_backward(dy: Array, mask: Array) -> Array:
    # y = x mask
    return dy * mask  # (...)


class Dropout(Layer):
    """While training, sets elements to 0 with probability ``rate`` and multiplies the rest by 1 / (1 - rate).

    Parameters
    ----------
    rate : float
        From 0 (nothing is dropped) to 1 (everything is).
    noise_shape : tuple of int or None, optional
        The mask's shape, where an axis shares its fate: ``(None, 1, None)`` drops a feature at all time steps or at
        none. None takes the input's size. Default: the input's shape.
    seed : int, optional
        Of this layer's own random numbers; default: they follow ``set_seed``.

    Notes
    -----
    Output: the input's shape. No weights. Backward: ``dx = dy mask``. Outside training both passes return their
    argument itself.

    Raises
    ------
    ValueError
        ``rate`` is outside 0 ... 1, or ``noise_shape`` holds something else than positive integers and None.
    ShapeError
        ``noise_shape`` does not broadcast to the input.

    Source: Keras 3, ``keras.layers.Dropout``; Srivastava et al. 2014, section 4.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Dropout(0.5, seed=1)
    >>> x = np.ones(6)
    >>> y, cache = layer.forward(x, training=True)
    >>> y, layer.backward(np.full(6, 3.), cache)
    (array([0., 2., 2., 0., 0., 2.]), array([0., 6., 6., 0., 0., 6.]))
    >>> layer(x) is x
    True
    """

    supports_masking = True

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        if not 0 <= rate <= 1:
            raise ValueError(f"{type(self).__name__}: rate is a number from 0 to 1, not {rate!r}")
        self.rate = rate
        self.seed = seed
        self.noise_shape = check_noise_shape(self, noise_shape)

    def mask_shape(self, x: Array) -> tuple[int, ...]:
        """The shape of the mask for ``x``."""
        return full_noise_shape(self, self.noise_shape, x)

    def forward(self, x: Array, training: bool = False) -> Any:
        if not training or self.rate == 0:
            return x, None
        x = as_float(x)
        mask = self.stream("mask").keep_mask(self.mask_shape(x), self.rate, like=x)
        return dropout_forward(x, mask), mask

    def backward(self, dy: Array, mask: Array) -> Array:
        return dy if mask is None else dropout_backward(dy, mask)


def check_noise_shape(layer: Layer, noise_shape: Any) -> tuple[int | None, ...] | None:
    """``noise_shape`` as a tuple, if it can be one."""
    if noise_shape is None:
        return None
    sizes = tuple(noise_shape) if isinstance(noise_shape, (list, tuple)) else ("not a tuple",)
    if not all(size is None or (isinstance(size, int) and size > 0) for size in sizes):
        raise ValueError(f"{type(layer).__name__}: noise_shape is a tuple of positive integers and None, not {noise_shape!r}")
    return sizes


def full_noise_shape(layer: Layer, noise_shape: tuple[int | None, ...] | None, x: Array) -> tuple[int, ...]:
    """``noise_shape`` with the sizes of ``x`` for None."""
    if noise_shape is None:
        return x.shape
    if len(noise_shape) != x.ndim:
        raise ShapeError(
            f"{layer}: noise_shape {noise_shape} has {len(noise_shape)} axes, the input {x.ndim}; give one size, or None, an axis."
        )
    for axis, (size, wanted) in enumerate(zip(noise_shape, x.shape, strict=True)):
        if size not in (None, 1, wanted):
            raise ShapeError(
                f"{layer}: axis {axis} of noise_shape is {size}, the input's is {wanted}; it must be 1, {wanted} or None.", axis
            )
    return tuple(wanted if size is None else size for size, wanted in zip(noise_shape, x.shape, strict=True))
