"""DepthwiseConv1D: a convolution of each channel alone. Its passes stand in depthwise_convolution.py."""

from __future__ import annotations

from .depthwise_convolution import DepthwiseConvolution


class DepthwiseConv1D(DepthwiseConvolution):
    """Convolution over one spatial axis of each channel alone.

    ``y[b, o, c M + m] = activation(bias[c M + m] + sum_k x[b, o * stride + k * dilation - before, c] kernel[k, c, m])``,
    where positions outside the input count as 0.

    Parameters
    ----------
    kernel_size : int
        Number of taps along each axis.
    strides : int
        Steps between windows; default 1.
    padding : {'valid', 'same'}
        'valid' (default): windows lie within the input. 'same': ceil(length / stride) outputs along each axis, zeros on
        both sides (an odd one at the end).
    depth_multiplier : int
        Number M of kernels, and so of outputs, for each channel; default 1.
    data_format : {'channels_last', 'channels_first'}
        Default 'channels_last'.
    dilation_rate : int
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
    Input (B, T, C), output (B, T', C M). Weights: kernel (*kernel_size, C, M), bias (C M,).

    Raises
    ------
    ShapeError
        A wrong number of axes or channels, or a window larger than a 'valid' input.

    Source: Keras 3, ``keras.layers.DepthwiseConv1D``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = DepthwiseConv1D(2, depthwise_initializer='ones')
    >>> y, cache = layer.forward(np.array([[[1., 10.], [2., 20.], [4., 40.]]]))
    >>> y[0], layer.backward(np.ones((1, 2, 2)), cache)[0, :, 0]
    (array([[ 3., 30.], [ 6., 60.]]), array([1., 2., 1.]))
    """

    rank = 1


__all__ = ["DepthwiseConv1D"]
