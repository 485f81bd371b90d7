"""Text to numbers: vocabularies, vectorisation, label indices."""

from .automatic import learn_vectorization
from .hashes import bucket
from .host_layer import HostLayer
from .labels import LabelIndex
from .terms import TermIndex
from .texts import read_texts
from .vectorization import TextVectorization

__all__ = ["HostLayer", "LabelIndex", "TermIndex", "TextVectorization", "bucket", "learn_vectorization", "read_texts"]
