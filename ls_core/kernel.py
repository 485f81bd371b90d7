"""@kernel: one readable reference function, and faster overrides per backend under its name.

::

    @kernel
    def relu_forward(x): ...                # the reference: readable, runs on every backend, is the truth

    @relu_forward.override('cupy')          # same signature, compared with the reference by a test
    def relu_forward_cuda(x): ...

A call looks at the type of the first argument, once, in a dict. ``use_references()`` switches every
override off: what then differs is an override's fault. An override for 'numba' is one for NumPy arrays too, compiled by Numba (the
extra 'fast'); it goes before the one for 'numpy' unless ``use_accelerator(False)`` or ``LS_ACCELERATOR=0`` says otherwise.
"""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Callable
from types import TracebackType
from typing import Any

from .backend import Backend, on_backend

KERNELS: dict[str, Kernel] = {}
_types: dict[str, type] = {}
_references_only = False
_accelerated = os.environ.get("LS_ACCELERATOR", "1") != "0"
_deterministic = False
_changes = 0  # of what a call of some kernel runs


class Kernel:
    """A reference function with overrides; calling it picks by the first argument's type."""

    def __init__(self, reference: Callable[..., Any]) -> None:
        self.reference = reference
        self.overrides: dict[str, Callable[..., Any]] = {}
        self._table: dict[type, Callable[..., Any]] = {}
        self.__name__ = reference.__name__
        self.__qualname__ = reference.__qualname__
        self.__doc__ = reference.__doc__
        self.__module__ = reference.__module__
        self.__wrapped__ = reference
        name = f"{reference.__module__}.{reference.__qualname__}"
        KERNELS[name] = self

    def __call__(self, first: Any, *rest: Any, **named: Any) -> Any:
        return self._table.get(type(first), self.reference)(first, *rest, **named)

    def override(self, backend: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Register a faster function for ``backend`` ('numpy', 'numba', 'cupy').

        Raises
        ------
        TypeError
            The override's parameters differ from the reference's in name, order or default.
        """

        def register(function: Callable[..., Any]) -> Callable[..., Any]:
            global _changes
            wanted, got = _parameters(self.reference), _parameters(function)
            if wanted != got:
                raise TypeError(
                    f"override {function.__qualname__} of kernel {self.__name__} for {backend!r} takes ({got}), "
                    f"the reference takes ({wanted}); an override has the reference's signature"
                )
            self.overrides[backend] = function
            _changes += 1
            self._fill()
            return function

        return register

    def _fill(self) -> None:
        self._table.clear()
        if not _references_only:
            self._table.update({_types[b]: f for b, f in self.overrides.items() if b in _types})
            if _accelerated and "numba" in self.overrides:
                self._table[_types["numpy"]] = self.overrides["numba"]

    def __reduce__(self) -> tuple[Any, ...]:
        return _find, (self.__module__, self.__qualname__)  # a pickle or a copy of a model names its kernels

    def __repr__(self) -> str:
        return f"<kernel {self.__name__}, overrides: {', '.join(self.overrides) or 'none'}>"


def kernel(reference: Callable[..., Any]) -> Kernel:
    """Make ``reference`` a kernel that overrides can be registered for."""
    return Kernel(reference)


def _find(module: str, name: str) -> Kernel:
    importlib.import_module(module)
    return KERNELS[f"{module}.{name}"]


def _parameters(function: Callable[..., Any]) -> str:
    parts = []
    for parameter in inspect.signature(function).parameters.values():
        default = "" if parameter.default is parameter.empty else f"={parameter.default!r}"
        parts.append(f"{parameter.name}{default}")
    return ", ".join(parts)


class Restore:
    """What the switches return: usable as a context manager that switches back."""

    def __init__(self, switch: Callable[[Any], Any], previous: Any) -> None:
        self._switch, self._previous = switch, previous

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._switch(self._previous)


def use_references(only: bool = True) -> Restore:
    """Run the references alone (``only=False``: overrides again); also as a ``with`` block."""
    global _references_only
    previous, _references_only = _references_only, only
    _fill_all()
    return Restore(use_references, previous)


def use_accelerator(compiled: bool = True) -> Restore:
    """Use the overrides that Numba compiles, where Numba is installed; also as a ``with`` block."""
    global _accelerated
    previous, _accelerated = _accelerated, compiled
    _fill_all()
    return Restore(use_accelerator, previous)


def accelerator_wanted() -> bool:
    """Whether compiled overrides are switched on (they also need Numba)."""
    return _accelerated


def use_deterministic(only: bool = True) -> Restore:
    """Let kernels add up in a fixed order, also where that is slower; also as a ``with`` block.

    On CUDA the gradient of an Embedding adds up in whatever order the threads come, so its last bits differ from run to
    run; with this they do not. All else is in a fixed order anyway.
    """
    global _deterministic
    previous, _deterministic = _deterministic, only
    return Restore(use_deterministic, previous)


def deterministic() -> bool:
    """Whether sums must be added in a fixed order."""
    return _deterministic


def kernel_switches() -> tuple[Any, ...]:
    """What the kernels' results depend on beside their arguments: equal if nothing was switched in between."""
    return _changes, _references_only, _accelerated, _deterministic


def _fill_all() -> None:
    for each in KERNELS.values():
        each._fill()


def _backend_known(backend: Backend) -> None:
    _types[backend.name] = backend.array_type
    _fill_all()


on_backend(_backend_known)
