"""learn_vectorization: the TextVectorization that fit learns when strings meet an Embedding."""

from __future__ import annotations

import math
from typing import Any

from .vectorization import TextVectorization

SHORTEST, LONGEST, SHARE = 4, 512, 0.95


def learn_vectorization(texts: Any, max_tokens: int | None) -> TextVectorization:
    """A TextVectorization adapted on ``texts``, with a length chosen from theirs.

    The length is the smallest that leaves 95 of 100 texts uncut, made even (a pooling of 2 then loses no
    token), at least 4 and at most 512.

    Parameters
    ----------
    texts : list of str, array of str, pandas Series
        The training part alone: what validation and test texts hold must not leak into the vocabulary.
    max_tokens : int or None
        Largest vocabulary: the Embedding's input_dim.

    Raises
    ------
    ValueError
        A text is missing, or all are empty.

    Examples
    --------
    >>> layer = learn_vectorization(['one two three four five', 'six'], max_tokens=100)
    >>> layer.output_sequence_length, layer.vocabulary_size()
    (6, 8)
    """
    layer = TextVectorization(max_tokens=max_tokens)
    rows = layer.tokens(texts)
    layer.learn([rows])
    lengths = sorted(map(len, rows))
    wanted = lengths[math.ceil(SHARE * len(lengths)) - 1]
    layer.output_sequence_length = min(max(wanted + wanted % 2, SHORTEST), LONGEST)
    return layer
