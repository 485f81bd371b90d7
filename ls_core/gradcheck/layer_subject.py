"""LayerSubject: a float64 copy of a layer, seen as values -> outputs with a gradient."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from ..backend import find_backend, to_device, to_host, use_backend
from ..kernel import KERNELS
from ..layer import Layer, collect_losses
from ..parameter import Parameter, RowGradient
from ..random import get_random_state, same_random_numbers
from ..registry import known_names, lookup
from ..types import Array
from .report import GradientError
from .subject import OWNERSHIP, Resample, Subject, convert, draw_cotangents, is_float, leaves, match_inputs, refill


class LayerSubject(Subject):
    """A float64 copy of a layer; the caller's stays as it is."""

    def __init__(
        self,
        layer: Layer,
        inputs: tuple[Any, ...],
        options: dict[str, Any],
        training: bool,
        noise: float,
        rng: np.random.Generator,
        backend: str = "numpy",
        resample: Resample | None = None,
    ) -> None:
        super().__init__(inputs, backend, resample)
        self.options = convert(options, backend)
        self.training = training
        self.layer = double_copy(layer, backend)
        self.name = repr(layer)
        self._looked = False  # whether the checks of _look_again were made
        with use_backend(backend):
            if not self.layer.built:
                self.layer._build_on(self.inputs)
        before = get_random_state()
        with same_random_numbers(), use_backend(backend):  # also lets containers finish their Parameters
            self.layer.forward(*self.inputs, training=training, **self.options)
            self._draws = get_random_state() != before
        self._states = [p for p in self.layer.parameters() if not p.trainable]
        self._kept = [p.value.copy() for p in self._states]
        self.weights = [p for p in self.layer.parameters() if p.trainable and is_float(p)]
        self._move_weights(rng, noise)  # zeros and ones hide mistakes: a bias of 0, LoRA's B of 0, a gamma of 1
        self._locate()

    def _locate(self) -> None:
        self.sources = [*leaves(self.inputs), *self._keyword_leaves(self.options)]
        self.slots = [i for i, leaf in enumerate(self.sources) if is_float(leaf)]
        named = ["input"] if len(self.sources) == 1 else [f"input {i}" for i in range(len(self.sources))]
        paths = [p.path.removeprefix(f"{self.layer.path}/") for p in self.weights]
        self.parameters = [path if paths.count(path) == 1 else f"{path} {i}" for i, path in enumerate(paths)]
        self.names = [named[i] for i in self.slots] + self.parameters
        self.values = [self.sources[i] for i in self.slots] + [p.value for p in self.weights]

    def _keyword_leaves(self, options: dict[str, Any]) -> list[Any]:
        found = []
        for name in self.layer.gradient_keywords:
            if options.get(name) is not None:
                found += leaves(options[name])
        return found

    def renew(self, rng: np.random.Generator, attempt: int) -> None:
        super().renew(rng, attempt)
        self._move_weights(rng, 0.1 * attempt)  # further each time: what is dead may lie far from what is not
        self._locate()

    def _move_weights(self, rng: np.random.Generator, noise: float) -> None:
        for p in self.weights:
            p.value = to_device(to_host(p.value) + noise * rng.normal(size=p.shape), self.backend)

    def _forward(self, inputs: Any, options: dict[str, Any]) -> tuple[Any, Any]:
        if not self._draws:
            return self.layer.forward(*inputs, training=self.training, **options)
        with same_random_numbers():
            return self.layer.forward(*inputs, training=self.training, **options)

    def _restore(self) -> None:
        for p, value in zip(self._states, self._kept, strict=True):
            p.value = value.copy()

    def outputs(self, values: list[Array]) -> list[Array]:
        every = list(self.sources)
        for slot, value in zip(self.slots, values, strict=False):
            every[slot] = value
        count = len(leaves(self.inputs))
        inputs, rest, options = refill(self.inputs, every[:count]), every[count:], dict(self.options)
        for name in self.layer.gradient_keywords:
            if options.get(name) is not None:
                options[name] = refill(options[name], rest)
        for p, value in zip(self.weights, values[len(self.slots) :], strict=True):
            p.value = value
        if any(v.dtype.kind == "c" for v in values):  # so that what a layer remembers is not cut to its real part
            for p in self._states:
                if p.dtype.kind == "f":
                    p.value = p.value.astype(np.complex128)
        try:
            y, cache = self._forward(inputs, options)
        finally:
            self._restore()
            for p, value in zip(self.weights, self.values[len(self.slots) :], strict=True):
                p.value = value
        return [each for each in (*leaves(y), collect_losses(cache)) if is_float(each)]

    def gradients(self, cotangent: Callable[[tuple[int, ...]], np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
        for p in self.layer.parameters():
            p.drop_grad()
        drawn, found, penalty = self._backward(cotangent, guarded=not self._looked)
        once = [self._gradient(p) for p in self.weights]
        if not self._looked:
            self._look_again(drawn, found, once)
            self._looked = True
        return drawn + ([np.ones(())] if penalty else []), found + once

    def _look_again(self, drawn: list[np.ndarray], found: list[np.ndarray], once: list[np.ndarray]) -> None:
        """Two more backwards: gradients add up, and another forward in between changes nothing."""
        again = iter(drawn)
        self._backward(lambda shape: next(again))
        for p, g in zip(self.weights, once, strict=True):
            if not _equal(self._gradient(p), 2 * g):
                raise GradientError(f"{self.name}: a second backward does not add to the gradient of {p.name}; use Parameter.accumulate")
            p.drop_grad()
        again = iter(drawn)
        dx, _ = self._backward(lambda shape: next(again), interrupted=True)[1:]
        for name, now, before in zip(self.names, [*dx, *map(self._gradient, self.weights)], [*found, *once], strict=True):
            if not _equal(now, before):
                raise GradientError(
                    f"{self.name}: the gradient of {name} changes when another forward comes before backward: it comes from what that "
                    "left on the layer. Keep what backward needs in `saved`: forward returns (y, saved)"
                )

    def _backward(
        self, cotangent: Callable[[tuple[int, ...]], np.ndarray], guarded: bool = False, interrupted: bool = False
    ) -> tuple[list[np.ndarray], list[np.ndarray], bool]:
        """(cotangents, gradients of the inputs, whether a penalty on the outputs counts too).

        ``guarded``: an error where forward or backward writes to arrays that are not its own. ``interrupted``: another
        forward comes between the two.
        """
        weights = [(f"Parameter {p.name}", p.value) for p in self.weights]
        given = [(f"input {i}" if len(self.sources) > 1 else "input", x) for i, x in enumerate(self.sources)]
        try:
            before = _bits([*given, *weights]) if guarded else []
            y, cache = self._forward(self.inputs, self.options)
            self._unwritten("forward", [*given, *weights], before)
            penalty = is_float(collect_losses(cache))  # backward adds its gradient to dy's
            drawn, dy = draw_cotangents(y, cotangent, self.backend)
            if interrupted:
                self._restore()
                self._forward(refill(self.inputs, [x * 0.5 if is_float(x) else x for x in leaves(self.inputs)]), self.options)
            mine = [*weights, *(("dy", each) for each in leaves(dy)), *(("an array in `saved`", a) for a in kept_arrays(cache))]
            before = _bits(mine) if guarded else []
            dx = self.layer.backward(dy, cache)
            self._unwritten("backward", mine, before)
        finally:
            self._restore()
        return drawn, match_inputs(self.name, dx, self.sources), penalty

    def _unwritten(self, who: str, arrays: list[tuple[str, Any]], before: list[bytes | None]) -> None:
        for (what, _), now, then in zip(arrays, _bits(arrays), before, strict=False):
            if now != then:
                raise GradientError(f"{self.name}: {who} writes to {what}. {OWNERSHIP}")

    @staticmethod
    def _gradient(p: Parameter) -> np.ndarray:
        grad = p.grad.to_dense() if isinstance(p.grad, RowGradient) else p.grad
        return np.zeros(p.shape) if grad is None else np.array(to_host(grad))


def _equal(a: np.ndarray, b: np.ndarray) -> bool:
    return np.allclose(a, b, rtol=1e-9, atol=1e-12, equal_nan=True)


def _bits(arrays: list[tuple[str, Any]]) -> list[bytes | None]:
    return [to_host(a).tobytes() if hasattr(a, "dtype") else None for _, a in arrays]


def kept_arrays(value: Any, seen: set[int] | None = None) -> list[Any]:
    """Every array that a cache holds, however deep."""
    seen = set() if seen is None else seen
    if id(value) in seen or value is None or isinstance(value, (str, int, float, complex, type, Layer)) or callable(value):
        return []
    seen.add(id(value))
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return [value]
    if isinstance(value, dict):
        parts = list(value.values())
    elif isinstance(value, (list, tuple, set)):
        parts = list(value)
    else:
        names = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
        parts = [getattr(value, name, None) for name in names if name != "__weakref__"]
        parts += list(getattr(value, "__dict__", {}).values())
    return [array for part in parts for array in kept_arrays(part, seen)]


def double_copy(layer: Layer, backend: str) -> Layer:
    """A deep copy of ``layer`` in float64 on ``backend``, sharing only its container and the kernels."""
    shared: list[Any] = [*KERNELS.values(), *(lookup("activation", name) for name in known_names("activation"))]
    if layer._parent is not None:
        shared.append(layer._parent)
    twin = copy.deepcopy(layer, {id(each): each for each in shared})
    find_backend(backend)
    return twin.as_type("float64").to(backend)
