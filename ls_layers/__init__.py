"""ls_layers: one layer per file, forward and backward by hand."""

from ls_core.layer import Layer
from ls_core.registry import register_module

from . import activations as activations
from .add import Add as Add
from .concatenate import Concatenate as Concatenate
from .dense import Dense as Dense

register_module("layer", dict(globals()), Layer)
