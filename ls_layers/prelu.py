"""PReLU: y = max(x, 0) + alpha min(x, 0), alpha learned. B batch, ... the axes after it; alpha has them, 1 where shared."""

from __future__ import annotations

from typing import Any

from ls_core.backend import as_float
from ls_core.errors import ShapeError
from ls_core.kernel import kernel
from ls_core.layer import Layer
from ls_core.types import Array

from .activations.parts import negative_part, positive_part


@kernel
def prelu_forward(x: Array, alpha: Array) -> tuple[Array, Array]:
    y = negative_part(x)  # (B, ...)
    y *= alpha
    y += positive_part(x)
    return y, x


@kernel
def prelu_backward(dy: Array, x: Array, alpha: Array) -> tuple[Array, Array]:
    # y = max(x, 0) + alpha * min(x, 0)
    dalpha = dy * negative_part(x)  # (B, ...)
    shared = tuple(axis for axis, size in enumerate((1, *alpha.shape)) if size == 1)
    dalpha = dalpha.sum(axis=shared).reshape(alpha.shape)
    dx = dy * (x < 0)  # (B, ...)
    dx *= alpha
    dx += dy * (x > 0)
    return dx, dalpha


class PReLU(Layer):
    """The parametric rectifier: ``y = x`` for x > 0, else ``alpha x`` with a learned ``alpha``.

    Parameters
    ----------
    alpha_initializer : str or Initializer
        Default 'zeros'.
    alpha_regularizer, alpha_constraint : optional
    shared_axes : int or list of int, optional
        Axes, counted from 1 after the batch, along which alpha is one number. Default: none.

    Notes
    -----
    Output: the input's shape (B, ...). Weights: alpha (...), 1 along the shared axes.
    Backward: ``dx = dy`` or ``alpha dy``; ``dalpha = sum of dy x`` where x < 0.

    Raises
    ------
    ShapeError
        An axis is not known when the layer is built, a shared axis does not exist, or the input does not fit alpha.

    Source: Keras 3, ``keras.layers.PReLU``; He et al. 2015, section 2.1.

    Examples
    --------
    >>> import numpy as np
    >>> layer = PReLU(alpha_initializer='ones', shared_axes=[1])
    >>> y, cache = layer.forward(np.array([[-2., 3., -4.]]))
    >>> y, layer.backward(np.ones((1, 3)), cache), layer.alpha.grad
    (array([[-2.,  3., -4.]]), array([[1., 1., 1.]]), array([-6.]))
    """

    supports_masking = True

    def __init__(
        self,
        alpha_initializer: Any = "zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.alpha_options = (alpha_initializer, alpha_regularizer, alpha_constraint)
        self.shared_axes = [shared_axes] if isinstance(shared_axes, int) else list(shared_axes or [])

    def build(self, input_shape: Any) -> None:
        for axis in self.shared_axes:
            if not 1 <= axis < len(input_shape):
                raise ShapeError(f"{self}: shared axis {axis} is none of 1 ... {len(input_shape) - 1}, the input's axes after the batch.")
        shape = tuple(1 if axis in self.shared_axes else size for axis, size in enumerate(input_shape))[1:]
        if None in shape:
            axis = shape.index(None) + 1
            raise ShapeError(f"{self}: axis {axis} of the input is not known; share alpha along it with shared_axes=[{axis}].", axis)
        initializer, regularizer, constraint = self.alpha_options
        self.alpha = self.add_weight(shape, initializer, regularizer=regularizer, constraint=constraint, name="alpha")

    def forward(self, x: Array, training: bool = False) -> Any:
        alpha = self.alpha.value
        self.check_rank(x, alpha.ndim + 1, "as many as it was built for")
        for axis, (size, wanted) in enumerate(zip(x.shape[1:], alpha.shape, strict=True), start=1):
            if size != wanted and axis not in self.shared_axes:
                raise ShapeError(f"{self}: axis {axis} of the input is {size}, its alpha wants {wanted}, as it was built.", axis)
        return prelu_forward(as_float(x), alpha)

    def backward(self, dy: Array, x: Array) -> Array:
        dx, dalpha = prelu_backward(dy, x, self.alpha.value)
        self.alpha.accumulate(dalpha)
        return dx
