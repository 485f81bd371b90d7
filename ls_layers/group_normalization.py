"""GroupNormalization: LayerNormalization within groups of channels, over all places.

B batch, S places (every axis between batch and channels, joined), G groups, K channels of a group, C = G K channels.
"""

from __future__ import annotations

from typing import Any

from ls_core.backend import as_float, get_xp
from ls_core.errors import ShapeError
from ls_core.kernel import kernel
from ls_core.layer import Layer
from ls_core.types import Array

from .normalized_axes import accumulate, check_size, flat_value, known_sizes, place_axes, widen


@kernel
def group_normalization_forward(x: Array, gamma: Array, beta: Array, groups: int, epsilon: float) -> tuple[Array, tuple[Array, Array]]:
    B, S, C = x.shape
    grouped = x.reshape(B, S, groups, C // groups)  # (B, S, G, K)
    xhat = grouped - grouped.mean(axis=(1, 3), keepdims=True)  # (B, S, G, K)
    variance = (xhat * xhat).mean(axis=(1, 3), keepdims=True)  # (B, 1, G, 1)
    inverse = 1 / get_xp(x).sqrt(variance + epsilon)  # (B, 1, G, 1)
    xhat *= inverse
    y = xhat.reshape(B, S, C)
    if gamma is not None:
        y = y * gamma
    if beta is not None:
        y = y + beta
    return y, (xhat, inverse)


@kernel
def group_normalization_backward(dy: Array, gamma: Array, saved: tuple[Array, Array]) -> tuple[Array, Array, Array]:
    xhat, inverse = saved  # (B, S, G, K), (B, 1, G, 1)
    # 4. y = xhat * gamma + beta
    dbeta = dy.sum(axis=(0, 1))  # (C,)
    dgamma = None if gamma is None else (dy * xhat.reshape(dy.shape)).sum(axis=(0, 1))  # (C,)
    dxhat = (dy if gamma is None else dy * gamma).reshape(xhat.shape)  # (B, S, G, K)
    # 3. xhat = (x - mean) * inverse
    # 2. inverse = 1 / sqrt(variance + epsilon): what dxhat has along xhat is lost
    # 1. mean(x): what dxhat has in common is lost
    along = (dxhat * xhat).mean(axis=(1, 3), keepdims=True)  # (B, 1, G, 1)
    common = dxhat.mean(axis=(1, 3), keepdims=True)  # (B, 1, G, 1)
    dx = dxhat - xhat * along  # (B, S, G, K)
    dx -= common
    dx *= inverse
    return dx.reshape(dy.shape), dgamma, dbeta


class GroupNormalization(Layer):
    """Normalises each group of channels of each example, over all places.

    ``y = gamma * (x - mean) / sqrt(variance + epsilon) + beta``

    Parameters
    ----------
    groups : int
        How many groups the channels form; it divides their number. -1: a group for each channel (instance
        normalisation). Default 32.
    axis : int
        The channels' axis. Default: the last.
    epsilon : float
        Added to the variance. Default 1e-3.
    center, scale : bool
        Whether there is a ``beta``, and a ``gamma``.
    beta_initializer, gamma_initializer : str or Initializer
        Defaults 'zeros' and 'ones'.
    beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint : optional

    Notes
    -----
    Input (B, ..., C); output: the input's shape. Weights: gamma (C,), beta (C,). Backward as LayerNormalization's, the
    means taken over the places and channels of each group. Half precision is normalised in float32.

    Raises
    ------
    ShapeError
        The channels do not divide into ``groups``, or the axis is the batch or outside the input.

    Source: Keras 3, ``keras.layers.GroupNormalization``; Wu and He 2018, eq. 1 to 4 and 7.

    Examples
    --------
    >>> import numpy as np
    >>> layer = GroupNormalization(groups=2, epsilon=0.)
    >>> y, cache = layer.forward(np.array([[1., 3., 0., 10.]]))
    >>> y, layer.backward(np.array([[1., 1., 1., 2.]]), cache)
    (array([[-1.,  1., -1.,  1.]]), array([[0., 0., 0., 0.]]))
    """

    supports_masking = True

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if not isinstance(groups, int) or (groups < 1 and groups != -1):
            raise ValueError(f"GroupNormalization: groups is a positive integer, or -1 for a group for each channel, not {groups!r}")
        self.groups, self.axis = groups, int(axis)
        self.epsilon = float(epsilon)
        self.center, self.scale = center, scale
        self.beta_options = (beta_initializer, beta_regularizer, beta_constraint)
        self.gamma_options = (gamma_initializer, gamma_regularizer, gamma_constraint)

    def build(self, input_shape: Any) -> None:
        if place_axes(self, [self.axis], len(input_shape)) == (0,):
            raise ShapeError(f"{self}: axis {self.axis} is the batch; groups are formed of channels, so name another axis.", self.axis)
        (channels,) = known_sizes(self, [self.axis], input_shape)
        self._count_groups(channels)
        self.channels = channels
        self.gamma = self.beta = None
        if self.scale:
            initializer, regularizer, constraint = self.gamma_options
            self.gamma = self.add_weight((channels,), initializer, regularizer=regularizer, constraint=constraint, name="gamma")
        if self.center:
            initializer, regularizer, constraint = self.beta_options
            self.beta = self.add_weight((channels,), initializer, regularizer=regularizer, constraint=constraint, name="beta")

    def _count_groups(self, channels: int) -> int:
        groups = channels if self.groups == -1 else self.groups
        if channels % groups:
            raise ShapeError(
                f"{self}: axis {self.axis} of the input has {channels} channels, which do not divide into {groups} groups. "
                "Choose a divisor, or -1 for a group for each channel.",
                self.axis,
            )
        return groups

    def _places_last(self, x: Array) -> Array:
        """(B, S, C); a view where the channels are the last axis."""
        x = x if self.axis in (-1, x.ndim - 1) else x.swapaxes(self.axis, -1)
        size = 1
        for each in x.shape[1:-1]:
            size *= each
        return widen(x.reshape(x.shape[0], size, x.shape[-1]))

    def _places_back(self, y: Array, like: Array) -> Array:
        if self.axis in (-1, like.ndim - 1):
            return y.reshape(like.shape).astype(like.dtype, copy=False)
        swapped = like.swapaxes(self.axis, -1).shape
        return y.reshape(swapped).swapaxes(self.axis, -1).astype(like.dtype, copy=False)

    def forward(self, x: Array, training: bool = False) -> Any:
        x = as_float(x)
        place_axes(self, [self.axis], x.ndim)
        check_size(self, x.shape[self.axis], self.channels, self.axis)
        gamma, beta = flat_value(self.gamma), flat_value(self.beta)
        groups = self._count_groups(self.channels)
        y, saved = group_normalization_forward(self._places_last(x), gamma, beta, groups, self.epsilon)
        return self._places_back(y, x), saved

    def backward(self, dy: Array, saved: Any) -> Array:
        gamma = flat_value(self.gamma)
        dx, dgamma, dbeta = group_normalization_backward(self._places_last(dy), gamma, saved)
        accumulate(self.gamma, dgamma)
        accumulate(self.beta, dbeta)
        return self._places_back(dx, dy)


__all__ = ["GroupNormalization", "group_normalization_backward", "group_normalization_forward"]
