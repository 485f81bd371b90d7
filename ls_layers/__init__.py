"""ls_layers: one layer per file, forward and backward by hand."""

from ls_core.layer import Layer
from ls_core.registry import register_module

from . import activations as activations
from .activation import Activation as Activation
from .add import Add as Add
from .concatenate import Concatenate as Concatenate
from .dense import Dense as Dense
from .dropout import Dropout as Dropout
from .embedding import Embedding as Embedding
from .text_vectorization import TextVectorization as TextVectorization

register_module("layer", dict(globals()), Layer)
