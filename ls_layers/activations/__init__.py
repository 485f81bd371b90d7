"""Activation functions, one pair of kernels a file; ``Dense(8, activation='relu')`` finds them by name."""

from .gelu import gelu, gelu_tanh
from .linear import linear
from .relu import relu
from .sigmoid import sigmoid
from .softmax import softmax
from .tanh import tanh

__all__ = ["gelu", "gelu_tanh", "linear", "relu", "sigmoid", "softmax", "tanh"]
