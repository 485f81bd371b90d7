"""Maximum: y = max(x1, x2, ...). B batch, ... the axes after it."""

from __future__ import annotations

from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array

from .extremum import Extremum, shares


@kernel
def maximum_pair(a: Array, b: Array) -> tuple[Array, Array]:
    """maximum(a, b), and a's share of its gradient."""
    return get_xp(a).maximum(a, b), shares(a > b, a == b, a.dtype)  # (B, ...) each


class Maximum(Extremum):
    """The largest of its inputs, element by element: ``y = max(x1, x2, ...)``.

    Notes
    -----
    The inputs' shapes are equal, or broadcast as in :class:`Add`. Backward: dy goes to the input that was taken, half and
    half where two are equal.

    With masks (batch, time) a masked step of an input is passed over; where all are masked the first input stands.

    Raises
    ------
    ShapeError
        The shapes do not broadcast.

    Source: Keras 3, ``keras.layers.Maximum``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Maximum()
    >>> y, cache = layer.forward(np.array([[1.0, 3.0]]), np.array([[4.0, 2.0]]))
    >>> y, layer.backward(np.array([[1.0, 2.0]]), cache)
    (array([[4., 3.]]), (array([[0., 2.]]), array([[1., 0.]])))
    """

    pair = maximum_pair


__all__ = ["Maximum", "maximum_pair"]
