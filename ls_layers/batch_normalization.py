"""BatchNormalization: y = gamma (x - mean) / sqrt(variance + epsilon) + beta, statistics over the batch, for each channel alone.

N rows (the batch and every axis but the channels', joined), C channels.
"""

from __future__ import annotations

from typing import Any

from ls_core.backend import as_float, get_xp
from ls_core.errors import ShapeError
from ls_core.kernel import kernel
from ls_core.layer import Layer
from ls_core.registry import deserialize
from ls_core.types import Array

from .batch_renormalization import Renormalization, renormalization_backward, renormalization_forward
from .normalized_axes import accumulate, check_size, flat_value, gather, known_sizes, place_axes, scatter, widen


@kernel
def batch_normalization_forward(
    x: Array, gamma: Array, beta: Array, epsilon: float, weights: Array
) -> tuple[Array, Array, Array, tuple[Array, Array, Array, Array, Array]]:
    """-> y, mean, variance, saved. ``weights`` (N, 1) or (N, C): 1 where x counts, 0 where it is masked; None: everything counts."""
    if weights is None:
        share = 1.0 / max(x.shape[0], 1)  # what each row contributes to a mean
        mean = x.sum(axis=0) * share  # (C,)
    else:
        share = weights / (weights.sum(axis=0) + 1e-7)  # (N, 1) or (N, C); Keras adds 1e-7 so that nothing is divided by 0
        mean = (x * share).sum(axis=0)  # (C,)
    xhat = x - mean  # (N, C)
    variance = (xhat * xhat * share).sum(axis=0)  # (C,)
    inverse = 1 / get_xp(x).sqrt(variance + epsilon)  # (C,)
    xhat *= inverse
    y = xhat if gamma is None else xhat * gamma
    if beta is not None:
        y = y + beta  # (N, C)
    return y, mean, variance, (x, mean, inverse, share, weights)


@kernel
def batch_normalization_backward(dy: Array, gamma: Array, saved: tuple[Array, Array, Array, Array, Array]) -> tuple[Array, Array, Array]:
    x, mean, inverse, share, weights = saved
    xhat = (x - mean) * inverse  # (N, C), made again: x is there anyway
    # 4. y = xhat * gamma + beta
    dbeta = dy.sum(axis=0)  # (C,)
    dgamma = (dy * xhat).sum(axis=0)  # (C,)
    dxhat = dy if gamma is None else dy * gamma  # (N, C)
    common = dbeta if gamma is None else dbeta * gamma  # (C,), the sum of dxhat
    along = dgamma if gamma is None else dgamma * gamma  # (C,), the sum of dxhat * xhat
    # 3. xhat = (x - mean) * inverse
    # 2. variance = sum((x - mean)^2 * share), inverse = 1 / sqrt(variance + epsilon)
    # 1. mean = sum(x * share)
    rest = xhat * along  # (N, C)
    if weights is not None:
        # The 1e-7 leaves sum(xhat * share) a little off 0, so the variance depends on the mean as well.
        rest -= along * (xhat * share).sum(axis=0)
    rest += common
    rest *= share
    dx = dxhat - rest  # (N, C)
    dx *= inverse
    return dx, dgamma, dbeta


@kernel
def batch_normalization_inference_forward(
    x: Array, mean: Array, variance: Array, gamma: Array, beta: Array, epsilon: float
) -> tuple[Array, tuple[Array, Array]]:
    inverse = 1 / get_xp(x).sqrt(variance + epsilon)  # (C,)
    xhat = (x - mean) * inverse  # (N, C)
    y = xhat if gamma is None else xhat * gamma
    if beta is not None:
        y = y + beta
    return y, (xhat, inverse)


@kernel
def batch_normalization_inference_backward(dy: Array, gamma: Array, saved: tuple[Array, Array]) -> tuple[Array, Array, Array]:
    xhat, inverse = saved
    # 2. y = xhat * gamma + beta
    dbeta = dy.sum(axis=0)  # (C,)
    dgamma = (dy * xhat).sum(axis=0)  # (C,)
    # 1. xhat = (x - mean) * inverse, both constants
    return dy * (inverse if gamma is None else inverse * gamma), dgamma, dbeta


