"""DepthwiseConv2D: a convolution of each channel alone. Its passes stand in depthwise_convolution.py."""

from __future__ import annotations

from .depthwise_convolution import DepthwiseConvolution


class DepthwiseConv2D(DepthwiseConvolution):
    """Convolution over two spatial axes of each channel alone.

    ``y[b, o, c M + m] = activation(bias[c M + m] + sum_k x[b, o * stride + k * dilation - before, c] kernel[k, c, m])``,
    where positions outside the input count as 0.

    Parameters
    ----------
    kernel_size : int or two ints
        Number of taps along each axis.
    strides : int or two ints
        Steps between windows; default 1.
    padding : {'valid', 'same'}
        'valid' (default): windows lie within the input. 'same': ceil(length / stride) outputs along each axis, zeros on
        both sides (an odd one at the end).
    depth_multiplier : int
        Number M of kernels, and so of outputs, for each channel; default 1.
    data_format : {'channels_last', 'channels_first'}
        Default 'channels_last'.
    dilation_rate : int or two ints
        Steps between the taps of a window; default 1.
    activation : str or ActivationFunction, optional
        Default: linear.
    use_bias : bool
        Default True.
    depthwise_initializer, bias_initializer : str or Initializer
        Defaults 'glorot_uniform' and 'zeros'.
    depthwise_regularizer, bias_regularizer, activity_regularizer, depthwise_constraint, bias_constraint : optional

    Notes
    -----
    Input (B, H, W, C), output (B, H', W', C M). Weights: kernel (*kernel_size, C, M), bias (C M,).

    Raises
    ------
    ShapeError
        A wrong number of axes or channels, or a window larger than a 'valid' input.

    Source: Keras 3, ``keras.layers.DepthwiseConv2D``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = DepthwiseConv2D(2, depthwise_initializer='ones')
    >>> y, cache = layer.forward(np.arange(6.0).reshape(1, 2, 3, 1))
    >>> y[0, :, :, 0], layer.backward(np.ones((1, 1, 2, 1)), cache)[0, :, :, 0]
    (array([[ 8., 12.]]), array([[1., 2., 1.], [1., 2., 1.]]))
    """

    rank = 2


__all__ = ["DepthwiseConv2D"]
