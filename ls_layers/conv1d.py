"""Conv1D: convolution over time. Its passes stand in convolution.py."""

from __future__ import annotations

from .convolution import Convolution


class Conv1D(Convolution):
    """Convolution over one spatial axis.

    ``y[b, t, f] = activation(bias[f] + sum_{k, c} x[b, t * stride + k * dilation - before, c] kernel[k, c, f])``,
    where positions outside the input count as 0.

    Parameters
    ----------
    filters : int
        Number F of output channels.
    kernel_size : int
        Number K of taps.
    strides : int
        Steps between windows; default 1.
    padding : {'valid', 'same', 'causal'}
        'valid' (default): windows lie within the input. 'same': ceil(T / stride) outputs, zeros on both sides (an odd
        one at the end). 'causal': all zeros before, so that output t reads nothing after t.
    data_format : {'channels_last', 'channels_first'}
        Default 'channels_last'.
    dilation_rate : int
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
    Input (B, T, C), output (B, T', filters). Weights: kernel (kernel_size, C / groups, filters), bias (filters,).

    Raises
    ------
    ValueError
        Strides and dilation both above 1, or groups that don't divide the filters.
    ShapeError
        A wrong number of axes or channels, groups that don't divide the channels, or a window longer than a 'valid' input.

    Source: Keras 3, ``keras.layers.Conv1D``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Conv1D(1, 2, kernel_initializer='ones')
    >>> y, cache = layer.forward(np.array([[[1.], [2.], [4.]]]))
    >>> y[0, :, 0], layer.backward(np.ones((1, 2, 1)), cache)[0, :, 0], layer.kernel.grad[:, 0, 0]
    (array([3., 6.]), array([1., 2., 1.]), array([3., 6.]))
    """

    rank = 1


__all__ = ["Conv1D"]
