"""|x| as a function that complex numbers pass through, so that the complex step checks what is built on it."""

from __future__ import annotations

from ls_core.backend import get_xp
from ls_core.types import Array


def magnitude(x: Array) -> Array:
    """|x| for real x; for complex x its continuation, x or -x, whichever has the positive real part.

    >>> import numpy as np
    >>> magnitude(np.array([-2.0, 3.0])), magnitude(np.array([-2.0 + 1e-30j]))
    (array([2., 3.]), array([2.-1.e-30j]))
    """
    xp = get_xp(x)
    return xp.abs(x) if x.dtype.kind == "f" else x * xp.sign(x.real)
