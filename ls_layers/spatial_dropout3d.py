"""SpatialDropout3D: dropout of whole channels. B batch, D, H, W the axes of space, C channels."""

from __future__ import annotations

from .spatial_dropout import SpatialDropout


class SpatialDropout3D(SpatialDropout):
    """While training, drops a channel everywhere or nowhere, with probability ``rate``.

    Parameters
    ----------
    rate : float
        From 0 to 1.
    data_format : {'channels_last', 'channels_first'}, optional
        Default 'channels_last'.
    seed : int, optional
        Of this layer's own random numbers; default: they follow ``set_seed``.

    Notes
    -----
    Input and output (B, D, H, W, C), or (B, C, D, H, W); the mask is (B, 1, 1, 1, C), or (B, C, 1, 1, 1). Else as ``Dropout``.

    Raises
    ------
    ValueError
        ``rate`` is outside 0 ... 1, or there is no such ``data_format``.
    ShapeError
        The input has not 5 axes.

    Source: Keras 3, ``keras.layers.SpatialDropout3D``; Tompson et al. 2014, section 3.2.

    Examples
    --------
    >>> import numpy as np
    >>> y, cache = SpatialDropout3D(0.5, seed=1).forward(np.ones((1, 2, 1, 2, 3)), training=True)
    >>> y.reshape(4, 3).tolist()
    [[0.0, 2.0, 2.0], [0.0, 2.0, 2.0], [0.0, 2.0, 2.0], [0.0, 2.0, 2.0]]
    """

    space = 3
