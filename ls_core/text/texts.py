"""Strings from wherever they come: lists, NumPy arrays, pandas columns (Arrow-backed or not)."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np


def is_missing(value: Any) -> bool:
    """Whether ``value`` is None, NaN, NaT or pandas' NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (float, np.floating)) and bool(value != value)


def is_pandas(data: Any, *kinds: str) -> bool:
    """Whether ``data`` is one of pandas' ``kinds`` ('Series', 'DataFrame', 'Index'); never imports pandas."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(data, tuple(getattr(pandas, kind) for kind in kinds))


def read_texts(data: Any, owner: str = "texts", encoding: str = "utf-8", column: Any = None) -> tuple[list[str], tuple[int, ...]]:
    """``data`` as a flat list of ``str`` and its shape.

    Parameters
    ----------
    data : str, list of str, array of str or bytes, pandas Series
    owner : str
        What the errors call the reader.
    encoding : str
        How bytes are decoded.
    column : str, optional
        What the errors call the column; default: the Series' name.

    Raises
    ------
    ValueError
        A text is missing (None, NaN, NA); the message counts them and names the first.
    TypeError
        Something is no text.

    Examples
    --------
    >>> read_texts(np.array([['a b'], ['c']]))
    (['a b', 'c'], (2, 1))
    >>> read_texts(['a', None])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ValueError: texts: 1 of 2 texts is missing (None, NaN or NA), the first at position 1. ...
    """
    values: list[Any]
    shape: tuple[int, ...]
    if isinstance(data, (str, bytes)):
        values, shape = [data], ()
    elif is_pandas(data, "DataFrame"):
        raise TypeError(f"{owner}: texts are one column, this is a DataFrame with {list(data.columns)}; pass data['text'] or the like")
    elif is_pandas(data, "Series", "Index"):
        values, shape = data.tolist(), (len(data),)
        column = data.name if column is None else column
    elif isinstance(data, (list, tuple)) and not (data and isinstance(data[0], (list, tuple, np.ndarray))):
        values, shape = list(data), (len(data),)
    else:
        array = np.asarray(data)
        values, shape = array.ravel().tolist(), array.shape
    if set(map(type, values)) <= {str}:
        return values, shape
    return [_text(value, values, owner, encoding, column) for value in values], shape


def _text(value: Any, values: list[Any], owner: str, encoding: str, column: Any) -> str:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bytes):
        return value.decode(encoding)
    missing = [i for i, each in enumerate(values) if is_missing(each)]
    if missing:
        verb = "texts is" if len(missing) == 1 else "texts are"
        label = owner == "y"
        column = ("label" if label else "text") if column is None else column
        filled = "" if label else f", or fill them with data[{column!r}].fillna('')"
        raise ValueError(
            f"{owner}: {len(missing)} of {len(values)} {verb} missing (None, NaN or NA), the first at position {missing[0]}. "
            f"Drop those rows with data = data.dropna(subset=[{column!r}]){filled}."
        )
    position = next(i for i, each in enumerate(values) if each is value)
    raise TypeError(
        f"{owner}: a text is a str, at position {position} is the {type(value).__name__} {value!r}; convert the column with .astype(str)"
    )
