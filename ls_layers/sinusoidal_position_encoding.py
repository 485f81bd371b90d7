"""SinusoidalPositionEncoding: y = x + P, P sines and cosines of the position.

B batch, T positions, D features.
"""

from __future__ import annotations

from typing import Any

from ls_core.backend import as_float, get_xp
from ls_core.kernel import kernel
from ls_core.layer import Layer
from ls_core.types import Array

from .rotary_embedding import position_angles


@kernel
def sinusoidal_position_encoding_forward(x: Array, start_index: int, max_wavelength: float) -> Array:
    xp = get_xp(x)
    T, D = x.shape[-2:]
    positions = xp.arange(start_index, start_index + T)
    angles = position_angles(xp, positions, (D + 1) // 2, D, max_wavelength)  # (T, (D + 1) // 2)
    P = xp.empty((T, D), dtype=x.real.dtype)
    P[:, 0::2] = xp.sin(angles)
    P[:, 1::2] = xp.cos(angles)[:, : D // 2]
    return x + P  # (B, T, D)


class SinusoidalPositionEncoding(Layer):
    """Adds to each feature a sine or a cosine of the position.

    ``y[t, 2 i] = x[t, 2 i] + sin(t / max_wavelength**(2 i / D))``, and the cosine of the same angle at 2 i + 1.

    Parameters
    ----------
    max_wavelength : float
        Default 10000.

    Notes
    -----
    Input (B, T, D); output: the input's shape. No weights. Call argument: ``start_index``, the first position (default 0).
    Backward: dx = dy. keras_hub's SinePositionEncoding returns P alone, for its user to add.

    Raises
    ------
    ShapeError
        The input has not three axes.

    Source: Vaswani et al. 2017, section 3.5.

    Examples
    --------
    >>> import numpy as np
    >>> layer = SinusoidalPositionEncoding()
    >>> layer(np.zeros((1, 2, 2))).round(4), np.round([np.sin(1.), np.cos(1.)], 4)
    (array([[[0.    , 1.    ],
            [0.8415, 0.5403]]]), array([0.8415, 0.5403]))
    """

    supports_masking = True

    def __init__(self, max_wavelength: float = 10000, **options: Any) -> None:
        super().__init__(**options)
        if max_wavelength <= 0:
            raise ValueError(f"SinusoidalPositionEncoding: max_wavelength is positive, not {max_wavelength!r}")
        self.max_wavelength = float(max_wavelength)

    def forward(self, x: Array, start_index: int = 0, training: bool = False) -> Any:
        self.check_rank(x, 3, "batch, time, features")
        x = as_float(x)
        return sinusoidal_position_encoding_forward(x, start_index, self.max_wavelength), None

    def backward(self, dy: Array, saved: None) -> Array:
        return dy  # y = x + P


__all__ = ["SinusoidalPositionEncoding", "sinusoidal_position_encoding_forward"]
