"""LayerNormalization: y = gamma (x - mean) / sqrt(variance + epsilon) + beta, statistics over features, for each example alone.

... every axis that is not normalised, N the normalised numbers (of several axes, joined into one).
"""

from __future__ import annotations

from typing import Any

from ls_core.backend import as_float, get_xp
from ls_core.kernel import kernel
from ls_core.layer import Layer
from ls_core.types import Array

from .normalized_axes import accumulate, check_size, flat_value, gather, known_sizes, list_axes, place_axes, scatter, widen


@kernel
def layer_normalization_forward(x: Array, gamma: Array, beta: Array, epsilon: float) -> tuple[Array, tuple[Array, Array]]:
    xhat = x - x.mean(axis=-1, keepdims=True)  # (..., N)
    variance = (xhat * xhat).mean(axis=-1, keepdims=True)  # (..., 1)
    inverse = 1 / get_xp(x).sqrt(variance + epsilon)  # (..., 1)
    xhat *= inverse
    y = xhat if gamma is None else xhat * gamma
    if beta is not None:
        y = y + beta  # (..., N)
    return y, (xhat, inverse)


@kernel
def layer_normalization_backward(dy: Array, gamma: Array, saved: tuple[Array, Array]) -> tuple[Array, Array, Array]:
    xhat, inverse = saved
    rows = (-1, dy.shape[-1])
    # 4. y = xhat * gamma + beta
    dbeta = dy.reshape(rows).sum(axis=0)  # (N,)
    dgamma = None if gamma is None else (dy * xhat).reshape(rows).sum(axis=0)  # (N,)
    dxhat = dy if gamma is None else dy * gamma  # (..., N)
    # 3. xhat = (x - mean) * inverse
    # 2. inverse = 1 / sqrt(variance + epsilon): what dxhat has along xhat is lost, the scale being divided out
    # 1. mean(x): what dxhat has in common is lost, the mean being subtracted
    along = (dxhat * xhat).mean(axis=-1, keepdims=True)  # (..., 1)
    common = dxhat.mean(axis=-1, keepdims=True)  # (..., 1)
    dx = dxhat - xhat * along  # (..., N)
    dx -= common
    dx *= inverse
    return dx, dgamma, dbeta


@kernel
def variance_scaling_forward(x: Array, gamma: Array, epsilon: float) -> tuple[Array, tuple[Array, Array, Array]]:
    centred = x - x.mean(axis=-1, keepdims=True)  # (..., N)
    inverse = 1 / get_xp(x).sqrt((centred * centred).mean(axis=-1, keepdims=True) + epsilon)  # (..., 1)
    return x * inverse * gamma, (x, centred, inverse)


@kernel
def variance_scaling_backward(dy: Array, gamma: Array, saved: tuple[Array, Array, Array]) -> tuple[Array, Array]:
    x, centred, inverse = saved
    # 2. y = x * inverse * gamma
    dgamma = (dy * x * inverse).reshape(-1, dy.shape[-1]).sum(axis=0)  # (N,)
    dz = dy * gamma  # (..., N)
    # 1. inverse = 1 / sqrt(mean(centred^2) + epsilon), d inverse / dx = -inverse^3 centred / N
    dinverse = (dz * x).mean(axis=-1, keepdims=True)  # (..., 1), over N already
    return dz * inverse - centred * (dinverse * inverse * inverse * inverse), dgamma


