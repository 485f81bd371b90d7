"""ls_layers: one layer per file, forward and backward by hand."""

from ls_core.layer import Layer
from ls_core.registry import register_module

from . import activations as activations
from .activation import Activation as Activation
from .add import Add as Add
from .concatenate import Concatenate as Concatenate
from .conv1d import Conv1D as Conv1D
from .dense import Dense as Dense
from .dropout import Dropout as Dropout
from .embedding import Embedding as Embedding
from .flatten import Flatten as Flatten
from .global_average_pooling1d import GlobalAveragePooling1D as GlobalAveragePooling1D
from .global_max_pooling1d import GlobalMaxPooling1D as GlobalMaxPooling1D
from .max_pooling1d import MaxPooling1D as MaxPooling1D
from .rnn import RNN as RNN
from .simple_rnn import SimpleRNN as SimpleRNN
from .simple_rnn_cell import SimpleRNNCell as SimpleRNNCell
from .text_vectorization import TextVectorization as TextVectorization

register_module("layer", dict(globals()), Layer)
