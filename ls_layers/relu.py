"""ReLU: the rectifier with a ceiling, a slope below and a threshold. ... means any shape."""

from __future__ import annotations

from math import inf
from typing import Any

from ls_core.backend import as_float, get_xp
from ls_core.kernel import kernel
from ls_core.layer import Layer
from ls_core.types import Array

from .activations.parts import positive_part


@kernel
def general_relu_forward(x: Array, max_value: float | None, negative_slope: float, threshold: float) -> tuple[Array, Array]:
    xp = get_xp(x)
    y = positive_part(x) if threshold == 0 else xp.where(x > threshold, x, 0)  # (...)
    if max_value is not None:
        y = xp.clip(y, 0.0, max_value)
    if negative_slope:
        below = xp.clip(x, -inf, threshold)
        below -= threshold
        below *= negative_slope
        y += below
    # y is above the threshold where x is, and nothing needs to keep x; only a ceiling can take it below
    return y, y if max_value is None else x


@kernel
def general_relu_backward(dy: Array, x: Array, max_value: float | None, negative_slope: float, threshold: float) -> Array:
    """x, or y without a ceiling: either is above the threshold where the other is."""
    # y = min(x, max_value) where x > threshold, else negative_slope (x - threshold)
    passed = x > threshold  # (...)
    if max_value is not None:
        passed &= x < max_value
    dx = dy * passed
    if negative_slope:
        below = dy * (x <= threshold)
        below *= negative_slope
        dx += below
    return dx


class ReLU(Layer):
    """The rectified linear unit: ``y = x`` above ``threshold``, at most ``max_value``, else ``negative_slope (x - threshold)``.

    Parameters
    ----------
    max_value : float, optional
        Ceiling, 0 or more. Default: none.
    negative_slope : float
        0 or more. Default 0.
    threshold : float
        0 or more. Default 0.

    Notes
    -----
    Output: the input's shape. No weights. Backward: dy times 1, ``negative_slope``, or 0 at the ceiling.

    Raises
    ------
    ValueError
        An argument is negative.

    Source: Keras 3, ``keras.layers.ReLU``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = ReLU(max_value=10, negative_slope=0.5)
    >>> y, cache = layer.forward(np.array([-10., -5., 0., 5., 12.]))
    >>> y, layer.backward(np.ones(5), cache)
    (array([-5. , -2.5,  0. ,  5. , 10. ]), array([0.5, 0.5, 0.5, 1. , 0. ]))
    """

    supports_masking = True

    def __init__(self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **options: Any) -> None:
        super().__init__(**options)
        for label, value in (("max_value", max_value), ("negative_slope", negative_slope), ("threshold", threshold)):
            if (value is None and label != "max_value") or (value is not None and value < 0):
                raise ValueError(f"ReLU: {label} is a number, 0 or more, not {value!r}")
        self.max_value, self.negative_slope, self.threshold = max_value, negative_slope, threshold

    def forward(self, x: Array, training: bool = False) -> Any:
        return general_relu_forward(as_float(x), self.max_value, self.negative_slope, self.threshold)

    def backward(self, dy: Array, x: Array) -> Array:
        return general_relu_backward(dy, x, self.max_value, self.negative_slope, self.threshold)
