"""What an estimator is given: rows of numbers, dense or sparse, or a column of texts."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..data import Dataset, as_array, is_texts


def read_texts(X: Any) -> Any:
    """A column of texts as an array; None for anything else."""
    if not (isinstance(X, (list, tuple)) and len(X) and isinstance(X[0], str)) and getattr(X, "ndim", None) != 1:
        return None
    column = as_array(X, "X")
    return column if is_texts(column) else None


class SparseRows(Dataset):
    """The rows of a CSR matrix, which become dense batch by batch: ``(x,)``, ``(x, y)`` or ``(x, y, sample_weight)``."""

    def __init__(self, X: Any, *more: Any) -> None:
        self.X, self.more = X, more

    def __len__(self) -> int:
        return int(self.X.shape[0])

    def __getitem__(self, index: int) -> Any:
        return tuple(part[0] for part in self.take(np.array([index])))

    def take(self, indices: np.ndarray) -> Any:
        return (self.X[indices].toarray(), *(each[indices] for each in self.more))
