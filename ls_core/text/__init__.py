"""Text to numbers: vocabularies, vectorisation, label indices."""

from .automatic import learn_vectorization
from .labels import LabelIndex
from .terms import TermIndex
from .texts import read_texts
from .vectorization import TextVectorization

__all__ = ["LabelIndex", "TermIndex", "TextVectorization", "learn_vectorization", "read_texts"]
