"""LabelIndex: labels to the integers 0 ... n-1 and back."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np

from .texts import is_missing, is_pandas


class LabelIndex:
    """Classes in sorted order; a label's id is its class's place.

    Labels are strings, bools, or integers of any value (``fit`` keeps integers that are 0 ... n-1 already as
    they are: sorted order gives each its own value).

    Parameters
    ----------
    classes : list, optional
        The classes in the order of their ids; default: learned by ``fit``.

    Examples
    --------
    >>> index = LabelIndex().fit(['spam', 'ham', 'spam'])
    >>> index.classes, index.encode(['ham', 'spam']), index.decode([1, 0])
    (['ham', 'spam'], array([0, 1]), ['spam', 'ham'])
    >>> index.encode(['eggs'])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ValueError: the label 'eggs' at position 0 is not among the 2 known: 'ham', 'spam'. ...
    """

    def __init__(self, classes: list[Any] | None = None) -> None:
        self.classes: list[Any] = []
        self._ids: dict[Any, int] = {}
        if classes is not None:
            self._take(list(classes))

    def _take(self, classes: list[Any]) -> None:
        self.classes = classes
        self._ids = {label: i for i, label in enumerate(classes)}
        if len(self._ids) != len(classes):
            raise ValueError(f"a class stands twice in {classes}")

    def fit(self, labels: Any) -> LabelIndex:
        """Learn the classes; returns the index.

        Parameters
        ----------
        labels : list, array or pandas Series; or an iterator over batches of them

        Raises
        ------
        ValueError
            A label is missing, or there is one class only.
        TypeError
            Labels are floats with fractions, or of kinds that can't be sorted together.
        """
        if isinstance(labels, Iterator):
            found = set(chain.from_iterable(map(read_labels, labels)))
        else:
            found = set(read_labels(labels))
        kinds = {type(value).__name__ for value in found}
        if len(kinds) > 1:
            raise TypeError(f"labels are of one kind, these are {', '.join(sorted(kinds))}; convert the column with .astype(str)")
        if len(found) < 2:
            only = f"{next(iter(found))!r} everywhere" if found else "no label at all"
            raise ValueError(f"classification needs two classes or more; the labels are {only}. Check the column that y comes from.")
        self._take(sorted(found))
        return self

    def __len__(self) -> int:
        return len(self.classes)

    def encode(self, labels: Any) -> np.ndarray:
        """The id of each label, (n,) int64.

        Raises
        ------
        ValueError
            A label is missing or unknown; the message names it and the known ones.
        """
        values = read_labels(labels)
        try:
            return np.fromiter(map(self._ids.__getitem__, values), np.int64, len(values))
        except KeyError:
            position, label = next((i, v) for i, v in enumerate(values) if v not in self._ids)
            known = ", ".join(map(repr, self.classes[:20])) + (" ..." if len(self) > 20 else "")
            raise ValueError(
                f"the label {label!r} at position {position} is not among the {len(self)} known: {known}. "
                "Labels are learned from the training part; each class needs a row there."
            ) from None

    def decode(self, ids: Any) -> list[Any]:
        """The labels of these ids."""
        return [self.classes[i] for i in np.asarray(ids).ravel().tolist()]

    def get_config(self) -> dict[str, Any]:
        """JSON types, from which ``from_config`` makes an equal index."""
        return {"classes": list(self.classes)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LabelIndex:
        return cls(config["classes"])

    def __repr__(self) -> str:
        return f"<LabelIndex of {len(self)} classes>"


def read_labels(labels: Any, owner: str = "labels") -> list[Any]:
    """``labels`` as a list of str, bool or int.

    Raises
    ------
    ValueError
        A label is missing (None, NaN, NA); the message counts them and names the first.
    TypeError
        A label is something else.
    """
    column = getattr(labels, "name", None) or "label"
    if is_pandas(labels, "Series", "Index"):
        values = labels.tolist()
    elif isinstance(labels, (list, tuple)):
        values = [v.item() if isinstance(v, (np.generic, np.ndarray)) and v.size == 1 else v for v in labels]
    else:
        array = np.asarray(labels)
        if array.ndim != 1 and not (array.ndim == 2 and array.shape[1] == 1):
            raise ValueError(f"{owner}: labels are one column, these have shape {array.shape}")
        values = array.ravel().tolist()
    kinds = set(map(type, values))
    if kinds <= {str} or kinds <= {int} or kinds <= {bool}:
        return values
    missing = [i for i, value in enumerate(values) if is_missing(value)]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise ValueError(
            f"{owner}: {len(missing)} of {len(values)} {verb} missing (None, NaN or NA), the first at position {missing[0]}. "
            f"Drop those rows with data = data.dropna(subset=[{column!r}])."
        )
    return [_label(value, i, owner) for i, value in enumerate(values)]


def _label(value: Any, position: int, owner: str) -> Any:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (bool, int)):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise TypeError(
        f"{owner}: a label is a string, a bool or an integer; at position {position} is the {type(value).__name__} {value!r}. "
        "Convert the column with .astype(str)."
    )
