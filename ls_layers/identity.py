"""Identity: y = x."""

from __future__ import annotations

from typing import Any

from ls_core.layer import Layer
from ls_core.types import Array


class Identity(Layer):
    """Returns its input itself: a placeholder where a layer is wanted and nothing is to be done.

    Notes
    -----
    Output: the input. No weights. Backward: dy itself.

    Source: Keras 3, ``keras.layers.Identity``.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.ones(3)
    >>> Identity()(x) is x
    True
    """

    supports_masking = True

    def forward(self, x: Array, training: bool = False) -> Any:
        return x, None

    def backward(self, dy: Array, saved: None) -> Array:
        return dy
