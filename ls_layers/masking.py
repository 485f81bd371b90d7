"""Masking: time steps whose features all equal a value are masked. B batch, T time, C features."""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.layer import Layer
from ls_core.types import Array


@kernel
def masking_forward(x: Array, mask_value: float) -> tuple[Array, Array]:
    kept = (x != mask_value).any(axis=-1, keepdims=True)  # (B, T, 1)
    return get_xp(x).where(kept, x, 0), kept  # (B, T, C)


@kernel
def masking_backward(dy: Array, kept: Array) -> Array:
    # y = x where kept, else 0
    return dy * kept  # (B, T, C)


class Masking(Layer):
    """Masks the time steps of which every feature equals ``mask_value``, and sets them to 0.

    Layers after this one get the mask ``any(x != mask_value)`` over the features.

    Parameters
    ----------
    mask_value : float
        Default 0.

    Notes
    -----
    Input (B, T, ..., C), output of the same shape, mask (B, T, ...). No weights. Backward: dy where the step is kept.

    Source: Keras 3, ``keras.layers.Masking``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Masking(mask_value=-1.0)
    >>> x = np.array([[[1., -1.], [-1., -1.]]])
    >>> layer(x), layer.compute_mask(x)
    (array([[[ 1., -1.], [ 0.,  0.]]]), array([[ True, False]]))
    """

    supports_masking = True
    makes_mask = True

    def __init__(self, mask_value: float = 0.0, **options: Any) -> None:
        super().__init__(**options)
        if isinstance(mask_value, bool) or not isinstance(mask_value, (int, float)):
            raise TypeError(f"Masking: mask_value is one number, not {mask_value!r}")
        self.mask_value = mask_value

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return (inputs != self.mask_value).any(axis=-1)

    def forward(self, x: Array, training: bool = False) -> Any:
        return masking_forward(x, self.mask_value)

    def backward(self, dy: Array, kept: Array) -> Array:
        return masking_backward(dy, kept)