class LayerNormalization(Layer):
    """Gives every example mean ``beta`` and standard deviation ``gamma`` over its features.

    ``y = gamma * (x - mean) / sqrt(variance + epsilon) + beta``

    Parameters
    ----------
    axis : int or list of int
        The axes over which mean and variance go. Default: the last.
    epsilon : float
        Added to the variance. Default 1e-3.
    center, scale : bool
        Whether there is a ``beta``, and a ``gamma``.
    beta_initializer, gamma_initializer : str or Initializer
        Defaults 'zeros' and 'ones'.
    beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint : optional
    rms_scaling : bool
        Keras' deprecated variant ``y = gamma * x / sqrt(variance + epsilon)``: x keeps its mean, there is no beta.
        For what the name says use ``RMSNormalization``.

    Notes
    -----
    Output: the input's shape. Weights: gamma, beta, each with one axis for each normalised one. With several
    axes Keras sorts them as they are written, -1 before 1, and that is the order of the weights' axes here too.
    Backward, with xhat = (x - mean) / sqrt(variance + epsilon) and dxhat = gamma dy::

        dx = (dxhat - mean(dxhat) - xhat mean(dxhat xhat)) / sqrt(variance + epsilon)

    Half precision is normalised in float32.

    Raises
    ------
    ShapeError
        An axis is outside the input, or has another size than the Parameters were made for.

    Source: Keras 3, ``keras.layers.LayerNormalization``; Ba et al. 2016, eq. 4.

    Examples
    --------
    >>> import numpy as np
    >>> layer = LayerNormalization(epsilon=0.)
    >>> y, cache = layer.forward(np.array([[1., 2., 3.], [0., 0., 3.]]))
    >>> y.round(3)
    array([[-1.225,  0.   ,  1.225],
           [-0.707, -0.707,  1.414]])
    >>> layer.backward(np.array([[1., 0., 0.], [5., 5., 5.]]), cache).round(3) + 0.
    array([[ 0.204, -0.408,  0.204],
           [ 0.   ,  0.   ,  0.   ]])
    """

    supports_masking = True

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        *,
        rms_scaling: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.axes = list_axes("LayerNormalization", axis)
        self.epsilon = float(epsilon)
        self.rms_scaling = rms_scaling
        self.center, self.scale = center and not rms_scaling, scale or rms_scaling
        self.beta_options = (beta_initializer, beta_regularizer, beta_constraint)
        self.gamma_options = (gamma_initializer, gamma_regularizer, gamma_constraint)

    def build(self, input_shape: Any) -> None:
        place_axes(self, self.axes, len(input_shape))
        shape = known_sizes(self, self.axes, input_shape)
        self.gamma = self.beta = None
        if self.scale:
            initializer, regularizer, constraint = self.gamma_options
            self.gamma = self.add_weight(shape, initializer, regularizer=regularizer, constraint=constraint, name="gamma")
        if self.center:
            initializer, regularizer, constraint = self.beta_options
            self.beta = self.add_weight(shape, initializer, regularizer=regularizer, constraint=constraint, name="beta")

    def forward(self, x: Array, training: bool = False) -> Any:
        x = as_float(x)
        places = place_axes(self, self.axes, x.ndim)
        rows = widen(gather(x, places))
        gamma, beta = flat_value(self.gamma), flat_value(self.beta)
        for each in (gamma, beta):
            if each is not None:
                check_size(self, rows.shape[-1], each.size, self.axes)
        if self.rms_scaling:
            y, saved = variance_scaling_forward(rows, gamma, self.epsilon)
        else:
            y, saved = layer_normalization_forward(rows, gamma, beta, self.epsilon)
        return scatter(y, places, x.shape).astype(x.dtype, copy=False), (places, saved)

    def backward(self, dy: Array, saved: Any) -> Array:
        places, saved = saved
        rows = widen(gather(dy, places))
        if self.rms_scaling:
            dx, dgamma = variance_scaling_backward(rows, flat_value(self.gamma), saved)
        else:
            dx, dgamma, dbeta = layer_normalization_backward(rows, flat_value(self.gamma), saved)
            accumulate(self.beta, dbeta)
        accumulate(self.gamma, dgamma)
        return scatter(dx, places, dy.shape).astype(dy.dtype, copy=False)


__all__ = ["LayerNormalization", "layer_normalization_backward", "layer_normalization_forward"]
