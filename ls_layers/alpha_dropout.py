"""AlphaDropout: dropout to selu's lower limit, then a correction that keeps mean and variance."""

from __future__ import annotations

from typing import Any

from ls_core.backend import as_float
from ls_core.kernel import kernel
from ls_core.layer import Layer
from ls_core.types import Array

from .activations.selu import SELU_ALPHA, SELU_SCALE
from .dropout import check_noise_shape, full_noise_shape

LIMIT = -SELU_ALPHA * SELU_SCALE  # of selu for x -> -infinity


def _correction(rate: float) -> tuple[float, float]:
    a = ((1 - rate) * (1 + rate * LIMIT**2)) ** -0.5
    return a, -a * LIMIT * rate


@kernel
def alpha_dropout_forward(x: Array, kept: Array, rate: float) -> Array:
    a, b = _correction(rate)
    return (x * kept + (1 - kept) * LIMIT) * a + b  # (...)


@kernel
def alpha_dropout_backward(dy: Array, kept: Array, rate: float) -> Array:
    # y = a (x kept + limit (1 - kept)) + b
    return dy * (kept * _correction(rate)[0])  # (...)


class AlphaDropout(Layer):
    """While training, sets elements to selu's lower limit with probability ``rate``, then keeps mean 0 and variance 1.

    With l = -1.7581 (selu's limit): ``y = a (x or l) + b``, a = ((1 - rate) (1 + rate l^2))^(-1/2), b = -a l rate.

    Parameters
    ----------
    rate : float
        0 or more and below 1.
    noise_shape : tuple of int or None, optional
        The mask's shape, 1 along axes that share their fate; None takes the input's size. Default: the input's shape.
    seed : int, optional
        Of this layer's own random numbers; default: they follow ``set_seed``.

    Notes
    -----
    Output: the input's shape. No weights. Backward: ``dx = a dy`` where kept, else 0. Outside training both passes
    return their argument itself.

    Raises
    ------
    ValueError
        ``rate`` is outside 0 ... 1, or 1, which leaves nothing to correct.
    ShapeError
        ``noise_shape`` does not broadcast to the input.

    Source: Keras 3, ``keras.layers.AlphaDropout``; Klambauer et al. 2017, section 2, "New dropout technique".

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=100000)
    >>> y, cache = AlphaDropout(0.2, seed=1).forward(x, training=True)
    >>> round(abs(float(y.mean())), 2), round(float(y.std()), 2)
    (0.0, 1.0)
    """

    supports_masking = True

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        if not 0 <= rate < 1:
            raise ValueError(f"AlphaDropout: rate is a number from 0 to below 1, not {rate!r}")
        self.rate = rate
        self.seed = seed
        self.noise_shape = check_noise_shape(self, noise_shape)

    def forward(self, x: Array, training: bool = False) -> Any:
        if not training or self.rate == 0:
            return x, None
        x = as_float(x)
        shape = full_noise_shape(self, self.noise_shape, x)
        kept = (self.stream("mask").uniform(shape, like=x) >= self.rate).astype(x.dtype)
        return alpha_dropout_forward(x, kept, self.rate), kept

    def backward(self, dy: Array, kept: Array) -> Array:
        return dy if kept is None else alpha_dropout_backward(dy, kept, self.rate)
