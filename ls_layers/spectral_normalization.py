"""SpectralNormalization: a layer whose kernel W is divided by its largest singular value while training.

W as a matrix (I, O), O its last axis; u (1, O) and v (1, I) estimate the singular vectors by power iteration.
"""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.initializers import TruncatedNormal
from ls_core.kernel import kernel
from ls_core.layer import Layer
from ls_core.parameter import Parameter
from ls_core.products import matmul
from ls_core.types import Array

from .wrapper import Wrapper, run_inside


@kernel
def spectral_normalize(W: Array, u: Array, iterations: int) -> tuple[Array, Array]:
    """-> W / sigma, u. A W of zeros stays as it is, and so does u."""
    xp = get_xp(W)
    matrix = W.reshape(-1, W.shape[-1])  # (I, O)
    before = u
    for _ in range(iterations):
        v = _unit(matmul(u, matrix.T))  # (1, I)
        u = _unit(matmul(v, matrix))  # (1, O)
    sigma = matmul(matmul(v, matrix), u.T).reshape(())
    empty = (matrix == 0).all()
    return W / xp.where(empty, xp.ones_like(sigma), sigma), xp.where(empty, before, u)


def _unit(x: Array) -> Array:
    xp = get_xp(x)
    return x / xp.maximum(xp.sqrt((x * x).sum()), 1e-7)


class SpectralNormalization(Wrapper):
    """Keeps the spectral norm of a layer's kernel at 1.

    At each forward while training the kernel is *replaced* by ``kernel / sigma``, sigma being its largest singular
    value, estimated by power iteration; then the layer runs.

    Parameters
    ----------
    layer : Layer
        A layer with a ``kernel`` (Dense, Conv2D ...) or ``embeddings``.
    power_iterations : int
        Default 1.

    Notes
    -----
    Weights: the layer's kernel, the state vector_u (1, O), then the layer's other weights. The backward is the
    layer's own, at the normalised kernel: as in Keras 3 the division is an assignment, which no gradient passes.

    Raises
    ------
    TypeError
        The layer has neither a ``kernel`` nor ``embeddings``.

    Source: Keras 3, ``keras.layers.SpectralNormalization``; Miyato et al. 2018, algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from ls_layers import Dense
    >>> layer = SpectralNormalization(Dense(2, kernel_initializer='ones', use_bias=False))
    >>> y, cache = layer.forward(np.ones((1, 2)), training=True)
    >>> layer.layer.kernel.value, np.linalg.norm(layer.layer.kernel.value, 2).round(6).item()
    (array([[0.5, 0.5],
           [0.5, 0.5]]), 1.0)
    """

    _build_on = Layer._build_on  # the kernel is needed at once

    def __init__(self, layer: Any, power_iterations: int = 1, **options: Any) -> None:
        super().__init__(layer, **options)
        if not isinstance(power_iterations, int) or power_iterations < 1:
            raise ValueError(f"SpectralNormalization: power_iterations is a positive integer, not {power_iterations!r}")
        self.power_iterations = power_iterations

    @property
    def kernel(self) -> Parameter:
        """The Parameter that is normalised: the layer's kernel or embeddings."""
        found = getattr(self.layer, "kernel", None) or getattr(self.layer, "embeddings", None)
        if not isinstance(found, Parameter):
            raise TypeError(f"{self}: {self.layer} has neither a 'kernel' nor 'embeddings' to normalise; wrap a layer that has one.")
        return found

    def build(self, input_shape: Any) -> None:
        self.layer.ensure_built(input_shape)
        self._weights.append(self.kernel)  # named by its own layer, but counted first, as in Keras
        shape = (1, self.kernel.shape[-1])
        self.vector_u = self.add_weight(shape, TruncatedNormal(stddev=0.02), dtype=self.kernel.dtype, name="vector_u", state=True)

    def forward(self, *inputs: Any, mask: Any = None, training: bool = False, **options: Any) -> Any:
        if training:
            kernel, vector = spectral_normalize(self.kernel.value, self.vector_u.value, self.power_iterations)
            self.kernel.assign(kernel)
            self.vector_u.assign(vector)
        return run_inside(self.layer, inputs, mask, training, **options)


__all__ = ["SpectralNormalization", "spectral_normalize"]
