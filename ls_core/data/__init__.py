"""Data on its way to fit: arrays from anywhere, splits, datasets, samplers, batches."""

from .arrays import as_array, as_arrays, count_rows, is_texts, map_tree, take_rows, tree_leaves
from .classes import class_weights, to_categorical
from .collate import pad_collate, stack
from .csv_dataset import CSVDataset
from .dataset import ArrayDataset, Dataset, IterableDataset, shuffled
from .loader import DataLoader
from .prefetch import prefetch
from .samplers import BalancedSampler, BucketSampler, StratifiedBatchSampler, WeightedSampler
from .sequences import pad_sequences
from .splitting import split_validation, stratified_split
from .timeseries import WindowDataset, timeseries_dataset_from_array

__all__ = [
    "ArrayDataset",
    "BalancedSampler",
    "BucketSampler",
    "CSVDataset",
    "DataLoader",
    "Dataset",
    "IterableDataset",
    "StratifiedBatchSampler",
    "WeightedSampler",
    "WindowDataset",
    "as_array",
    "as_arrays",
    "class_weights",
    "count_rows",
    "is_texts",
    "map_tree",
    "pad_collate",
    "pad_sequences",
    "prefetch",
    "shuffled",
    "split_validation",
    "stack",
    "stratified_split",
    "take_rows",
    "timeseries_dataset_from_array",
    "to_categorical",
    "tree_leaves",
]
