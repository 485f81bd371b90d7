"""ConfusionMatrix: how often each true class was predicted as which, as a table of text and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..backend import is_array, to_host
from ..types import Array
from .iou import count_pairs
from .metric import Metric, as_weight, untouched


class ConfusionMatrix(Metric):
    """Counts of (true class, predicted class), rows true, columns predicted.

    Parameters
    ----------
    labels : int or list of str
        How many classes there are, or their names in the order of their ids.
    name, dtype
        See ``Metric``.

    Notes
    -----
    y_true: class ids (B, ...); y_pred: class ids of the same shape, or scores (B, ..., C), of which the largest counts.

    Examples
    --------
    >>> metric = ConfusionMatrix(['cat', 'dog'])
    >>> metric.update_state([0, 0, 1, 1, 1], [0, 1, 1, 1, 0])
    >>> print(metric)
    true \\ predicted  cat  dog
    cat                 1    1
    dog                 1    2
    """

    def __init__(self, labels: int | Sequence[str], name: str | None = None, dtype: Any = None) -> None:
        super().__init__(dtype, name)
        self.labels = [str(i) for i in range(labels)] if isinstance(labels, int) else [str(label) for label in labels]

    def reset_state(self) -> None:
        self.table: Array = 0.0

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = self.arrays(y_true, y_pred)
        predicted = predicted_ids(y_true, y_pred)
        if y_true.size != predicted.size:
            raise self.mismatch(y_true, y_pred, "It wants one class id, or one row of scores, for each label.")
        weight = as_weight(sample_weight, y_true).reshape(-1)
        true, predicted = y_true.reshape(-1).astype("int64"), predicted.reshape(-1).astype("int64")
        self.table = self.table + count_pairs(true, predicted, weight, len(self.labels))

    def result(self) -> Any:
        n = len(self.labels)
        return np.zeros((n, n)) if untouched(self.table) else self.table

    def __str__(self) -> str:
        cells = [["true \\ predicted", *self.labels]]
        cells += [[label, *map(_number, row)] for label, row in zip(self.labels, to_host(self.result()).tolist(), strict=True)]
        return align_columns(cells)

    def plot(self, path: Any, title: str | None = None) -> None:
        """Draw the table into the PNG file ``path``; needs matplotlib, the extra 'plots'."""
        from ..plots import new_figure, save_figure

        table = to_host(self.result())
        n = len(self.labels)
        size = max(3.2, 0.6 * n + 1.8)
        figure, (axis,) = new_figure(size + 0.6, size)
        image = axis.imshow(table, cmap="Blues")
        figure.colorbar(image, ax=axis)
        axis.set_xticks(range(n), self.labels, rotation=45, ha="right")
        axis.set_yticks(range(n), self.labels)
        axis.set_xlabel("predicted")
        axis.set_ylabel("true")
        if n <= 25:  # beyond, numbers would not fit their cells
            for i, j in np.ndindex(n, n):
                dark = table[i, j] > 0.5 * table.max()
                axis.text(j, i, _number(float(table[i, j])), ha="center", va="center", color="white" if dark else "black")
        if title:
            axis.set_title(title)
        save_figure(figure, path)


def confusion_matrix(y_true: Any, y_pred: Any, labels: Sequence[Any] | None = None) -> ConfusionMatrix:
    """The confusion matrix of labels of any kind (strings, class ids) and predictions (labels, or scores of each class).

    ``labels``: the classes in the order wanted, or, where the data hold ids 0 .. n - 1, the names of those ids. Default:
    all that occur, sorted.

    >>> print(confusion_matrix(['ham', 'spam', 'ham'], ['ham', 'ham', 'ham']))
    true \\ predicted  ham  spam
    ham                 2     0
    spam                1     0
    """
    true, predicted, names = encode_labels(y_true, y_pred, labels)
    metric = ConfusionMatrix(names)
    metric.update_state(true, predicted)
    return metric


def predicted_ids(y_true: Array, y_pred: Array) -> Array:
    """Class ids from ids, from scores with one axis more, or from yes/no probabilities in the labels' shape."""
    if y_pred.ndim == y_true.ndim + 1 and y_pred.shape[-1] > 1:
        return y_pred.argmax(axis=-1)
    if y_pred.ndim > 1 and y_pred.shape[-1] > 1 and y_true.shape[-1:] == (1,):
        return y_pred.argmax(axis=-1)
    if y_pred.dtype.kind == "f" and y_true.dtype.kind in "iub":
        return (y_pred > 0.5).astype("int64")
    return y_pred


def encode_labels(y_true: Any, y_pred: Any, labels: Sequence[Any] | None) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Both as positions (N,) in a list of classes, and the classes' names."""
    true = to_host(y_true) if is_array(y_true) else np.asarray(y_true)
    given = to_host(y_pred) if is_array(y_pred) else np.asarray(y_pred)
    predicted = predicted_ids(true, given).reshape(-1)
    true = true.reshape(-1)
    if true.shape != predicted.shape:
        raise ValueError(f"{true.size} labels and {predicted.size} predictions: there must be one prediction for each label")
    occurring = sorted({*true.tolist(), *predicted.tolist()})
    classes = occurring if labels is None else list(labels)
    if not set(occurring) <= set(classes) and all(isinstance(c, (int, float)) and c in range(len(classes)) for c in occurring):
        return true.astype(np.int64), predicted.astype(np.int64), [str(c) for c in classes]  # labels name the ids
    place = {c: i for i, c in enumerate(classes)}
    unknown = [c for c in occurring if c not in place]
    if unknown:
        raise ValueError(f"the data hold the class {unknown[0]!r}, which is not among the labels {classes}")
    at = [np.array([place[c] for c in part.tolist()], dtype=np.int64) for part in (true, predicted)]
    return at[0], at[1], [str(c) for c in classes]


def align_columns(rows: list[list[str]]) -> str:
    """Rows of cells as text: the first column to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))) for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)


def _number(count: float) -> str:
    return f"{count:.0f}" if count == int(count) else f"{count:.2f}"
