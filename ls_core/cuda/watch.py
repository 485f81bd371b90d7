"""Watch: whether anything that a captured step depends on has changed. See docs/cuda.md, CUDA graphs."""

from __future__ import annotations

import itertools
import operator
from typing import Any

import numpy as np

from ..backend import floatx
from ..evaluation import Evaluator
from ..kernel import Kernel, kernel_switches
from ..layer import Layer
from ..matmul_precision import matmul_precision

SMALL = 1024  # numbers of an array of the host whose values are looked at, too
_OF_PARAMETER = operator.attrgetter("value", "trainable", "regularizer")
# What training itself sets on a model, and no pass reads.
_OF_TRAINING = {"run", "history", "stop_training", "optimizer", "gradient_watchers", "loaded_as", "label_index", "vectorizations"}
_OF_TRAINING |= {"_all_parameters", "_regularized", "_objective", "_precision", "_graphs", "_compiled_with"}
_OPAQUE = ("builtins", "numpy", "cupy", "pandas", "threading")  # modules of classes whose objects are not looked into


class Watch:
    """What a captured step depends on beside the batch and the numbers in its arrays: if it changes, the graph is worthless.

    That is which arrays the Parameters have, whether they are trained, every attribute of every layer, loss, activation and
    regulariser (also in lists and dicts), and LS' own switches. It is looked at before each launch, so it is compared by identity.
    """

    def __init__(self, model: Any) -> None:
        self._attributes: list[tuple[str, dict[str, Any], dict[str, Any]]] = []  # whose, they, as they were
        self._of_models: list[tuple[str, dict[str, Any], dict[str, Any]]] = []  # among which training itself sets some
        self._lists: list[tuple[str, list[Any], list[Any]]] = []
        self._numbers: list[tuple[str, np.ndarray, np.ndarray]] = []  # small arrays of the host
        self._seen: set[int] = set()
        self._parameters = [(p, *_OF_PARAMETER(p)) for p in model._all_parameters]
        self._switches = _switches()
        above = model._parent
        while above is not None:  # whose names are part of the random streams' names
            self._look_at(above, inside=False)
            above = above._parent
        for layer in model._flatten():
            self._look_at(layer)
        for each in (*(output.loss for output in model._objective.outputs), *(p.regularizer for p in model._all_parameters)):
            self._look_into(type(each).__name__, each)
        self._facts = self._collect(model)

    def _look_at(self, thing: Any, inside: bool = True) -> None:
        if id(thing) in self._seen:
            return
        self._seen.add(id(thing))
        whose, now = repr(thing) if isinstance(thing, Layer) else type(thing).__name__, vars(thing)
        then = {name: value for name, value in now.items() if not (isinstance(thing, Evaluator) and name in _OF_TRAINING)}
        (self._of_models if isinstance(thing, Evaluator) else self._attributes).append((whose, now, then))
        for name, value in then.items() if inside else ():
            self._look_into(f"'{name}' of {whose}", value)

    def _look_into(self, whose: str, value: Any) -> None:
        kind = type(value)
        if kind in (list, dict, tuple):
            if id(value) in self._seen:
                return
            self._seen.add(id(value))
            if kind is list:
                self._lists.append((whose, value, list(value)))
            elif kind is dict:
                self._attributes.append((whose, value, dict(value)))
            for each in value.values() if kind is dict else value:
                self._look_into(whose, each)
        elif kind is np.ndarray and value.size <= SMALL and value.dtype.kind in "biufc":
            self._numbers.append((whose, value, value.copy()))
        elif hasattr(value, "__dict__") and kind.__module__.partition(".")[0] not in _OPAQUE and not isinstance(value, (type, Kernel)):
            self._look_at(value)

    def _collect(self, model: Any) -> list[Any]:
        join = itertools.chain.from_iterable
        return [
            *join((output.loss, output.joined, output.weight) for output in model._objective.outputs),
            *model._all_parameters,
            *join(map(_OF_PARAMETER, model._all_parameters)),
            *join(now.values() for _, now, _ in self._attributes),
            *(value for _, now, _ in self._of_models for name, value in now.items() if name not in _OF_TRAINING),
            *join(now for _, now, _ in self._lists),
        ]

    def unchanged(self, model: Any) -> bool:
        """Whether all is as it was when this was made."""
        now = self._collect(model)
        same = len(now) == len(self._facts) and all(map(operator.is_, now, self._facts)) and _switches() == self._switches
        return same and all(array.tobytes() == before.tobytes() for _, array, before in self._numbers)

    def changes(self) -> str:
        """What is not as it was."""
        for p, *of_it in self._parameters:
            if any(map(operator.is_not, _OF_PARAMETER(p), of_it)):
                return f"parameter '{p.path}'"
        for whose, now, then in (*self._attributes, *self._of_models):
            for name in now.keys() | then.keys():
                if now.get(name) is not then.get(name) and name not in _OF_TRAINING:
                    return f"'{name}' of {whose}"
        for whose, items, before in self._lists:
            if len(items) != len(before) or any(map(operator.is_not, items, before)):
                return whose
        for whose, array, numbers in self._numbers:
            if array.tobytes() != numbers.tobytes():
                return whose
        return "a switch of LS" if _switches() != self._switches else "the list of Parameters"

    def put_back(self) -> None:
        """Make all as it was."""
        for p, value, _, _ in self._parameters:
            p.value = value
        for _, now, then in self._attributes:
            for name in now.keys() - then.keys():
                del now[name]
            now.update(then)
        for _, now, then in self._of_models:
            now.update(then)
        for _, items, before in self._lists:
            items[:] = before
        for _, array, numbers in self._numbers:
            array[...] = numbers


def _switches() -> tuple[Any, ...]:
    return *kernel_switches(), matmul_precision(), floatx()


__all__ = ["Watch"]
