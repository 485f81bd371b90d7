"""ActivationFunction: a pair of kernels under a name, which layers apply to their output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .backend import as_float, is_float
from .registry import register
from .types import Array


class ActivationFunction:
    """An element-wise function (softmax: along an axis) with its hand-written derivative.

    Parameters
    ----------
    name : str
        Registered under this name, so ``Dense(8, activation=name)`` finds it.
    forward : callable
        ``forward(x) -> (y, saved)``; ``saved`` is what backward needs, the output where the derivative allows it.
    backward : callable
        ``backward(dy, saved) -> dx``.
    aliases : tuple of str
        Further names.
    output_shape : callable, optional
        ``output_shape(input_shape)``; default: the same shape.
    keeps_integers : bool
        Called on integers, it gives integers of that type, as Keras' does. Default: floats, of the type ``floatx()``.

    Examples
    --------
    >>> import numpy as np
    >>> square = ActivationFunction('square', lambda x: (x * x, x), lambda dy, x: dy * 2 * x)
    >>> y, saved = square.forward(np.array([3.0]))
    >>> y, square.backward(np.ones(1), saved)
    (array([9.]), array([6.]))
    """

    __slots__ = ("name", "forward", "backward", "output_shape", "keeps_integers")

    def __init__(
        self,
        name: str,
        forward: Callable[..., tuple[Array, Any]],
        backward: Callable[..., Array],
        aliases: tuple[str, ...] = (),
        output_shape: Callable[[Any], Any] | None = None,
        keeps_integers: bool = False,
    ) -> None:
        self.name = name
        self.forward = forward
        self.backward = backward
        self.output_shape = output_shape or _same_shape
        self.keeps_integers = keeps_integers
        register("activation", name, self, aliases)

    def __call__(self, x: Array, **parameters: Any) -> Array:
        """y alone; ``parameters`` are the function's own: ``leaky_relu(x, negative_slope=0.1)``."""
        if is_float(x):
            return self.forward(x, **parameters)[0]
        if self.keeps_integers:  # a float64 holds them exactly up to 2^53
            return self.forward(x.astype("float64"), **parameters)[0].astype(x.dtype)
        return self.forward(as_float(x), **parameters)[0]

    def __repr__(self) -> str:
        return f"<activation {self.name}>"


def _same_shape(input_shape: Any) -> Any:
    return input_shape
