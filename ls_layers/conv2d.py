"""Conv2D: convolution over images. Its passes stand in convolution.py."""

from __future__ import annotations

from .convolution import Convolution


class Conv2D(Convolution):
    """Convolution over two spatial axes.

    ``y[b, i, j, f] = activation(bias[f] + sum_{k, l, c} x[b, i s + k d - p, j s + l d - p, c] kernel[k, l, c, f])``,
    with stride s, dilation d and padding p of each axis; positions outside the input count as 0.

    Parameters
    ----------
    filters : int
        Number F of output channels.
    kernel_size : int or two ints
        Number of taps along each axis.
    strides : int or two ints
        Steps between windows; default 1.
    padding : {'valid', 'same'}
        'valid' (default): windows lie within the input. 'same': ceil(length / stride) outputs along each axis, zeros on
        both sides (an odd one at the end).
    data_format : {'channels_last', 'channels_first'}
        Default 'channels_last'.
    dilation_rate : int or two ints
        Steps between the taps of a window; default 1. Not above 1 together with strides.
    groups : int
        Channels and filters are split into so many parts that don't see each other; default 1.
    activation : str or ActivationFunction, optional
        Default: linear.
    use_bias : bool
        Default True.
    kernel_initializer, bias_initializer : str or Initializer
        Defaults 'glorot_uniform' and 'zeros'.
    kernel_regularizer, bias_regularizer, activity_regularizer, kernel_constraint, bias_constraint : optional

    Notes
    -----
    Input (B, H, W, C), output (B, H', W', filters). Weights: kernel (*kernel_size, C / groups, filters), bias (filters,).

    Raises
    ------
    ValueError
        Strides and dilation both above 1, or groups that don't divide the filters.
    ShapeError
        A wrong number of axes or channels, groups that don't divide the channels, or a window larger than a 'valid' input.

    Source: Keras 3, ``keras.layers.Conv2D``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Conv2D(1, 2, kernel_initializer='ones')
    >>> y, cache = layer.forward(np.arange(6.0).reshape(1, 2, 3, 1))
    >>> y[0, :, :, 0], layer.backward(np.ones((1, 1, 2, 1)), cache)[0, :, :, 0]
    (array([[ 8., 12.]]), array([[1., 2., 1.], [1., 2., 1.]]))
    """

    rank = 2


__all__ = ["Conv2D"]
