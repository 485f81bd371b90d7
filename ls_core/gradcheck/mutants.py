"""Mutants: classic wrong backwards, put into a right layer, each of which the checker must catch.

A mutant changes the gradients of one layer in one of its *variants* (which input, which Parameter). Where the
changed gradients are the right ones after all (a batch of one row, a linear activation), the variant is
*equivalent*: nothing is there to catch, and the mutant says when that happens.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np

from ..activation import ActivationFunction
from ..layer import Cache
from ..parameter import Parameter, RowGradient
from ..random import same_random_numbers
from .layer_subject import LayerSubject
from .subject import is_float, leaves, refill

Patch = Callable[[], contextlib.AbstractContextManager[Any]]
Backward = Callable[..., Any]


@dataclass(frozen=True)
class Mutant:
    """``variants(subject)`` yields (what is changed, a context manager that changes it)."""

    name: str
    mistake: str
    equivalent: str
    variants: Callable[[LayerSubject], Iterator[tuple[str, Patch]]]


# --- ways to change a gradient ---------------------------------------------------------------------


@contextlib.contextmanager
def _backward_as(subject: LayerSubject, change: Callable[[Backward], Backward]) -> Iterator[None]:
    """Replace the backward of the subject's layer (a copy of the caller's)."""
    layer = subject.layer
    object.__setattr__(layer, "backward", change(layer.backward))
    try:
        yield
    finally:
        object.__delattr__(layer, "backward")


@contextlib.contextmanager
def _accumulate_as(change: Callable[[Callable[..., None], Parameter, Any], None]) -> Iterator[None]:
    """Replace ``Parameter.accumulate``: ``change(accumulate, parameter, gradient)``."""
    plain = Parameter.accumulate

    def accumulate(self: Parameter, gradient: Any) -> None:
        change(plain, self, gradient)

    with mock.patch.object(Parameter, "accumulate", accumulate):
        yield


def _each_gradient(change: Callable[[Any], Any], parameters: Callable[[Parameter], bool] | None = None, inputs: bool = True) -> Any:
    """Variants that apply ``change`` to the gradient of one input, or of one Parameter, at a time."""

    def variants(subject: LayerSubject) -> Iterator[tuple[str, Patch]]:
        for slot, name in zip(subject.slots, subject.names, strict=False):
            if inputs:
                yield name, lambda slot=slot: _backward_as(subject, _changed_input(slot, change))  # type: ignore[misc]
        for p, name in zip(subject.weights, subject.parameters, strict=True):
            if parameters is None or parameters(p):
                yield name, lambda p=p: _accumulate_as(_changed_parameter(p, change))  # type: ignore[misc]

    return variants


def _changed_input(slot: int, change: Callable[[Any], Any]) -> Callable[[Backward], Backward]:
    def wrap(plain: Backward) -> Backward:
        def backward(*args: Any, **named: Any) -> Any:
            dx = plain(*args, **named)
            found = leaves(dx)
            found[slot] = change(found[slot])
            return refill(dx, found)

        return backward

    return wrap


def _changed_parameter(target: Parameter, change: Callable[[Any], Any]) -> Callable[[Callable[..., None], Parameter, Any], None]:
    def accumulate(plain: Callable[..., None], p: Parameter, gradient: Any) -> None:
        if p is not target:
            plain(p, gradient)
        elif isinstance(gradient, RowGradient):
            plain(p, RowGradient(gradient.rows, change(gradient.values), gradient.shape))
        else:
            plain(p, change(gradient))

    return accumulate


def _whole_backward(
    change: Callable[[LayerSubject, Backward, Any, Cache], Any], applies: Callable[[LayerSubject], bool] | None = None
) -> Any:
    """One variant: ``change(subject, backward, dy, cache)`` instead of ``backward(dy, cache)``."""

    def variants(subject: LayerSubject) -> Iterator[tuple[str, Patch]]:
        if applies is None or applies(subject):
            yield (
                "backward",
                lambda: _backward_as(subject, lambda plain: lambda dy, cache, input_gradient=True: change(subject, plain, dy, cache)),
            )

    return variants


def _on_floats(value: Any, change: Callable[[Any], Any]) -> Any:
    return refill(value, [change(leaf) if is_float(leaf) else leaf for leaf in leaves(value)])


def _other_cache(subject: LayerSubject, inputs: Any = None) -> Any:
    """The cache of another forward, from the same state and random numbers."""
    subject._restore()
    return subject._forward(subject.inputs if inputs is None else inputs, subject.options)[1]


# --- the mistakes ----------------------------------------------------------------------------------


def _first_row(subject: LayerSubject, plain: Backward, dy: Any, cache: Cache) -> Any:
    def alone(g: Any) -> Any:
        kept = g * 0
        kept[:1] = g[:1]
        return kept

    plain(_on_floats(dy, lambda g: alone(g) if g.ndim else g), _other_cache(subject))
    with _accumulate_as(lambda accumulate, p, gradient: None):
        return plain(dy, cache)


def _stale(subject: LayerSubject, plain: Backward, dy: Any, cache: Cache) -> Any:
    def older(x: Any) -> Any:
        return x[::-1] * 0.7 + 0.05 if is_float(x) else x[::-1].copy() if getattr(x, "ndim", 0) and x.dtype.kind in "iu" else x

    return plain(dy, _other_cache(subject, refill(subject.inputs, [older(x) for x in leaves(subject.inputs)])))


def _redrawn(subject: LayerSubject, plain: Backward, dy: Any, cache: Cache) -> Any:
    with same_random_numbers():
        for _ in range(2):  # the second forward draws the numbers that follow
            subject._restore()
            _, later = subject.layer.forward(*subject.inputs, training=subject.training, **subject.options)
    return plain(dy, later)


def _unmasked(subject: LayerSubject, plain: Backward, dy: Any, cache: Cache) -> Any:
    return plain(dy, _all_kept(cache))


def _all_kept(value: Any) -> Any:
    """A cache with every mask in it set to keep everything: booleans to True, the zeros of arrays with few values to the largest."""
    if isinstance(value, Cache):
        twin = object.__new__(type(value))
        for kind in type(value).__mro__:
            for slot in getattr(kind, "__slots__", ()):
                setattr(twin, slot, getattr(value, slot))
        twin.saved = _all_kept(value.saved)
        return twin
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return type(value)(_all_kept(each) for each in value)
    if isinstance(value, dict):
        return {name: _all_kept(each) for name, each in value.items()}
    if isinstance(value, np.ndarray) and value.size:
        if value.dtype == bool:
            return np.ones_like(value)
        kinds = np.unique(value)
        if value.dtype.kind in "fiu" and 1 < len(kinds) <= 4 and kinds[0] == 0:
            return np.where(value == 0, kinds[-1], value)
    return value


def _wrong_layout(subject: LayerSubject, plain: Backward, dy: Any, cache: Cache) -> Any:
    right = [p.value for p in subject.weights]
    for p in subject.weights:
        if p.value.ndim > 1:
            p.value = p.value.swapaxes(-1, -2).reshape(p.shape)
    try:
        return plain(dy, cache)
    finally:
        for p, value in zip(subject.weights, right, strict=True):
            p.value = value


def _swapped(subject: LayerSubject, plain: Backward, dy: Any, cache: Cache) -> Any:
    dx = plain(dy, cache)
    found = leaves(dx)
    first, second = _alike(subject) or (0, 0)
    found[first], found[second] = found[second], found[first]
    return refill(dx, found)


def _alike(subject: LayerSubject) -> tuple[int, int] | None:
    """Two inputs of one shape."""
    for a in subject.slots:
        for b in subject.slots:
            if a < b and subject.sources[a].shape == subject.sources[b].shape:
                return a, b
    return None


def _without_derivative(subject: LayerSubject) -> Iterator[tuple[str, Patch]]:
    seen: dict[int, tuple[str, ActivationFunction]] = {}
    for layer in subject.layer._flatten():
        for name, value in vars(layer).items():
            if isinstance(value, ActivationFunction):
                seen.setdefault(id(value), (f"{layer.name}.{name} {value.name}", value))
    for label, activation in seen.values():
        yield label, lambda activation=activation: mock.patch.object(activation, "backward", lambda dy, saved: dy)  # type: ignore[misc]


def _last_zeroed(g: Any) -> Any:
    g = np.array(g)
    g.reshape(-1)[-1:] = 0
    return g


def _has_time(subject: LayerSubject) -> bool:
    y = subject.outputs(subject.values)
    return bool(y) and y[0].ndim > 2 and y[0].shape[1] > 1


def _accumulates(subject: LayerSubject) -> Iterator[tuple[str, Patch]]:
    if subject.weights:
        yield "accumulate", lambda: _accumulate_as(lambda plain, p, gradient: setattr(p, "grad", gradient))


MUTANTS = [
    Mutant("1 % off", "a factor is 1.01 instead of 1", "the gradient is zero", _each_gradient(lambda g: g * 1.01)),
    Mutant("sign flipped", "- instead of +", "the gradient is zero", _each_gradient(lambda g: -g)),
    Mutant("gradient zero", "an input's or a Parameter's gradient is never computed", "it is zero", _each_gradient(lambda g: g * 0)),
    Mutant("gradient doubled", "a contribution is added twice", "the gradient is zero", _each_gradient(lambda g: g * 2)),
    Mutant("last element forgotten", "a loop ends one too early", "that element's gradient is zero", _each_gradient(_last_zeroed)),
    Mutant(
        "1/N forgotten",
        "a sum over the batch where the mean was meant",
        "there is one row",
        lambda s: _each_gradient(lambda g: g * _rows(s))(s),
    ),
    Mutant(
        "sum over the batch dropped",
        "the first row's gradient instead of the sum over the broadcast axis",
        "there is one row, or the other rows give nothing",
        _whole_backward(_first_row, lambda s: bool(s.weights)),
    ),
    Mutant("overwritten", "p.grad = g instead of p.accumulate(g)", "never: the checker runs two backwards", _accumulates),
    Mutant(
        "weight not transposed",
        "dx = dy W instead of dy W^T, in the wrong memory layout where W is not square",
        "backward uses no matrix of the layer, or takes it from the cache, or it has one row or column",
        _whole_backward(_wrong_layout, lambda s: any(p.value.ndim > 1 for p in s.weights)),
    ),
    Mutant(
        "activation's derivative forgotten",
        "dz = dy instead of activation'(z) dy",
        "the activation is linear, or fused into a kernel that does not call it",
        _without_derivative,
    ),
    Mutant("stale cache", "backward uses another forward's cache", "backward needs nothing of the inputs", _whole_backward(_stale)),
    Mutant(
        "mask not applied",
        "forward masks, backward does not",
        "the cache holds no mask, or the mask hides nothing",
        _whole_backward(_unmasked),
    ),
    Mutant(
        "mask drawn anew",
        "backward draws another dropout mask than forward did",
        "the layer draws nothing",
        _whole_backward(_redrawn, lambda s: s._draws),
    ),
    Mutant(
        "time reversed",
        "dy is walked through from the wrong end",
        "the output is the same forwards and backwards",
        _whole_backward(lambda s, plain, dy, cache: plain(_on_floats(dy, lambda g: g[:, ::-1] if g.ndim > 2 else g), cache), _has_time),
    ),
    Mutant(
        "rows mixed up",
        "a reshape or transpose hands one row's gradient to another",
        "there is one row",
        _whole_backward(lambda s, plain, dy, cache: plain(_on_floats(dy, lambda g: g[::-1]), cache)),
    ),
    Mutant(
        "inputs swapped",
        "backward returns the gradients in the wrong order",
        "both inputs have the same gradient",
        _whole_backward(_swapped, lambda s: _alike(s) is not None),
    ),
]


def _rows(subject: LayerSubject) -> int:
    """The batch size."""
    shapes = [x.shape for x in subject.sources if getattr(x, "ndim", 0)]
    return int(shapes[0][0]) if shapes else 1


def named(names: Iterable[str] | None) -> list[Mutant]:
    """The mutants called ``names`` (default: all)."""
    return [m for m in MUTANTS if names is None or m.name in set(names)]
