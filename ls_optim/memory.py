"""Memory: what an optimiser remembers of each Parameter between steps, and its way to a file and back."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from ls_core.backend import backend_of, to_device, to_host
from ls_core.parameter import Parameter, RowGradient
from ls_core.types import Array

State = dict[str, Array]
T = TypeVar("T")


class ByParameter(WeakKeyDictionary[Parameter, T]):
    """What belongs to Parameters, and goes when they go."""

    def __reduce__(self) -> tuple[Any, ...]:
        return ByParameter, (dict(self),)  # so that the copy of a model and its optimiser belong together

    def __deepcopy__(self, memo: dict[int, Any]) -> ByParameter[T]:
        return ByParameter(copy.deepcopy(dict(self), memo))


class Memory:
    """The state arrays, moving averages and accumulated gradients of Parameters, found by the Parameter itself.

    Parameters
    ----------
    loaded : dict of str to NumPy array
        What ``to_host`` returned, by '<path>/<name>'; each entry waits here until its Parameter is met.
    """

    def __init__(self, loaded: dict[str, np.ndarray]) -> None:
        self.loaded = loaded
        self.states: ByParameter[State] = ByParameter()
        self.average: ByParameter[Array] = ByParameter()
        self.accumulated: ByParameter[Any] = ByParameter()

    def state(self, parameter: Parameter, make: Callable[[Parameter], State]) -> State:
        """The state of a Parameter, made when it is first asked for; moved and converted as its value was."""
        found, value = self.states.get(parameter), parameter.value
        if found is None:
            found = self.states[parameter] = make(parameter)
            for name, array in found.items():
                loaded = self._load(parameter, name, array.shape)
                found[name] = array if loaded is None else loaded
        for name, array in found.items():
            if type(array) is not type(value) or array.dtype != value.dtype:
                found[name] = to_device(array, backend_of(value), value.dtype)
        return found

    def find(self, kind: str, parameter: Parameter) -> Any:
        """The 'average' or the 'accumulated' gradient of a Parameter, where its value is; None if there is none."""
        store: ByParameter[Any] = getattr(self, kind)
        if parameter not in store:
            loaded = self._load(parameter, kind, parameter.shape)
            rows = self.loaded.pop(f"{parameter.path}/{kind}_rows", None)
            if rows is not None:
                values = self._load(parameter, f"{kind}_values", (len(rows), *parameter.shape[1:]))
                loaded = RowGradient(to_device(np.array(rows), backend_of(values)), values, parameter.shape)
            if loaded is not None:
                store[parameter] = loaded
        found, value = store.get(parameter), parameter.value
        if found is not None and type(found) is not type(value) and not isinstance(found, RowGradient):
            found = store[parameter] = to_device(found, backend_of(value))
        return found

    def accumulate(self, parameter: Parameter) -> None:
        """Add a Parameter's gradient to its accumulated one; neither is written to."""
        before, gradient = self.find("accumulated", parameter), parameter.grad
        if before is not None:
            rows = isinstance(gradient, RowGradient) and not isinstance(before, RowGradient)
            gradient = gradient + before if rows else before + gradient
        self.accumulated[parameter] = gradient

    def _load(self, parameter: Parameter, name: str, shape: tuple[int, ...]) -> Array:
        array = self.loaded.pop(f"{parameter.path}/{name}", None)
        if array is None:
            return None
        if array.shape != shape:
            raise ValueError(f"the optimiser's state '{parameter.path}/{name}' has shape {array.shape}, its Parameter wants {shape}")
        return to_device(np.array(array, dtype=parameter.dtype), backend_of(parameter.value))

    def to_host(self) -> dict[str, np.ndarray]:
        """Copies of everything as NumPy arrays, by '<path>/<name>'.

        Raises
        ------
        ValueError
            Two Parameters have the same path.
        """
        states = dict(self.states)
        for kind, store in (("average", self.average), ("accumulated", self.accumulated)):
            for parameter, array in store.items():
                found = {kind: array}
                if isinstance(array, RowGradient):
                    rows = to_host(array.rows)
                    used = rows >= 0  # a device's sums have unused places
                    found = {f"{kind}_rows": rows[used], f"{kind}_values": to_host(array.values)[used]}
                states[parameter] = {**states.get(parameter, {}), **found}
        result = dict(self.loaded)
        for parameter, state in states.items():
            for name, array in state.items():
                key = f"{parameter.path}/{name}"
                if key in result:
                    raise ValueError(f"two Parameters of the optimiser have the path '{parameter.path}'; give each a name of its own")
                result[key] = np.array(to_host(array))
        return result