class BatchNormalization(Layer):
    """Gives every channel mean ``beta`` and standard deviation ``gamma`` over the batch.

    ``y = gamma * (x - mean) / sqrt(variance + epsilon) + beta``, with the batch's statistics while training and the
    moving ones otherwise, or when the layer is frozen.

    Parameters
    ----------
    axis : int
        The channels' axis. Default: the last.
    momentum : float
        ``moving = momentum * moving + (1 - momentum) * batch``. Default 0.99.
    epsilon : float
        Added to the variance. Default 1e-3.
    center, scale : bool
        Whether there is a ``beta``, and a ``gamma``.
    beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer : str or Initializer
        Defaults 'zeros', 'ones', 'zeros', 'ones'.
    beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint : optional
    renorm : bool
        Batch renormalisation (Ioffe 2017): while training, ``xhat * r + d`` takes the place of xhat, which brings it to
        what the moving statistics would give. r and d count as constants in the backward.
    renorm_clipping : dict, optional
        'rmin', 'rmax', 'dmax': r stays in rmin ... rmax, d in -dmax ... dmax.
    renorm_momentum : float
        Of the statistics that r and d are made from. Default 0.99.
    synchronized : bool
        Kept in the configuration; there is one device, so it changes nothing.

    Notes
    -----
    Output: the input's shape. Weights: gamma, beta, then the state moving_mean, moving_variance (each (C,); with
    ``renorm`` also moving_stddev, renorm_mean, renorm_stddev). The variance is divided by N, not by N - 1.
    ``mask`` (the input's shape without the last axis): masked elements are normalised, but do not count.
    Backward while training, N rows, xhat = (x - mean) / sqrt(variance + epsilon), dxhat = gamma dy::

        dx = (dxhat - sum(dxhat) / N - xhat sum(dxhat xhat) / N) / sqrt(variance + epsilon)

    and otherwise ``dx = dxhat / sqrt(variance + epsilon)``. Half precision is normalised in float32.

    Raises
    ------
    ShapeError
        The axis is outside the input or has another size than before, or the mask's rank is not the input's less one.

    Source: Keras 3, ``keras.layers.BatchNormalization``; Ioffe and Szegedy 2015, algorithms 1 and 2.

    Examples
    --------
    >>> import numpy as np
    >>> layer = BatchNormalization(epsilon=0.)
    >>> y, cache = layer.forward(np.array([[1., 0.], [3., 8.]]), training=True)
    >>> y, layer.moving_mean.value, layer.moving_variance.value
    (array([[-1., -1.],
           [ 1.,  1.]]), array([0.02, 0.04]), array([1.  , 1.15]))
    """

    supports_masking = True

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        renorm: bool = False,
        renorm_clipping: dict[str, float] | None = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.axis = int(axis)
        self.momentum, self.epsilon = float(momentum), float(epsilon)
        self.center, self.scale = center, scale
        self.beta_options = (beta_initializer, beta_regularizer, beta_constraint)
        self.gamma_options = (gamma_initializer, gamma_regularizer, gamma_constraint)
        self.moving_initializers = (
            deserialize("initializer", moving_mean_initializer),
            deserialize("initializer", moving_variance_initializer),
        )
        self.renormalization = Renormalization(self, renorm_clipping or {}, float(renorm_momentum)) if renorm else None

    def build(self, input_shape: Any) -> None:
        place_axes(self, [self.axis], len(input_shape))
        shape = known_sizes(self, [self.axis], input_shape)
        self.gamma = self.beta = None
        if self.scale:
            initializer, regularizer, constraint = self.gamma_options
            self.gamma = self.add_weight(shape, initializer, regularizer=regularizer, constraint=constraint, name="gamma")
        if self.center:
            initializer, regularizer, constraint = self.beta_options
            self.beta = self.add_weight(shape, initializer, regularizer=regularizer, constraint=constraint, name="beta")
        of_mean, of_variance = self.moving_initializers
        self.moving_mean = self.add_weight(shape, of_mean, name="moving_mean", state=True)
        self.moving_variance = self.add_weight(shape, of_variance, name="moving_variance", state=True)
        if self.renormalization is not None:
            self.renormalization.build(shape, of_mean, of_variance)

    def _row_weights(self, mask: Array, x: Array, places: tuple[int, ...]) -> Array:
        """The mask as 0 and 1, (N, 1) or, where the channels are not the last axis, (N, C)."""
        if mask.ndim != x.ndim - 1:
            raise ShapeError(
                f"{self}: the mask has {mask.ndim} axes, shape {tuple(mask.shape)}, the input {x.ndim}, shape {tuple(x.shape)}; "
                "a mask has the input's axes but the last."
            )
        weights = (mask != 0).astype(widen(x[:0]).dtype)[..., None]
        if places == (x.ndim - 1,):
            return weights.reshape(-1, 1)
        return gather(get_xp(x).broadcast_to(weights, x.shape), places).reshape(-1, x.shape[self.axis])

    def forward(self, x: Array, mask: Array = None, training: bool = False) -> Any:
        x = as_float(x)
        places = place_axes(self, [self.axis], x.ndim)
        check_size(self, x.shape[self.axis], self.moving_mean.size, self.axis)
        weights = None if mask is None else self._row_weights(mask, x, places)
        rows = widen(gather(x, places)).reshape(-1, x.shape[self.axis])
        gamma, beta = flat_value(self.gamma), flat_value(self.beta)
        learns = training and self.trainable
        if not learns:
            mean, variance = widen(self.moving_mean.value), widen(self.moving_variance.value)
            y, saved = batch_normalization_inference_forward(rows, mean, variance, gamma, beta, self.epsilon)
        elif self.renormalization is None:
            y, mean, variance, saved = batch_normalization_forward(rows, gamma, beta, self.epsilon, weights)
        else:
            xhat, mean, variance, inner = batch_normalization_forward(rows, None, None, self.epsilon, weights)
            r, d = self.renormalization.correct(mean, variance, self.epsilon)
            y, outer = renormalization_forward(xhat, r, d, gamma, beta)
            saved = (inner, outer)
        if learns and rows.shape[0]:
            self._learn(mean.real, variance.real)
        return scatter(y, places, x.shape).astype(x.dtype, copy=False), (places, learns, saved)

    def _learn(self, mean: Array, variance: Array) -> None:
        """Move the moving statistics towards the batch's."""
        self._move(self.moving_mean, mean, self.momentum)
        if self.renormalization is None:
            self._move(self.moving_variance, variance, self.momentum)
            return
        xp = get_xp(mean)
        stddev = xp.sqrt(variance + self.epsilon)
        self._move(self.renormalization.mean, mean, self.renormalization.momentum)
        self._move(self.renormalization.stddev, stddev, self.renormalization.momentum)
        moving = self._move(self.renormalization.moving_stddev, stddev, self.momentum)
        self.moving_variance.assign(xp.maximum(moving * moving - self.epsilon, 0))

    @staticmethod
    def _move(moving: Any, now: Array, momentum: float) -> Array:
        moving.assign(moving.value * momentum + now * (1.0 - momentum))
        return moving.value

    def backward(self, dy: Array, saved: Any) -> Array:
        places, learns, saved = saved
        rows = widen(gather(dy, places)).reshape(-1, dy.shape[self.axis])
        gamma = flat_value(self.gamma)
        if not learns:
            dx, dgamma, dbeta = batch_normalization_inference_backward(rows, gamma, saved)
        elif self.renormalization is None:
            dx, dgamma, dbeta = batch_normalization_backward(rows, gamma, saved)
        else:
            inner, outer = saved
            dxhat, dgamma, dbeta = renormalization_backward(rows, gamma, outer)
            dx = batch_normalization_backward(dxhat, None, inner)[0]
        accumulate(self.gamma, dgamma)
        accumulate(self.beta, dbeta)
        return scatter(dx, places, dy.shape).astype(dy.dtype, copy=False)


__all__ = ["BatchNormalization", "batch_normalization_backward", "batch_normalization_forward"]
