"""Losses under Keras' names; one file each, the formula and its hand-written gradient side by side."""

from ..registry import register, register_module
from .binary_crossentropy import BinaryCrossentropy
from .categorical_crossentropy import CategoricalCrossentropy
from .loss import Loss, apply_mask
from .mean_squared_error import MeanSquaredError
from .sparse_categorical_crossentropy import SparseCategoricalCrossentropy

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "Loss",
    "MeanSquaredError",
    "SparseCategoricalCrossentropy",
    "apply_mask",
]

register_module("loss", {name: globals()[name] for name in __all__}, Loss)
register("loss", "mse", MeanSquaredError)
register("loss", "bce", BinaryCrossentropy)
