"""Conv3D: convolution over volumes. Its passes stand in convolution.py."""

from __future__ import annotations

from .convolution import Convolution


class Conv3D(Convolution):
    """Convolution over three spatial axes.

    ``y[b, o, f] = activation(bias[f] + sum_{k, c} x[b, o * stride + k * dilation - before, c] kernel[k, c, f])``,
    where o and k are positions in space (depth, height, width) and positions outside the input count as 0.

    Parameters
    ----------
    filters : int
        Number F of output channels.
    kernel_size : int or three ints
        Number of taps along each axis.
    strides : int or three ints
        Steps between windows; default 1.
    padding : {'valid', 'same'}
        'valid' (default): windows lie within the input. 'same': ceil(length / stride) outputs along each axis, zeros on
        both sides (an odd one at the end).
    data_format : {'channels_last', 'channels_first'}
        Default 'channels_last'.
    dilation_rate : int or three ints
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
    Input (B, D, H, W, C), output (B, D', H', W', filters). Weights: kernel (*kernel_size, C / groups, filters), bias (filters,).

    Raises
    ------
    ValueError
        Strides and dilation both above 1, or groups that don't divide the filters.
    ShapeError
        A wrong number of axes or channels, groups that don't divide the channels, or a window larger than a 'valid' input.

    Source: Keras 3, ``keras.layers.Conv3D``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Conv3D(1, (1, 1, 2), kernel_initializer='ones')
    >>> y, cache = layer.forward(np.arange(6.0).reshape(1, 2, 1, 3, 1))
    >>> y[0, :, 0, :, 0], layer.backward(np.ones((1, 2, 1, 2, 1)), cache)[0, :, 0, :, 0]
    (array([[1., 3.], [7., 9.]]), array([[1., 2., 1.], [1., 2., 1.]]))
    """

    rank = 3


__all__ = ["Conv3D"]
