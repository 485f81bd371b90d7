"""FLOPs and bytes of a kernel, counted while its reference runs: nothing is guessed, and every kernel can be counted.

    work = count(layer_normalization_forward.reference, x, gamma, beta, 1e-3)

An operation is one element of an element-wise function's result (an exp or a division counts one) or one number that a
reduction reads; a product of (m, k) and (k, n) counts 2 m n k. Bytes are those that must move at least: of each argument
what the reference reads of it, once, and each new array that it returns, once. Copies and temporaries count nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ls_core.backend import Backend, register_backend
from ls_core.gradcheck.subject import leaves, refill

from .roofline import Work

WRAPPERS = {np.clip, np.sum, np.prod, np.mean, np.var, np.std, np.max, np.min}  # functions that call ufuncs


class Tally:
    """What has been counted so far, and how much of each argument was read or written."""

    def __init__(self) -> None:
        self.products = 0.0
        self.others = 0.0
        self.sizes: dict[int, int] = {}  # of the arguments' arrays, by address
        self.read: dict[int, int] = {}
        self.written: dict[int, int] = {}

    def touch(self, array: Any, nbytes: int | None = None, write: bool = False) -> None:
        """Note that ``nbytes`` of an array (default: all of it) were used."""
        if isinstance(array, np.ndarray):
            place = _root(array)
            if place in self.sizes:
                table = self.written if write else self.read
                table[place] = min(self.sizes[place], table.get(place, 0) + (held(array) if nbytes is None else nbytes))


def _root(array: np.ndarray) -> int:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return int(array.__array_interface__["data"][0])


_tally = Tally()


def _plain(value: Any) -> Any:
    if isinstance(value, Counting):
        return value.view(np.ndarray)
    if isinstance(value, (tuple, list)):
        return type(value)(_plain(each) for each in value)
    return {k: _plain(v) for k, v in value.items()} if isinstance(value, dict) else value


def _counting(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_counting(each) for each in value)
    return value.view(Counting) if isinstance(value, np.ndarray) and not isinstance(value, Counting) else value


class Counting(np.ndarray):
    """A NumPy array that notes what is computed with it."""

    def __array_ufunc__(self, function: Any, method: Any, *inputs: Any, out: Any = None, **options: Any) -> Any:  # type: ignore[override]
        for each in inputs:
            _tally.touch(each)
        outs: tuple[Any, ...] = () if out is None else out
        for each in outs:
            _tally.touch(each, write=True)
        plain_out = {"out": _plain(tuple(outs))} if outs else {}
        result = getattr(function, method)(*_plain(tuple(inputs)), **plain_out, **_plain(options))
        made = result[0] if isinstance(result, tuple) else result
        if method == "at":
            _tally.others += np.size(inputs[-1])
        elif any(np.asarray(_plain(each)).dtype.kind in "fc" for each in (*inputs, made)):
            if function is np.matmul:
                _tally.products += 2.0 * np.size(made) * inputs[0].shape[-1]
            else:
                _tally.others += np.size(inputs[0] if method in ("reduce", "reduceat", "accumulate") else made)
        return outs[0] if len(outs) == 1 else _counting(result)

    def __array_function__(self, function: Any, types: Any, args: Any, named: Any) -> Any:
        if function in WRAPPERS:  # what they call is counted
            return super().__array_function__(function, types, args, named)
        result: Any = function(*_plain(args), **_plain(named))
        if function in (np.einsum, np.tensordot, np.vdot) or getattr(function, "__module__", "") == "numpy.linalg":
            raise TypeError(f"the operations of numpy.{function.__name__} are not counted; write it as products and reductions")
        if function in (np.cumsum, np.sort):
            _tally.others += np.size(args[0])
        if function in (np.dot, np.inner):
            _tally.products += 2.0 * np.size(result) * args[0].shape[-1]
        if function in (np.take, np.take_along_axis):  # only the rows that are taken
            _tally.touch(args[0], np.size(result) * args[0].itemsize)
            args = args[1:]
        for each in leaves([args, named]):
            _tally.touch(each)
        return _counting(result)

    def astype(self, *args: Any, **named: Any) -> Any:
        _tally.touch(self)
        return super().astype(*args, **named)

    def copy(self, *args: Any, **named: Any) -> Any:
        _tally.touch(self)
        return super().copy(*args, **named)

    def argmax(self, *args: Any, **named: Any) -> Any:
        _tally.touch(self)
        _tally.others += self.size
        return super().argmax(*args, **named)

    def __getitem__(self, index: Any) -> Any:
        result = super().__getitem__(index)
        if isinstance(result, np.ndarray) and _root(result) != _root(self):  # gathered, so copied
            _tally.touch(self, result.nbytes)
        return result

    def __setitem__(self, index: Any, value: Any) -> None:
        _tally.touch(value)
        _tally.touch(self, self.nbytes if index is Ellipsis else np.size(value) * self.itemsize, write=True)
        super().__setitem__(index, _plain(value))


class _Namespace:
    """NumPy, except that its functions return counting arrays."""

    __name__ = "counting"

    def __getattr__(self, name: str) -> Any:
        found = getattr(np, name)
        if not callable(found) or isinstance(found, (type, np.ufunc)):
            return found
        return lambda *args, **named: _counting(found(*args, **named))


register_backend(
    Backend(
        name="counting",
        xp=_Namespace(),
        array_type=Counting,
        to_device=lambda x: x.view(Counting),
        to_host=lambda x: x.view(np.ndarray),
        synchronize=lambda: None,
        uniform=lambda generator, shape, dtype: generator.random(shape).astype(dtype).view(Counting),
    )
)


def buffers(value: Any) -> dict[int, int]:
    """The separate arrays in a nested value: bytes by address. A view counts as what it shows, once."""
    found: dict[int, int] = {}
    for leaf in leaves(value):
        if hasattr(leaf, "nbytes") and hasattr(leaf, "dtype"):
            place = _address(leaf)
            found[place] = max(found.get(place, 0), held(leaf))
    return found


def owners(value: Any) -> set[int]:
    """Where the memory begins of each array in a nested value."""
    return {_owner(leaf) for leaf in leaves(value) if hasattr(leaf, "nbytes") and leaf.nbytes}


def fresh(args: Any, result: Any) -> dict[int, int]:
    """The buffers of a result that show no memory of the arguments: the part of an argument that is returned was not moved."""
    known = owners(args)
    return buffers([leaf for leaf in leaves(result) if hasattr(leaf, "nbytes") and _owner(leaf) not in known])


def _owner(array: Any) -> int:
    """Where the memory begins that an array shows, perhaps a part of it."""
    memory = getattr(getattr(array, "data", None), "mem", None)  # CuPy's
    return _root(array) if isinstance(array, np.ndarray) else int(memory.ptr) if memory is not None else id(array)


def held(array: Any) -> int:
    """The bytes behind an array: a broadcast axis repeats them.

    >>> held(np.broadcast_to(np.zeros(3, dtype=np.float32), (5, 3)))
    12
    """
    lengths = [n for n, stride in zip(array.shape, array.strides, strict=True) if stride]
    return int(np.prod(lengths)) * int(array.itemsize) if array.size else 0


def _address(array: Any) -> int:
    data = getattr(array, "data", None)
    pointer = getattr(data, "ptr", None)  # CuPy's
    return int(pointer) if pointer is not None else int(array.__array_interface__["data"][0])


def count(function: Callable[..., Any], *args: Any, shortcut: float = 1.0) -> Work:
    """The Work of ``function(*args)``, on copies of the arguments."""
    global _tally
    _tally = tally = Tally()
    copies: dict[int, np.ndarray] = {}
    placed = []
    for leaf in leaves(list(args)):
        if isinstance(leaf, np.ndarray):
            copied = copies.setdefault(id(leaf), leaf.copy(order="K"))
            tally.sizes[_root(copied)] = copied.nbytes
            placed.append(copied.view(Counting))
        else:
            placed.append(leaf)
    given = refill(list(args), placed)
    result = function(*given)
    dtypes = [leaf.dtype.name for leaf in leaves([list(args), result]) if getattr(getattr(leaf, "dtype", None), "kind", "") == "f"]
    new = sum(fresh(given, result).values())
    reads = sum(tally.read.values())
    nbytes = reads + sum(tally.written.values()) + new
    return Work(tally.products + tally.others, tally.products, nbytes, dtypes[0] if dtypes else "float32", shortcut, reads)


def of_variant(work: Work, args: Any, result: Any) -> Work:
    """``work`` with the bytes of one variant of the kernel, which may keep less for its backward than the reference does."""
    if result is None:  # it updates its arguments
        return work
    reads = min(work.reads, sum(buffers(args).values()))
    return replace(work, reads=reads, nbytes=reads + sum(fresh(args, result).values()))
