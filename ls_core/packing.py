"""pack and unpack: a tree of plain values and arrays as JSON beside named arrays, which is what a file holds."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .backend import backend_of, is_array, to_host


def pack(value: Any, name: str, tensors: dict[str, np.ndarray]) -> Any:
    """``value`` as JSON types; each array goes into ``tensors`` under its place in the tree, which begins with ``name``.

    Parameters
    ----------
    value : None, bool, int, float, str, array, or a list, tuple or dict (with names as keys) of such
    name : str
    tensors : dict
        Filled.

    Raises
    ------
    TypeError
        Something else is in the tree; the message names its place.

    Examples
    --------
    >>> tensors = {}
    >>> packed = pack({'best': float('inf'), 'weights': [np.ones(2)]}, 'state', tensors)
    >>> packed, list(tensors)
    ({'best': {'float': 'inf'}, 'weights': [{'tensor': 'state/weights/0'}]}, ['state/weights/0'])
    >>> unpack(packed, tensors.get)
    {'best': inf, 'weights': [array([1., 1.])]}
    """
    if value is None or isinstance(value, (bool, str)) or type(value) is int:
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {"float": repr(value)}  # JSON has no NaN and no infinity
    if is_array(value) or isinstance(value, np.generic):
        if np.dtype(value.dtype).kind not in "biuf":
            raise TypeError(f"{name} is an array of {value.dtype}, which no file of LS holds")
        tensors[name] = to_host(value)
        note: dict[str, Any] = {"tensor": name}
        if isinstance(value, np.generic):
            note["scalar"] = True
        elif backend_of(value).name != "numpy":
            note["device"] = True
        return note
    if isinstance(value, (list, tuple)):
        return [pack(each, f"{name}/{i}", tensors) for i, each in enumerate(value)]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        if {"tensor", "float", "dict"} & value.keys():  # so that nothing else looks like the notes above
            return {"dict": [[key, pack(each, f"{name}/{key}", tensors)] for key, each in value.items()]}
        return {key: pack(each, f"{name}/{key}", tensors) for key, each in value.items()}
    raise TypeError(f"{name} is a {type(value).__name__}, which no file of LS holds: {value!r}")


def unpack(packed: Any, read: Callable[[str], Any], device: Callable[[Any], Any] = lambda array: array) -> Any:
    """What ``pack`` made JSON of. ``read(name)`` gives an array, ``device`` moves those that lived on one."""
    if isinstance(packed, list):
        return [unpack(each, read, device) for each in packed]
    if not isinstance(packed, dict):
        return packed
    if "tensor" in packed:
        array = read(packed["tensor"])
        return array[()] if packed.get("scalar") else device(array) if packed.get("device") else array
    if "float" in packed:
        return float(packed["float"])
    pairs = packed["dict"] if "dict" in packed else packed.items()
    return {key: unpack(each, read, device) for key, each in pairs}
