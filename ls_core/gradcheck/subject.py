"""What is checked: a layer, a pair of functions or a loss, all seen as values -> outputs with a gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..backend import is_float as holds_floats
from ..backend import to_device, to_host
from ..types import Array
from .report import GradientError

OWNERSHIP = "That belongs to its caller: make a new array, `x = x - m`, not `x -= m`"
Resample = Callable[[np.random.Generator], "tuple[Any, ...]"]


def leaves(value: Any) -> list[Any]:
    """The arrays (and Nones) in nested tuples, lists and dicts, in order."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [leaf for each in value for leaf in leaves(each)]
    return [value]


def refill(value: Any, new: list[Any]) -> Any:
    """``value``'s nesting with the leaves in ``new``, which is used up."""
    if isinstance(value, dict):
        return {name: refill(each, new) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        make = getattr(type(value), "_make", type(value))  # a named tuple takes its fields one by one
        return make([refill(each, new) for each in value])
    return new.pop(0)


def is_float(x: Any) -> bool:
    """Whether ``x`` is an array of real or complex floating numbers, or a Parameter with one."""
    return hasattr(x, "dtype") and holds_floats(x)


def as_double(x: Any, backend: str) -> Any:
    """``x`` on ``backend``, in float64 where it holds floating numbers; what is no array stays."""
    if not hasattr(x, "dtype"):
        return x
    return to_device(x, backend, np.float64 if x.dtype.kind == "f" else None)


def convert(value: Any, backend: str) -> Any:
    """``as_double`` of every leaf."""
    return refill(value, [as_double(leaf, backend) for leaf in leaves(value)])


class Subject:
    """Something with float inputs, perhaps Parameters, outputs, and a hand-written gradient.

    ``values`` are the current numbers of the targets, ``names`` what the report calls them.
    """

    name: str
    names: list[str]
    values: list[Array]
    parameters: list[str]  # those of ``names`` that must not have a gradient of zero
    keeps_double = True  # whether outputs must be float64

    def __init__(self, inputs: tuple[Any, ...], backend: str, resample: Resample | None) -> None:
        self.backend = backend
        self.inputs = convert(inputs, backend)
        self.parameters = []
        self._resample = resample

    def outputs(self, values: list[Array]) -> list[Array]:
        """The float outputs for other ``values`` of the targets."""
        raise NotImplementedError

    def gradients(self, cotangent: Callable[[tuple[int, ...]], np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """(cotangents drawn for the outputs, gradients of the targets), all on the host."""
        raise NotImplementedError

    def renew(self, rng: np.random.Generator, attempt: int) -> None:
        """Other inputs of the same shapes: from the caller's function, else the same ones moved a little."""
        if self._resample is not None:
            self.inputs = convert(tuple(self._resample(rng)), self.backend)
        else:
            moved = [self._moved(leaf, rng) for leaf in leaves(self.inputs)]
            self.inputs = refill(self.inputs, moved)

    def _moved(self, x: Any, rng: np.random.Generator) -> Any:
        if not is_float(x):
            return x
        host = to_host(x)
        # Signs and orders of magnitude stay, so log and sqrt keep their domain; exact zeros and ties move.
        near = host * (1 + 0.2 * rng.uniform(-1, 1, host.shape)) + 0.01 * rng.uniform(0, 1, host.shape)
        return to_device(near, self.backend)


class FunctionSubject(Subject):
    """``forward(*inputs) -> (y, saved)`` with ``backward(dy, saved) -> dx`` (a tuple for several inputs)."""

    def __init__(
        self, name: str, forward: Any, backward: Any, inputs: tuple[Any, ...], backend: str = "numpy", resample: Resample | None = None
    ) -> None:
        super().__init__(inputs, backend, resample)
        self.name, self.forward, self.backward = name, forward, backward
        self._locate()

    def _locate(self) -> None:
        every = leaves(self.inputs)
        self.slots = [i for i, leaf in enumerate(every) if is_float(leaf)]
        self.names = ["input"] if len(every) == 1 else [f"input {i}" for i in self.slots]
        self.values = [every[i] for i in self.slots]

    def renew(self, rng: np.random.Generator, attempt: int) -> None:
        super().renew(rng, attempt)
        self._locate()

    def filled(self, values: list[Array]) -> Any:
        """The inputs with ``values`` in place of the targets."""
        every = leaves(self.inputs)
        for slot, value in zip(self.slots, values, strict=True):
            every[slot] = value
        return refill(self.inputs, every)

    def outputs(self, values: list[Array]) -> list[Array]:
        return [y for y in leaves(self.forward(*self.filled(values))[0]) if is_float(y)]

    def gradients(self, cotangent: Callable[[tuple[int, ...]], np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
        y, saved = self.forward(*self.inputs)
        drawn, dy = draw_cotangents(y, cotangent, self.backend)
        dx = self.backward(dy, saved)
        return drawn, match_inputs(self.name, dx, leaves(self.inputs))


class LossSubject(FunctionSubject):
    """A loss: the gradient of its value with respect to y_pred, by ``value_and_grad``."""

    keeps_double = False  # a loss may be asked to compute in another type

    def __init__(self, loss: Any, y_true: Any, y_pred: Any, sample_weight: Any, backend: str, resample: Resample | None) -> None:
        y_true, sample_weight = convert((y_true, sample_weight), backend)

        def forward(prediction: Array) -> tuple[Array, Any]:
            return loss.value_and_grad(y_true, prediction, sample_weight)

        name = getattr(loss, "name", None) or type(loss).__name__
        super().__init__(f"loss {name}", forward, None, (y_pred,), backend, resample)

    def _locate(self) -> None:
        super()._locate()
        self.names = ["y_pred"]

    def gradients(self, cotangent: Callable[[tuple[int, ...]], np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
        value, gradient = self.forward(*self.inputs)  # of the sum, where reduction='none' leaves several values
        return [np.ones(value.shape)], match_inputs(self.name, gradient, leaves(self.inputs))


def draw_cotangents(y: Any, cotangent: Callable[[tuple[int, ...]], np.ndarray], backend: str) -> tuple[list[np.ndarray], Any]:
    """One random cotangent for each float output, and dy in y's nesting (None for other outputs)."""
    drawn, dy = [], []
    for each in leaves(y):
        if is_float(each):
            drawn.append(np.asarray(cotangent(tuple(each.shape))))
            dy.append(to_device(drawn[-1], backend))
        else:
            dy.append(None)
    return drawn, refill(y, dy)


def match_inputs(name: str, dx: Any, inputs: list[Any]) -> list[np.ndarray]:
    """The gradients of the float inputs on the host; an error where one is missing, superfluous or misshapen."""
    found = leaves(dx)
    if len(found) != len(inputs):
        raise GradientError(f"{name}: backward returned {len(found)} gradients for {len(inputs)} inputs")
    gradients = []
    for i, (g, x) in enumerate(zip(found, inputs, strict=True)):
        if not is_float(x):
            if g is not None:
                raise GradientError(f"{name}: input {i} holds no floating numbers, so backward returns None for it, not {g!r}")
            continue
        if g is None:
            raise GradientError(f"{name}: backward returned None for input {i}, which holds floating numbers")
        if tuple(g.shape) != tuple(x.shape):
            raise GradientError(f"{name}: the gradient of input {i} has shape {tuple(g.shape)}, the input {tuple(x.shape)}")
        gradients.append(to_host(g))
    return gradients
