"""Losses under Keras' names; one file each, the formula and its hand-written gradient side by side."""

from ..accelerated import COMPILES
from ..accelerated import crossentropy_numpy as crossentropy_numpy
from ..registry import register, register_module
from .binary_crossentropy import BinaryCrossentropy, binary_crossentropy
from .binary_focal_crossentropy import BinaryFocalCrossentropy, binary_focal_crossentropy
from .categorical_crossentropy import CategoricalCrossentropy, categorical_crossentropy
from .categorical_focal_crossentropy import CategoricalFocalCrossentropy, categorical_focal_crossentropy
from .categorical_generalized_cross_entropy import CategoricalGeneralizedCrossEntropy, categorical_generalized_cross_entropy
from .categorical_hinge import CategoricalHinge, categorical_hinge
from .circle import Circle, circle
from .cosine_similarity import CosineSimilarity, cosine_similarity
from .ctc import CTC, ctc
from .dice import Dice, dice
from .hinge import Hinge, hinge
from .huber import Huber, huber
from .kl_divergence import KLDivergence, kl_divergence
from .log_cosh import LogCosh, log_cosh
from .loss import Loss, apply_mask
from .mean_absolute_error import MeanAbsoluteError, mean_absolute_error
from .mean_absolute_percentage_error import MeanAbsolutePercentageError, mean_absolute_percentage_error
from .mean_squared_error import MeanSquaredError, mean_squared_error
from .mean_squared_logarithmic_error import MeanSquaredLogarithmicError, mean_squared_logarithmic_error
from .poisson import Poisson, poisson
from .resolve import resolve_loss
from .sparse_categorical_crossentropy import SparseCategoricalCrossentropy, sparse_categorical_crossentropy
from .squared_hinge import SquaredHinge, squared_hinge
from .tversky import Tversky, tversky

if COMPILES:
    from ..accelerated import crossentropy_numba as crossentropy_numba

__all__ = [
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CTC",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalGeneralizedCrossEntropy",
    "CategoricalHinge",
    "Circle",
    "CosineSimilarity",
    "Dice",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "Tversky",
    "apply_mask",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy",
    "categorical_hinge",
    "circle",
    "cosine_similarity",
    "ctc",
    "dice",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
    "resolve_loss",
    "sparse_categorical_crossentropy",
    "squared_hinge",
    "tversky",
]

_ALIASES = {
    BinaryCrossentropy: ("bce",),
    KLDivergence: ("kld", "kullback_leibler_divergence"),
    MeanAbsoluteError: ("mae",),
    MeanAbsolutePercentageError: ("mape",),
    MeanSquaredError: ("mse",),
    MeanSquaredLogarithmicError: ("msle",),
    Huber: ("huber_loss",),
}

register_module("loss", {name: globals()[name] for name in __all__}, Loss)
for _loss, _names in _ALIASES.items():
    for _name in _names:
        register("loss", _name, _loss)
