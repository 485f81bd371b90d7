"""ELU: elu as a layer, with its alpha."""

from __future__ import annotations

from typing import Any

from ls_core.backend import as_float
from ls_core.layer import Layer
from ls_core.types import Array

from .activations.elu import elu_backward, elu_forward


class ELU(Layer):
    """The exponential linear unit: ``y = x`` for x > 0, else ``alpha (exp(x) - 1)``.

    Parameters
    ----------
    alpha : float
        0 or more. Default 1.

    Notes
    -----
    Output: the input's shape. No weights. Backward: dy times 1, or ``alpha exp(x) = y + alpha``.

    Raises
    ------
    ValueError
        ``alpha`` is negative.

    Source: Keras 3, ``keras.layers.ELU``; Clevert et al. 2015, eq. 15.

    Examples
    --------
    >>> import numpy as np
    >>> ELU(alpha=2.0)(np.array([-50., 0., 3.]))
    array([-2.,  0.,  3.])
    """

    supports_masking = True

    def __init__(self, alpha: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        if alpha < 0:
            raise ValueError(f"ELU: alpha is a number, 0 or more, not {alpha!r}")
        self.alpha = alpha

    def forward(self, x: Array, training: bool = False) -> Any:
        return elu_forward(as_float(x), self.alpha)

    def backward(self, dy: Array, y: Array) -> Array:
        return elu_backward(dy, y, self.alpha)
