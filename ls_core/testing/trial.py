"""Trial: the layer of a case, built, with its inputs; it can be run again and again from the same start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np

from ..backend import backend_of, floatx_scope, to_device, to_host, use_backend
from ..gradcheck.case import Case
from ..gradcheck.subject import is_float, leaves, refill
from ..layer import Cache, Layer
from ..parameter import RowGradient
from ..random import Stream, same_random_numbers, set_seed
from ..types import Array


@dataclass
class Run:
    """What one forward and backward gave: lists of arrays, ``grads`` by Parameter (None where there is none)."""

    y: list[Any]
    dx: list[Any]
    grads: list[Any]

    def floats(self) -> list[tuple[str, Array]]:
        """Every float array, with a name for messages."""
        named = [(f"output {i}", a) for i, a in enumerate(self.y)]
        named += [(f"gradient of input {i}", a) for i, a in enumerate(self.dx)]
        named += [(f"gradient of weight {i}", a) for i, a in enumerate(self.grads)]
        return [(name, a) for name, a in named if is_float(a)]


def host_normal(self: Stream, shape: tuple[int, ...], dtype: Any = np.float32, like: Array = None) -> Array:
    """Stream.normal drawn on the host for every backend, so that backends can be compared."""
    drawn = self.generator.standard_normal(shape).astype(dtype, copy=False)
    return drawn if like is None else backend_of(like).to_device(drawn)


class Trial:
    """A case's layer and inputs in ``dtype`` on ``backend``; the same seed gives the same numbers on each.

    The Parameters get ``noise`` times normal numbers, since zeros and ones hide mistakes.
    """

    def __init__(self, case: Case, dtype: str = "float64", backend: str = "numpy", noise: float = 0.1, seed: int = 0) -> None:
        set_seed(seed)
        self.case, self.backend = case, backend
        given = case.inputs(np.random.default_rng(seed))
        if not isinstance(given, tuple) or not given:
            raise TypeError(
                f"case {case.name!r}: inputs(generator) returns a tuple with the layer's inputs, (x,) for one; it gave {given!r}"
            )
        self.inputs = tuple(self.place(x, dtype) for x in given)
        self.options = {name: self.place(value, dtype) for name, value in case.options.items()}
        with use_backend(backend), floatx_scope(dtype):
            self.layer: Layer = case.make()
            if not self.layer.built:
                self.layer._build_on(self.inputs)
            with same_random_numbers():
                self.layer.forward(*self.inputs, training=case.training, **self.options)  # containers build on the way
        rng = np.random.default_rng([seed, 1])
        for p in self.layer.parameters():
            if p.trainable and is_float(p):
                p.value = to_device((to_host(p.value) + noise * rng.normal(size=p.shape)).astype(p.dtype), backend)
        self.states = [(p, p.value.copy()) for p in self.layer.parameters() if p.state]

    def place(self, value: Any, dtype: str) -> Any:
        """``value`` on the backend, floats in ``dtype``; nested tuples and lists too."""
        placed = []
        for leaf in leaves(value):
            if not isinstance(leaf, np.ndarray) or leaf.dtype.kind not in "biufc":  # texts stay on the host
                placed.append(leaf)
            else:
                placed.append(to_device(leaf, self.backend, dtype if leaf.dtype.kind == "f" else None))
        return refill(value, placed)

    def rewind(self) -> None:
        """Put the layer's state (moving statistics ...) back."""
        for p, value in self.states:
            p.value = value.copy()

    def forward(self, inputs: Any = None, options: Any = None) -> tuple[Any, Cache]:
        """y and cache, from the same random numbers and state each time."""
        self.rewind()
        given = self.inputs if inputs is None else inputs
        with same_random_numbers(), mock.patch.object(Stream, "normal", host_normal):
            keywords = self.options if options is None else options
            y, cache = self.layer.forward(*given, training=self.case.training, **keywords)
        return y, cache

    def cotangent(self, y: Any) -> Any:
        """A random dy in y's nesting, the same each time; None for what is no float."""
        rng = np.random.default_rng(3)
        drawn = []
        for each in leaves(y):
            g = rng.normal(size=each.shape) if hasattr(each, "shape") else None
            drawn.append(to_device(g.astype(each.dtype), self.backend) if g is not None and is_float(each) else None)
        return refill(y, drawn)

    def run(self, inputs: Any = None, options: Any = None, dy: Any = None, **how: Any) -> Run:
        """One forward and backward, with the gradients that it left; they are dropped afterwards."""
        y, cache = self.forward(inputs, options)
        if not self.case.differentiable:
            return Run(leaves(y), [], [])
        dx = self.layer.backward(self.cotangent(y) if dy is None else dy, cache, **how)
        return Run(leaves(y), leaves(dx), self.take_grads())

    def take_grads(self) -> list[Any]:
        """The Parameters' gradients, dense; dropped from the layer."""
        found = []
        for p in self.layer.parameters():
            found.append(p.grad.to_dense() if isinstance(p.grad, RowGradient) else p.grad)
            p.drop_grad()
        return found

    @property
    def arrays(self) -> list[Any]:
        """The arrays among inputs and options."""
        return [leaf for leaf in leaves([self.inputs, list(self.options.values())]) if hasattr(leaf, "dtype")]

    @property
    def batch(self) -> int:
        """Length of the first axis of the first input."""
        return int(self.arrays[0].shape[0])

    def rows(self, value: Any, part: slice) -> Any:
        """``value`` with every array that has the batch axis cut to ``part``."""
        cut = [leaf[part] if getattr(leaf, "ndim", 0) and leaf.shape[0] == self.batch else leaf for leaf in leaves(value)]
        return refill(value, cut)

    @property
    def draws(self) -> bool:
        """Whether forward takes numbers from a random stream."""
        from ..random import get_random_state

        before = get_random_state()
        self.rewind()
        self.layer.forward(*self.inputs, training=self.case.training, **self.options)
        return get_random_state() != before

    @property
    def numeric(self) -> bool:
        """Whether all inputs are numbers, which a device can hold."""
        return all(leaf.dtype.kind in "biufc" for leaf in self.arrays)
