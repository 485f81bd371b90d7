"""How a CUDA override stands in for its reference: for one float type throughout, and from forward to backward.

::

    @override(softmax_forward)
    def softmax_forward_cuda(x, axis=-1): ...        # the reference's signature

``OVERRIDES`` lists them all; nothing is registered until the backend 'cupy' is loaded (``when_cupy_loads``).
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterable
from typing import Any

from ..backend import Backend, on_backend
from ..kernel import Kernel

FLOATS = ("float16", "bfloat16", "float32", "float64")
SINGLE_AND_DOUBLE = ("float32", "float64")

OVERRIDES: list[tuple[Kernel, Callable[..., Any]]] = []
FAMILIES: list[str] = []  # the modules that fill it


class Kept(tuple[Any, ...]):
    """What a CUDA forward saved, where that differs from what the reference saves; its first array has the call's type."""

    __slots__ = ()


def override(
    kernel: Kernel, types: tuple[str, ...] | None = FLOATS, keeps: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a function the CUDA override of ``kernel``.

    Calls with arrays of several float types, or of a type that is not among ``types`` (None: any), go to the reference. ``keeps``
    says of a backward that it wants what its own forward kept: a ``Kept``; without one the reference ran forward, and
    runs backward too. A ``Kept`` always comes from a forward of ours, and goes to the override.
    """

    def listed(function: Callable[..., Any]) -> Callable[..., Any]:
        if types is None:
            OVERRIDES.append((kernel, function))
            return function

        @functools.wraps(function)
        def choose(first: Any, *rest: Any, **named: Any) -> Any:
            kept = _kept(rest)
            if kept is not None:
                dtype = kept[0].dtype
                return function(first if first.dtype == dtype else first.astype(dtype), *rest, **named)
            if keeps or _float_type((first, *rest, *named.values())) not in types:
                return kernel.reference(first, *rest, **named)
            return function(first, *rest, **named)

        OVERRIDES.append((kernel, choose))
        return choose

    return listed


def _kept(args: Iterable[Any]) -> Kept | None:
    return next((each for each in args if type(each) is Kept), None)


def _float_type(values: Iterable[Any]) -> str | None:
    """The one float type of all float arrays among ``values``, also within tuples; None where there are several."""
    found = _float_types(values)
    return found.pop() if len(found) == 1 else None


def _float_types(values: Iterable[Any]) -> set[str]:
    found: set[str] = set()
    for each in values:
        dtype = getattr(each, "dtype", None)
        if dtype is not None:
            if dtype.kind not in "iub":
                found.add(dtype.name)
        elif isinstance(each, (tuple, list)):
            found |= _float_types(each)
    return found


def when_cupy_loads(*modules: str) -> None:
    """Import these modules, and register what they override, once the backend 'cupy' is loaded; never before."""
    FAMILIES.extend(modules)

    def known(backend: Backend) -> None:
        if backend.name == "cupy":
            register_for("cupy", modules)

    on_backend(known)


def register_for(backend: str, modules: Iterable[str] | None = None) -> None:
    """Register the overrides of ``modules`` (default: of all families) for a backend."""
    names = list(FAMILIES if modules is None else modules)
    for name in names:
        importlib.import_module(name)
    for kernel, function in OVERRIDES:
        if function.__module__ in names:
            kernel.override(backend)(function)
