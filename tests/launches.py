"""How often a step on the stand-in device would launch something: kernels of LS by name, CuPy's functions with a dot before theirs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from ls_core.cuda import Source
from ls_core.testing.standin import STANDIN, StandInArray, StandInUfunc

_OPERATORS = "add sub mul truediv floordiv mod pow and or xor matmul"
_IN_PLACE = [f"__i{name}__" for name in _OPERATORS.split() if name != "matmul"]
_MADE = ["neg", "abs", "invert", "lt", "le", "eq", "ne", "gt", "ge", *_OPERATORS.split(), *(f"r{name}" for name in _OPERATORS.split())]
_NONE = {"empty", "empty_like", "get", "asnumpy"}


@contextlib.contextmanager
def launches() -> Iterator[list[str]]:
    """Inside, every launch is noted in the list. What gives a view, or memory that nobody has written to, is none."""
    found: list[str] = []
    inside = [False]  # a kernel or a function that calls others

    def noting(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            if inside[0]:
                return function(*args, **named)
            inside[0] = True
            try:
                result = function(*args, **named)
            finally:
                inside[0] = False
            arrays = [a._a for a in args if isinstance(a, StandInArray)]
            view = isinstance(result, StandInArray) and any(np.may_share_memory(result._a, a) for a in arrays)
            if name in _IN_PLACE or name == "__setitem__" or not view:
                found.append("." + name.strip("_"))
            return result

        return call

    def noted(source: Source, kernel: str, *args: Any) -> None:
        if 0 not in args[1]:
            found.append(kernel)
        was, inside[0] = inside[0], True
        try:
            run(source, kernel, *args)
        finally:
            inside[0] = was

    run = Source.run
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Source, "run", noted)
        methods = [name for name in vars(StandInArray) if not name.startswith("_") and name not in _NONE]
        for name in [*methods, "__setitem__", *_IN_PLACE, *(f"__{name}__" for name in _MADE)]:
            if callable(vars(StandInArray).get(name)):
                patch.setattr(StandInArray, name, noting(name, vars(StandInArray)[name]))
        for name, function in list(vars(STANDIN.xp).items()):
            if isinstance(function, StandInUfunc):
                patch.setattr(function, "_call", noting(name, function._call))
            elif callable(function) and getattr(function, "__name__", "") == name and not isinstance(function, type) and name not in _NONE:
                patch.setitem(vars(STANDIN.xp), name, noting(name, function))
        yield found
