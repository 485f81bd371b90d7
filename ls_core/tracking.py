"""The numbers of a running epoch: averaged on the device, read when somebody looks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from .backend import get_xp, to_host
from .errors import NonFiniteError
from .random import same_random_numbers
from .types import Array


class LossTracker:
    """The mean of each loss over the rows seen so far; sums stay 0-d arrays on the device."""

    def __init__(self, objective: Any) -> None:
        self.objective = objective
        self.rows = 0
        self.total: Array = 0.0
        self.parts: list[Array] = []

    def add(self, loss: Array, parts: list[Array], rows: int) -> None:
        self.total = self.total + loss.astype(np.float64) * rows
        if self.objective.several:
            parts = [part.astype(np.float64) * rows for part in parts]
            self.parts = [a + b for a, b in zip(self.parts, parts, strict=True)] if self.parts else parts
        self.rows += rows

    def get_state(self) -> dict[str, Any]:
        return {"rows": self.rows, "total": self.total, "parts": self.parts}

    def set_state(self, state: dict[str, Any]) -> None:
        self.rows, self.total, self.parts = state["rows"], state["total"], state["parts"]

    def results(self) -> dict[str, float]:
        """'loss', each output's loss where there are several, and the metrics, as Python floats."""
        rows = max(1, self.rows)
        found: dict[str, Any] = {"loss": float(self.total) / rows}
        names = [output.name for output in self.objective.outputs if output.loss is not None]
        if len(names) > 1:
            found.update({f"{name}_loss": float(part) / rows for name, part in zip(names, self.parts, strict=False)})
        found.update({name: _number(value) for name, value in self.objective.results().items()})
        return found


class LazyLogs(Mapping[str, float]):
    """A mapping that is computed when it is first read."""

    __slots__ = ("_compute", "_found")

    def __init__(self, compute: Callable[[], dict[str, float]]) -> None:
        self._compute = compute
        self._found: dict[str, float] | None = None

    def _read(self) -> dict[str, float]:
        if self._found is None:
            self._found = self._compute()
        return self._found

    def __getitem__(self, name: str) -> float:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())


def _number(value: Any) -> Any:
    host = to_host(value)
    return float(host) if host.ndim == 0 else host.tolist()


def stateful_layers(model: Any) -> list[Any]:
    """The layers that go on from the last batch's states; not Bidirectional, whose states are those of its two layers."""
    return [layer for layer in model._flatten() if isinstance(vars(layer).get("states"), list)]


@contextlib.contextmanager
def memory_kept(model: Any) -> Iterator[None]:
    """Inside, stateful layers begin from zeros; afterwards they and the moving statistics are as they were before."""
    values = [(p, p.value, p.value.copy()) for p in (model.parameters() if model.built else ()) if p.state]
    states = [(layer, layer.states) for layer in stateful_layers(model)]
    for layer, _ in states:
        layer.states = []
    try:
        yield
    finally:
        for layer, before in states:
            layer.states = before
        for parameter, array, value in values:
            array[...] = value
            parameter.value = array


def explain_non_finite(model: Any, x: tuple[Array, ...], loss: Any) -> NonFiniteError:
    """Find the first Parameter, input or layer with a NaN or an infinity, and say so."""

    def bad(array: Any) -> bool:
        return hasattr(array, "dtype") and array.dtype.kind == "f" and not bool(get_xp(array).isfinite(array).all())

    for i, array in enumerate(x):
        if bad(array):
            return NonFiniteError(f"the loss is {float(loss)}: input {i} of the model holds NaN or infinity; clean the data first")
    for parameter in model.parameters():
        if bad(parameter.value):
            return NonFiniteError(
                f"the loss is {float(loss)}: parameter '{parameter.path}' holds NaN or infinity since the last step; "
                "lower the learning rate, or clip the gradients (clipnorm=1.0)"
            )
    for layer, y in layer_outputs(model, x, training=True):
        if bad(y):
            return NonFiniteError(
                f"the loss is {float(loss)}: the first layer with a non-finite value is {layer}; "
                "lower the learning rate, clip the gradients (clipnorm=1.0), or look at what this layer computes"
            )
    return NonFiniteError(f"the loss is {float(loss)} although every layer's output is finite; look at the targets and the sample weights")


def layer_outputs(model: Any, x: tuple[Array, ...], training: bool) -> list[tuple[Any, Array]]:
    """(layer, output) of every innermost layer, in the order in which they run: one forward, overheard.

    Random streams and what layers remember are afterwards as they were.
    """
    found: list[tuple[Any, Array]] = []
    inner = [layer for layer in model._flatten() if not layer._sublayers]

    def overhear(layer: Any) -> Any:
        forward = layer.forward

        def listening(*inputs: Any, **options: Any) -> Any:
            y, cache = forward(*inputs, **options)
            found.extend((layer, each) for each in (y if isinstance(y, tuple) else (y,)))
            return y, cache

        return listening

    before = [layer.__dict__.get("forward") for layer in inner]  # somebody else may be listening already
    for layer in inner:
        layer.__dict__["forward"] = overhear(layer)
    try:
        with same_random_numbers(), memory_kept(model):
            model.forward(*x, training=training)
    finally:
        for layer, forward in zip(inner, before, strict=True):
            del layer.__dict__["forward"]
            if forward is not None:
                layer.__dict__["forward"] = forward
    return found
