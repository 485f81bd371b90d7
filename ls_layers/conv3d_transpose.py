"""Conv3DTranspose: transposed convolution over volumes. Its passes stand in transposed_convolution.py."""

from __future__ import annotations

from .transposed_convolution import TransposedConvolution


class Conv3DTranspose(TransposedConvolution):
    """Transposed convolution over three spatial axes: each input position spreads over a window of the output.

    ``z[b, i * stride + k * dilation - before, f] += x[b, i, c] kernel[k, f, c]`` for all i, k, c;  ``y = activation(z + bias)``.
    What falls outside the output is dropped.

    Parameters
    ----------
    filters : int
        Number F of output channels.
    kernel_size : int or three ints
        Number of taps along each axis.
    strides : int or three ints
        Steps between windows in the output; default 1.
    padding : {'valid', 'same'}
        Output length, R = (kernel_size - 1) dilation + 1, L the input's length. 'valid' (default): (L - 1) stride + max(R, stride).
        'same': L stride.
    output_padding : int or three ints, optional
        Sets the output's length: 'valid': (L - 1) stride + R + output_padding; 'same': (L - 1) stride + R mod 2 + output_padding.
        Below strides.
    data_format : {'channels_last', 'channels_first'}
        Default 'channels_last'.
    dilation_rate : int or three ints
        Steps between the taps of a window; default 1. Not above 1 together with strides.
    activation : str or ActivationFunction, optional
        Default: linear.
    use_bias : bool
        Default True.
    kernel_initializer, bias_initializer : str or Initializer
        Defaults 'glorot_uniform' and 'zeros'.
    kernel_regularizer, bias_regularizer, activity_regularizer, kernel_constraint, bias_constraint : optional

    Notes
    -----
    Input (B, D, H, W, C), output (B, D', H', W', filters). Weights: kernel (*kernel_size, filters, C), bias (filters,).

    Raises
    ------
    ValueError
        Strides and dilation both above 1, or output_padding not below strides.
    ShapeError
        A wrong number of axes or channels.

    Source: Keras 3, ``keras.layers.Conv3DTranspose``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Conv3DTranspose(1, 2, kernel_initializer='ones')
    >>> y, cache = layer.forward(np.array([1., 3.]).reshape(1, 1, 1, 2, 1))
    >>> y[0, 1, :, :, 0], layer.backward(np.ones((1, 2, 2, 3, 1)), cache).ravel()
    (array([[1., 4., 3.], [1., 4., 3.]]), array([8., 8.]))
    """

    rank = 3


__all__ = ["Conv3DTranspose"]
