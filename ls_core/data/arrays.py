"""What fit is given (lists, NumPy, pandas, several inputs) as NumPy arrays, each problem named by its column.

A *tree* of arrays is one array, a list of arrays (several inputs) or a dict of arrays (inputs by name).
Texts are one-dimensional object arrays of ``str``: like any array they have a length and take an index.
pandas is never imported here: what comes from it can only be there if someone imported it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..backend import is_array
from ..text.texts import is_missing, is_pandas, read_texts
from ..types import Array


def is_texts(array: Any) -> bool:
    """Whether ``array`` is what ``as_array`` makes of strings."""
    return isinstance(array, np.ndarray) and array.dtype == object


def as_array(data: Any, name: str = "x") -> Array:
    """``data`` as one array: numbers keep their dtype, strings become an object array of ``str``.

    Parameters
    ----------
    data : array, list, pandas Series, Index or DataFrame
        A DataFrame of numbers becomes a float array (rows, columns).
    name : str
        What the errors call it.

    Raises
    ------
    ValueError
        A value is missing where its dtype has no NaN (texts, nullable integers), or rows differ in length.
    TypeError
        A column is neither numbers nor texts (dates, mixed objects); the message names it.

    Examples
    --------
    >>> as_array([[1, 2], [3, 4]]).shape, as_array(['a', 'b'])
    ((2, 2), array(['a', 'b'], dtype=object))
    """
    if is_pandas(data, "DataFrame"):
        return _from_frame(data, name)
    if is_pandas(data, "Series", "Index"):
        return _from_series(data, f"{name} (column {data.name!r})" if data.name is not None else name)
    if isinstance(data, (list, tuple)):
        if any(isinstance(value, str) for value in data):
            return _texts(data, name)
        data = _from_list(data, name)
    elif is_array(data) and data.dtype.kind in "biufc":
        return data
    else:
        data = np.asarray(data)
    if data.ndim == 0:
        raise TypeError(f"{name} is a single {type(data.item()).__name__}, {data.item()!r}; it wants an array with a row for each sample")
    if data.dtype.kind in "US" or (data.dtype == object and any(isinstance(v, (str, bytes)) for v in data.flat)):
        return _texts(data, name)
    return _numbers(data, name)


def as_arrays(data: Any, name: str = "x") -> Any:
    """A tree of arrays: a dict stays a dict, a list or tuple of arrays a list, all else is one array.

    >>> as_arrays({'a': [1, 2], 'b': np.ones((2, 3))})['b'].shape, len(as_arrays([np.ones(2), np.ones(2)]))
    ((2, 3), 2)
    """
    if isinstance(data, dict):
        return {key: as_array(value, f"{name}[{key!r}]") for key, value in data.items()}
    if isinstance(data, (list, tuple)) and data and all(_is_column(value) for value in data):
        return [as_array(value, f"{name}[{i}]") for i, value in enumerate(data)]
    return as_array(data, name)


def map_tree(function: Callable[[Any], Any], tree: Any) -> Any:
    """The same tree with ``function`` of each array; None stays None."""
    if tree is None:
        return None
    if isinstance(tree, dict):
        return {key: map_tree(function, value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)([map_tree(function, value) for value in tree])
    return function(tree)


def take_rows(tree: Any, index: Any) -> Any:
    """The rows ``index`` (a slice or an integer array) of every array."""
    return map_tree(lambda array: array[index], tree)


def tree_leaves(tree: Any) -> list[Any]:
    """The arrays of a tree, in order."""
    if tree is None:
        return []
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, (list, tuple)):
        return [leaf for value in tree for leaf in tree_leaves(value)]
    return [tree]


def count_rows(**trees: Any) -> int:
    """How many rows all of these arrays have.

    Raises
    ------
    ValueError
        They differ.

    Examples
    --------
    >>> count_rows(x=[np.ones((3, 2)), np.ones(3)], y=np.ones(3), sample_weight=None)
    3
    >>> count_rows(x=np.ones(100), y=np.ones(99))
    Traceback (most recent call last):
    ValueError: x has 100 rows, y has 99; each sample needs a row in both
    """
    found: dict[str, int] = {}
    for name, tree in trees.items():
        if isinstance(tree, (dict, list, tuple)):
            items = tree.items() if isinstance(tree, dict) else enumerate(tree)
            found.update({f"{name}[{key!r}]": len(array) for key, array in items if array is not None})
        elif tree is not None:
            found[name] = len(tree)
    if not found:
        raise ValueError(f"there is no array in {', '.join(trees)}")
    (first, rows), *rest = found.items()
    for name, count in rest:
        if count != rows:
            raise ValueError(f"{first} has {rows} rows, {name} has {count}; each sample needs a row in both")
    return rows


# --- one kind of source each -----------------------------------------------------------------------------


def _is_column(value: Any) -> bool:
    return (hasattr(value, "shape") and len(value.shape) > 0) or is_pandas(value, "Series", "Index", "DataFrame")


def _texts(data: Any, name: str, column: Any = None) -> np.ndarray:
    values, shape = read_texts(data, name, column=column)
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array.reshape(shape)


def _from_list(data: Any, name: str) -> np.ndarray:
    try:
        return np.asarray(data)
    except ValueError as problem:
        lengths = sorted({len(row) for row in data if hasattr(row, "__len__")})
        raise ValueError(
            f"the rows of {name} have different lengths ({', '.join(map(str, lengths[:6]))}{' ...' if len(lengths) > 6 else ''}); "
            "make them equal with ls_core.data.pad_sequences"
        ) from problem


def _numbers(array: np.ndarray, name: str) -> np.ndarray:
    if array.dtype.kind in "biufc":
        return array
    if array.dtype.kind in "mM":
        raise _date_error(name, array.dtype)
    values = array.ravel().tolist()
    missing = [i for i, value in enumerate(values) if is_missing(value)]
    if missing:
        raise ValueError(
            f"{name}: {len(missing)} of {len(values)} values are missing, the first at position {missing[0]}; drop or fill them"
        )
    kinds = {type(value) for value in values}
    if kinds <= {int, float, bool}:
        return np.array(values).reshape(array.shape)
    raise TypeError(
        f"{name} holds Python objects ({', '.join(sorted(kind.__name__ for kind in kinds))}), neither numbers nor texts; "
        "convert them, for instance with numpy.stack for a column of arrays"
    )


def _date_error(name: str, dtype: Any) -> TypeError:
    return TypeError(f"{name} holds dates or times ({dtype}); a network wants numbers: take the year, the hour or the seconds passed")


def _from_series(series: Any, name: str) -> np.ndarray:
    if series.dtype == "category":
        series = series.astype(series.dtype.categories.dtype)
    kind = getattr(series.dtype, "kind", "O")
    if kind in "mM":
        raise _date_error(name, series.dtype)
    if kind in "biufc":
        if isinstance(series.dtype, np.dtype):
            return np.asarray(series.to_numpy())
        if series.isna().any():  # nullable and Arrow dtypes
            where = np.flatnonzero(np.asarray(series.isna()))
            raise ValueError(
                f"{name}: {len(where)} of {len(series)} values are missing ({series.dtype}), the first at position {where[0]}; "
                "drop them with dropna() or fill them with fillna(...)"
            )
        width = {"Float32": np.float32, "float": np.float32}.get(str(series.dtype).split("[")[0], np.float64)
        return np.asarray(series.to_numpy(dtype=width) if kind == "f" else series.to_numpy(dtype={"b": bool}.get(kind, np.int64)))
    values = np.empty(len(series), dtype=object)
    values[:] = series.tolist()
    if len(values) == 0 or str(series.dtype).startswith("str") or any(isinstance(v, (str, bytes)) for v in values):
        return _texts(values, name, series.name)
    return _numbers(values, name)


def _from_frame(frame: Any, name: str) -> np.ndarray:
    columns = [_from_series(frame.iloc[:, i], f"{name} (column {frame.columns[i]!r})") for i in range(frame.shape[1])]
    if len(columns) == 1 and is_texts(columns[0]):
        return columns[0]
    for column, label in zip(columns, frame.columns, strict=True):
        if is_texts(column):
            raise TypeError(
                f"{name}: column {label!r} holds texts, and a DataFrame becomes one array of numbers. "
                "Pass that column alone (data['text']), or a dict with an input for each column."
            )
    if not columns:
        raise ValueError(f"{name} is a DataFrame without columns")
    kinds = {column.dtype for column in columns}
    dtype = kinds.pop() if len(kinds) == 1 and columns[0].dtype.kind == "f" else np.float64
    return np.stack(columns, axis=1).astype(dtype, copy=False)
