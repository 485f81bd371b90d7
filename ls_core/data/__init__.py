"""Data on its way to fit: arrays from anywhere, splits, datasets, batches."""

from .arrays import as_array, as_arrays, count_rows, is_texts, map_tree, take_rows, tree_leaves
from .dataset import ArrayDataset, Dataset, IterableDataset, shuffled
from .loader import DataLoader, stack
from .prefetch import prefetch
from .splitting import split_validation, stratified_split

__all__ = [
    "ArrayDataset",
    "DataLoader",
    "Dataset",
    "IterableDataset",
    "as_array",
    "as_arrays",
    "count_rows",
    "is_texts",
    "map_tree",
    "prefetch",
    "shuffled",
    "split_validation",
    "stack",
    "stratified_split",
    "take_rows",
    "tree_leaves",
]
