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
from .subject import Resample, Subject, convert, draw_cotangents, is_float, leaves, match_inputs, refill


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
        self._added_up = False  # whether a second backward was seen to add to the gradients
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
        drawn, found, penalty = self._backward(cotangent)
        once = [self._gradient(p) for p in self.weights]
        if not self._added_up:
            again = iter(drawn)
            self._backward(lambda shape: next(again))
            for p, g in zip(self.weights, once, strict=True):
                if not np.allclose(self._gradient(p), 2 * g, rtol=1e-9, atol=1e-12, equal_nan=True):
                    raise GradientError(
                        f"{self.name}: a second backward does not add to the gradient of {p.name}; use Parameter.accumulate"
                    )
            self._added_up = True
        return drawn + ([np.ones(())] if penalty else []), found + once

    def _backward(self, cotangent: Callable[[tuple[int, ...]], np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray], bool]:
        """(cotangents, gradients of the inputs, whether a penalty on the outputs counts too)."""
        try:
            y, cache = self._forward(self.inputs, self.options)
            penalty = is_float(collect_losses(cache))  # backward adds its gradient to dy's
            drawn, dy = draw_cotangents(y, cotangent, self.backend)
            dx = self.layer.backward(dy, cache)
        finally:
            self._restore()
        return drawn, match_inputs(self.name, dx, self.sources), penalty

    @staticmethod
    def _gradient(p: Parameter) -> np.ndarray:
        grad = p.grad.to_dense() if isinstance(p.grad, RowGradient) else p.grad
        return np.zeros(p.shape) if grad is None else np.array(to_host(grad))


def double_copy(layer: Layer, backend: str) -> Layer:
    """A deep copy of ``layer`` in float64 on ``backend``, sharing only its container and the kernels."""
    shared: list[Any] = [*KERNELS.values(), *(lookup("activation", name) for name in known_names("activation"))]
    if layer._parent is not None:
        shared.append(layer._parent)
    twin = copy.deepcopy(layer, {id(each): each for each in shared})
    find_backend(backend)
    return twin.as_type("float64").to(backend)
