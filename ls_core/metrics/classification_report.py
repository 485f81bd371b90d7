"""classification_report: precision, recall, F1 and support of every class, and their averages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .confusion_matrix import align_columns, confusion_matrix


@dataclass(frozen=True)
class Scores:
    """One line of the report; ``support`` is how many samples of the class there are."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class ClassificationReport:
    """What ``classification_report`` returns; ``print`` shows it as a table, ``plot`` draws it.

    ``classes`` maps each label to its Scores; ``macro`` averages the classes evenly, ``weighted`` by their support.
    """

    classes: dict[str, Scores]
    accuracy: float
    macro: Scores
    weighted: Scores

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers under scikit-learn's keys: labels, 'accuracy', 'macro avg', 'weighted avg'."""
        lines = {**self.classes, "macro avg": self.macro, "weighted avg": self.weighted}
        found: dict[str, Any] = {
            label: {"precision": s.precision, "recall": s.recall, "f1-score": s.f1, "support": s.support} for label, s in lines.items()
        }
        found["accuracy"] = self.accuracy
        return found

    def __str__(self) -> str:
        def line(label: str, s: Scores) -> list[str]:
            return [label, f"{s.precision:.4f}", f"{s.recall:.4f}", f"{s.f1:.4f}", str(s.support)]

        rows = [["", "precision", "recall", "f1-score", "support"]]
        rows += [line(label, s) for label, s in self.classes.items()]
        rows += [[""] * 5, ["accuracy", "", "", f"{self.accuracy:.4f}", str(self.macro.support)]]
        rows += [line("macro avg", self.macro), line("weighted avg", self.weighted)]
        return align_columns(rows)

    def plot(self, path: Any, title: str | None = None) -> None:
        """Draw precision, recall and F1 of each class as bars into the PNG file ``path``; needs matplotlib, the extra 'plots'.

        The dashed lines are the macro averages.
        """
        from ..plots import new_figure, save_figure

        places = np.arange(len(self.classes))
        figure, (axis,) = new_figure(3.2 + 0.8 * max(2, len(places)), 3.6)
        for i, name in enumerate(("precision", "recall", "f1")):
            bars = axis.bar(places + 0.27 * (i - 1), [getattr(s, name) for s in self.classes.values()], 0.25, label=name)
            axis.axhline(getattr(self.macro, name), color=bars[0].get_facecolor(), linestyle="--", linewidth=0.8)
        axis.set_xticks(places, [f"{label}\n{s.support}" for label, s in self.classes.items()])
        axis.set_xlabel("class and number of samples")
        axis.set_ylim(0, 1)
        axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        axis.set_title(title or f"accuracy {self.accuracy:.4f}")
        save_figure(figure, path)


def classification_report(y_true: Any, y_pred: Any, labels: Sequence[Any] | None = None) -> ClassificationReport:
    """Precision, recall, F1 and support of every class, the accuracy, and macro and weighted averages.

    Parameters
    ----------
    y_true : sequence (N,)
        True labels: strings or class ids.
    y_pred : sequence (N,) or (N, C)
        Predicted labels, or scores of each class (the largest counts), or probabilities (N, 1) of class 1.
    labels : sequence, optional
        The classes in the order wanted, or the names of the ids 0 .. n - 1. Default: all that occur, sorted.

    Notes
    -----
    A ratio whose divisor is 0 (a class that was never predicted, or never occurs) is 0.

    Raises
    ------
    ValueError
        The data hold a class that ``labels`` does not name, or lengths differ.

    Examples
    --------
    >>> report = classification_report(['ham', 'ham', 'spam', 'spam'], ['ham', 'spam', 'spam', 'spam'])
    >>> print(report)
                  precision  recall  f1-score  support
    ham              1.0000  0.5000    0.6667        2
    spam             0.6667  1.0000    0.8000        2
    <BLANKLINE>
    accuracy                            0.7500        4
    macro avg        0.8333  0.7500    0.7333        4
    weighted avg     0.8333  0.7500    0.7333        4
    >>> report.classes['spam'].recall, report.to_dict()['accuracy']
    (1.0, 0.75)
    """
    matrix = confusion_matrix(y_true, y_pred, labels)
    table = np.asarray(matrix.result())  # (C, C), rows true, columns predicted
    right, predicted, support = np.diagonal(table), table.sum(axis=0), table.sum(axis=1)
    precision, recall = _ratio(right, predicted), _ratio(right, support)
    f1 = _ratio(2.0 * right, predicted + support)
    total = int(support.sum())
    each = np.stack((precision, recall, f1))  # (3, C)

    def scores(column: np.ndarray, count: float) -> Scores:
        return Scores(float(column[0]), float(column[1]), float(column[2]), int(count))

    classes = {label: scores(each[:, i], support[i]) for i, label in enumerate(matrix.labels)}
    macro = scores(each.mean(axis=1), total)
    weighted = scores(_ratio((each * support).sum(axis=1), np.full(3, support.sum())), total)
    return ClassificationReport(classes, float(right.sum()) / max(total, 1), macro, weighted)


def _ratio(a: Any, b: Any) -> Any:
    return np.divide(a, b, out=np.zeros_like(a), where=np.asarray(b) != 0)
