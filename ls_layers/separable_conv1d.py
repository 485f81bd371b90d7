"""SeparableConv1D: each channel alone, then across the channels. Its passes stand in separable_convolution.py."""

from __future__ import annotations

from .separable_convolution import SeparableConvolution


class SeparableConv1D(SeparableConvolution):
    """A convolution of each channel alone, then a 1x1 convolution across the channels; over one spatial axis.

    ``u[b, o, c M + m] = sum_k x[b, o * stride + k * dilation - before, c] depthwise_kernel[k, c, m]``,
    ``y[b, o, f] = activation(bias[f] + sum_n u[b, o, n] pointwise_kernel[n, f])``; positions outside the input count as 0.

    Parameters
    ----------
    filters : int
        Number F of output channels.
    kernel_size : int
        Number of taps along each axis of the depthwise part.
    strides : int
        Steps between windows; default 1.
    padding : {'valid', 'same'}
        'valid' (default): windows lie within the input. 'same': ceil(length / stride) outputs along each axis, zeros on
        both sides (an odd one at the end).
    data_format : {'channels_last', 'channels_first'}
        Default 'channels_last'.
    dilation_rate : int
        Steps between the taps of a window; default 1.
    depth_multiplier : int
        Number M of depthwise kernels for each channel; default 1.
    activation : str or ActivationFunction, optional
        Default: linear.
    use_bias : bool
        Default True.
    depthwise_initializer, pointwise_initializer, bias_initializer : str or Initializer
        Defaults 'glorot_uniform', 'glorot_uniform' and 'zeros'.
    depthwise_regularizer, pointwise_regularizer, bias_regularizer, activity_regularizer : optional
    depthwise_constraint, pointwise_constraint, bias_constraint : optional

    Notes
    -----
    Input (B, T, C), output (B, T', filters). Weights: depthwise_kernel (*kernel_size, C, M),
    pointwise_kernel (1, C M, filters), bias (filters,).

    Raises
    ------
    ShapeError
        A wrong number of axes or channels, or a window larger than a 'valid' input.

    Source: Keras 3, ``keras.layers.SeparableConv1D``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = SeparableConv1D(1, 2, depthwise_initializer='ones', pointwise_initializer='ones')
    >>> y, cache = layer.forward(np.arange(6.0).reshape(1, 3, 2))
    >>> y[0, :, 0], layer.backward(np.ones((1, 2, 1)), cache)[0, :, 0]
    (array([ 6., 14.]), array([1., 2., 1.]))
    """

    rank = 1


__all__ = ["SeparableConv1D"]
