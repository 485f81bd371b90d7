"""What stands between a layer's two methods and their callers: the cache, and the protocol that is put around both.

A layer's author writes ``forward`` so that it returns ``(y, saved)`` and ``backward(dy, saved)``; callers get ``(y, Cache)`` and give
the cache back. ``Layer.__init_subclass__`` puts ``with_protocol_forward`` and ``with_protocol_backward`` around them, and
``with_protocol_build`` around ``build``.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import CacheError, ShapeError
from .types import Array

if TYPE_CHECKING:
    from .layer import Layer

_CONSUMED = object()
_between: Callable[[Array], Array] | None = None
_penalty_scale = 1.0


@contextlib.contextmanager
def handing_on(between: Callable[[Array], Array] | None, penalty_scale: float = 1.0) -> Iterator[None]:
    """Inside, layers hand on ``between(array)`` of their outputs and of the gradients of their inputs.

    ``penalty_scale`` multiplies the gradients of activity regularisers: it is how often too large dy comes.
    """
    global _between, _penalty_scale
    previous = _between, _penalty_scale
    _between, _penalty_scale = between, penalty_scale
    try:
        yield
    finally:
        _between, _penalty_scale = previous


class Cache:
    """What one forward keeps for its backward. Opaque outside the layer; consumed once."""

    __slots__ = ("layer", "saved", "shape", "mask")

    def __init__(self, layer: Layer, saved: Any, shape: Any, mask: Array = None) -> None:
        self.layer = layer
        self.saved = saved
        self.shape = shape  # of the output, to refuse a dy of another shape; None for several outputs
        self.mask = mask  # the output's mask, where a container computed it on the way

    def take(self, layer: Layer, dy: Any) -> Any:
        saved = self.saved
        if saved is _CONSUMED:
            raise CacheError(f"{layer}: this cache was used by a backward already; call forward again for a new one")
        if self.layer is not layer:
            raise CacheError(f"{layer} got a cache that {self.layer} made; each layer's backward takes its own forward's cache")
        if self.shape is not None and getattr(dy, "shape", None) != self.shape:
            raise ShapeError(f"{layer}: dy has shape {getattr(dy, 'shape', None)}, forward's output had {self.shape}")
        self.saved = _CONSUMED
        return saved


class PenalizedCache(Cache):
    """The cache of a layer with an activity regulariser: ``loss`` is its penalty on the outputs, a 0-d array.

    As in Keras 3 the penalty is divided by the batch size. ``backward`` adds its gradient to dy;
    whoever computes the loss adds ``collect_losses(cache)`` to it.
    """

    __slots__ = ("loss", "outputs")

    def __init__(self, layer: Layer, saved: Any, shape: Any, mask: Array, outputs: tuple[Array, ...]) -> None:
        super().__init__(layer, saved, shape, mask)
        self.outputs = outputs
        self.loss: Array = sum(layer.activity_regularizer(_wide(y)) * (1.0 / _batch(y)) for y in outputs)

    def add_gradient(self, dy: Any) -> Any:
        """dy with the penalty's gradient; new arrays."""
        several = isinstance(dy, (tuple, list))
        total = []
        for y, each in zip(self.outputs, dy if several else (dy,), strict=True):
            gradient = self.layer.activity_regularizer.gradient(y) * (_penalty_scale / _batch(y))
            total.append(gradient if each is None else each + gradient)
        return tuple(total) if several else total[0]


def _batch(y: Array) -> int:
    return max(1, y.shape[0]) if y.ndim else 1


def _wide(y: Array) -> Array:
    """Half types as float32: the sum over a batch needs its range."""
    return y.astype("float32") if y.dtype.itemsize == 2 else y


def _each(function: Callable[[Array], Array], value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(_each(function, part) for part in value)
    return value if value is None else function(value)


def collect_losses(cache: Any) -> Array:
    """The sum of the penalties that the layers behind ``cache`` put on their outputs (0.0 if there are none).

    Call it between forward and backward, since backward consumes the cache.
    """
    if isinstance(cache, Cache):
        inner = collect_losses(cache.saved)
        return inner + cache.loss if isinstance(cache, PenalizedCache) else inner
    if isinstance(cache, (list, tuple, dict)):
        return sum(collect_losses(each) for each in (cache.values() if isinstance(cache, dict) else cache))
    return 0.0


def with_protocol_build(raw: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(raw)
    def build(self: Layer, input_shape: Any) -> None:
        raw(self, input_shape)
        self.built = True

    return build


def with_protocol_forward(raw: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(raw)
    def forward(self: Layer, *inputs: Any, **options: Any) -> tuple[Any, Cache]:
        if not self.built:
            self._build_on(inputs)
        try:
            result = raw(self, *inputs, **options)
        except ValueError as problem:
            if type(problem) not in (ValueError, np.exceptions.AxisError) or hasattr(problem, "layer"):
                raise
            if repr(self) in str(problem):
                problem.layer = self  # type: ignore[attr-defined]  # told; the containers have nothing to add
                raise
            shapes = ", ".join(str(tuple(x.shape)) if hasattr(x, "shape") else type(x).__name__ for x in leaves(inputs))
            raise ShapeError(f"{self} got inputs of shape {shapes}: {problem}") from problem
        if not isinstance(result, (tuple, list)):
            raise TypeError(
                f"{self}: forward returns (y, saved), not {type(result).__name__}; saved is what backward needs, None for nothing"
            )
        y, saved = result[0], result[1]
        if _between is not None:
            y = _each(_between, y)
        shape, mask = getattr(y, "shape", None), result[2] if len(result) == 3 else None
        if self.activity_regularizer is None or isinstance(saved, PenalizedCache):  # such a one if forward called super().forward
            return y, Cache(self, saved, shape, mask)
        return y, PenalizedCache(self, saved, shape, mask, tuple(leaves((y,))))

    return forward


def with_protocol_backward(raw: Callable[..., Any]) -> Callable[..., Any]:
    takes = "input_gradient" in inspect.signature(raw).parameters

    @functools.wraps(raw)
    def backward(self: Layer, dy: Any, cache: Cache, input_gradient: bool = True) -> Any:
        saved = cache.take(self, dy)
        if isinstance(cache, PenalizedCache):
            dy = cache.add_gradient(dy)
        dx = raw(self, dy, saved, input_gradient=input_gradient) if takes else raw(self, dy, saved)
        return dx if _between is None else _each(_between, dx)

    return backward


def leaves(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, (list, tuple)):
            yield from leaves(value)
        else:
            yield value
