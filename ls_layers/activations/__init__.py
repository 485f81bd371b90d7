"""Activation functions, one pair of kernels a file; ``Dense(8, activation='relu')`` finds them by name."""

from .celu import celu
from .elu import elu
from .exponential import exponential
from .gelu import gelu, gelu_tanh
from .glu import glu
from .hard_shrink import hard_shrink
from .hard_sigmoid import hard_sigmoid
from .hard_silu import hard_silu
from .hard_tanh import hard_tanh
from .leaky_relu import leaky_relu
from .linear import linear
from .log_sigmoid import log_sigmoid
from .log_softmax import log_softmax
from .mish import mish
from .relu import relu
from .relu6 import relu6
from .selu import selu
from .sigmoid import sigmoid
from .silu import silu
from .soft_shrink import soft_shrink
from .softmax import softmax
from .softplus import softplus
from .softsign import softsign
from .sparse_plus import sparse_plus
from .sparse_sigmoid import sparse_sigmoid
from .sparsemax import sparsemax
from .squareplus import squareplus
from .tanh import tanh
from .tanh_shrink import tanh_shrink
from .threshold import threshold

__all__ = [
    "celu",
    "elu",
    "exponential",
    "gelu",
    "gelu_tanh",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "tanh",
    "tanh_shrink",
    "threshold",
]
