"""RotaryEmbedding: every pair of features is turned by an angle that grows with the position.

... any axes, T positions, D features, P = D / 2 pairs.
"""

from __future__ import annotations

from typing import Any

from ls_core.backend import as_float, get_xp
from ls_core.errors import ShapeError
from ls_core.kernel import kernel
from ls_core.layer import Layer
from ls_core.types import Array


@kernel
def rotary_forward(x: Array, cos: Array, sin: Array, interleaved: bool) -> Array:
    """x (..., D); cos and sin broadcast to (..., P)."""
    y = get_xp(x).empty_like(x)
    first, second = _pairs(x.shape[-1], interleaved)
    y[..., first] = x[..., first] * cos - x[..., second] * sin  # (..., P)
    y[..., second] = x[..., second] * cos + x[..., first] * sin  # (..., P)
    return y


@kernel
def rotary_backward(dy: Array, cos: Array, sin: Array, interleaved: bool) -> Array:
    dx = get_xp(dy).empty_like(dy)
    first, second = _pairs(dy.shape[-1], interleaved)
    # 2. y[second] = x[second] * cos + x[first] * sin
    # 1. y[first] = x[first] * cos - x[second] * sin: the transposed turn, which is the turn back
    dx[..., first] = dy[..., first] * cos + dy[..., second] * sin  # (..., P)
    dx[..., second] = dy[..., second] * cos - dy[..., first] * sin  # (..., P)
    return dx


def _pairs(D: int, interleaved: bool) -> tuple[slice, slice]:
    """Where the first and the second features of the pairs stand."""
    return (slice(0, D, 2), slice(1, D, 2)) if interleaved else (slice(0, D // 2), slice(D // 2, D))


def position_angles(xp: Any, positions: Array, count: int, features: int, max_wavelength: float) -> Array:
    """(..., count): position / max_wavelength^(2 i / features), i = 0 ... count - 1, in float64."""
    powers = xp.arange(count, dtype="float64") * (2.0 / features)
    return positions.astype("float64")[..., None] * max_wavelength**-powers


class RotaryEmbedding(Layer):
    """Turns pairs of features by angles that tell the position, so that products of queries and keys depend on distances.

    Pair i of the features at position t is turned by ``t / max_wavelength**(2 i / D)``::

        y1 = x1 cos(angle) - x2 sin(angle)
        y2 = x2 cos(angle) + x1 sin(angle)

    Parameters
    ----------
    max_wavelength : float
        Default 10000.
    scaling_factor : float
        Positions are divided by it. Default 1.
    sequence_axis : int
        The axis of positions. Default 1: (B, T, D) and (B, T, H, D); -2 fits (B, H, T, D).
    interleaved : bool
        Which features form pairs. False (default): x1 is the first half, x2 the second, as in Llama, Gemma and
        GPT-NeoX, transformers and keras_hub. True: neighbours, (0, 1), (2, 3) ..., as in the paper, GPT-J and GGUF files of Llama.
        Kernels of queries and keys made for one fit the other once their columns are permuted.

    Notes
    -----
    Output: the input's shape. No weights. Call arguments: ``start_index``, the first position (default 0), or ``positions`` (T,)
    or (B, T), all of them. Backward: dy turned back.

    Raises
    ------
    ShapeError
        The last axis is odd, or the positions do not fit the input.

    Source: Su et al. 2021, section 3.2.2; keras_hub's layer of this name.

    Examples
    --------
    >>> import numpy as np
    >>> layer = RotaryEmbedding()
    >>> layer(np.array([[[1., 0.], [1., 0.]]])).round(4), np.round([np.cos(1.), np.sin(1.)], 4)
    (array([[[1.    , 0.    ],
            [0.5403, 0.8415]]]), array([0.5403, 0.8415]))
    """

    supports_masking = True

    def __init__(
        self,
        max_wavelength: float = 10000,
        scaling_factor: float = 1.0,
        sequence_axis: int = 1,
        interleaved: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if max_wavelength <= 0 or scaling_factor <= 0:
            raise ValueError(
                f"RotaryEmbedding: max_wavelength and scaling_factor are positive, not {max_wavelength!r} and {scaling_factor!r}"
            )
        self.max_wavelength, self.scaling_factor = float(max_wavelength), float(scaling_factor)
        self.sequence_axis, self.interleaved = sequence_axis, interleaved

    def _turns(self, x: Array, start_index: int, positions: Array) -> tuple[Array, Array]:
        """cos and sin of all angles, with axes of size 1 where the input's other axes are."""
        xp, axis = get_xp(x), self.sequence_axis % x.ndim
        if x.shape[-1] % 2:
            raise ShapeError(
                f"{self}: the last axis of the input is {x.shape[-1]}; it must be even, since features are turned in pairs.", -1
            )
        if positions is None:
            positions = xp.arange(start_index, start_index + x.shape[axis])
        if (
            positions.shape[-1] != x.shape[axis]
            or (positions.ndim == 2 and positions.shape[0] not in (1, x.shape[0]))
            or positions.ndim > 2
        ):
            raise ShapeError(
                f"{self}: positions have shape {tuple(positions.shape)}, the input {tuple(x.shape)} with time at axis {axis}; "
                f"give ({x.shape[axis]},) or ({x.shape[0]}, {x.shape[axis]}).",
                axis,
            )
        angles = position_angles(xp, positions, x.shape[-1] // 2, x.shape[-1], self.max_wavelength) * (1.0 / self.scaling_factor)
        shape = [1] * x.ndim
        shape[axis], shape[-1] = x.shape[axis], angles.shape[-1]
        if positions.ndim == 2:
            shape[0] = positions.shape[0]
        angles = angles.reshape(shape)
        return xp.cos(angles).astype(x.real.dtype), xp.sin(angles).astype(x.real.dtype)

    def forward(self, x: Array, start_index: int = 0, positions: Array = None, training: bool = False) -> Any:
        x = as_float(x)
        cos, sin = self._turns(x, start_index, positions)
        return rotary_forward(x, cos, sin, self.interleaved), (cos, sin)

    def backward(self, dy: Array, saved: Any) -> Array:
        return rotary_backward(dy, *saved, self.interleaved)


__all__ = ["RotaryEmbedding", "rotary_backward", "rotary_forward"]
