"""StringLookup: strings to ids and back."""

from __future__ import annotations

from typing import Any

from ls_core.text import read_texts

from .index_lookup import IndexLookup


class StringLookup(IndexLookup):
    """Strings, as they are, to ids: categories, or texts that are split already.

    Parameters
    ----------
    max_tokens : int, optional
        Largest vocabulary, special terms included.
    num_oov_indices : int
        How many ids unknown strings share (by their hash, if there are several); with 0 an unknown one is an error.
    mask_token : str, optional
        A string that gets id 0 ('int'), or is left out of the counts.
    oov_token : str
        How ``invert`` and ``get_vocabulary`` write an unknown string.
    vocabulary : list of str or path of a text file, optional
        Given instead of ``adapt``; one term a line in a file.
    idf_weights : list of float, optional
        One for each term of ``vocabulary``, with 'tf_idf'.
    invert : bool
        Ids to strings.
    output_mode : {'int', 'one_hot', 'multi_hot', 'count', 'tf_idf'}
        Ids, or rows as wide as the vocabulary: one for each string ('one_hot') or for each sample.
    pad_to_max_tokens : bool
        Rows are ``max_tokens`` wide.
    sparse : bool
        Only False.
    encoding : str
        How bytes are decoded.
    salt : int or (int, int), optional
        Key of the hash that spreads unknown strings.

    Notes
    -----
    Input: strings of any shape ((B, S) or (S,) where samples are counted). No gradient: ``backward`` returns None.

    Source: Keras 3, ``keras.layers.StringLookup``.

    Examples
    --------
    >>> layer = StringLookup(vocabulary=['a', 'b', 'c', 'd'])
    >>> layer([['a', 'c', 'd'], ['d', 'z', 'b']])
    array([[1, 3, 4],
           [4, 0, 2]])
    >>> import numpy as np
    >>> StringLookup(vocabulary=['a', 'b'], invert=True)(np.array([2, 1, 0]))
    array(['b', 'a', '[UNK]'], dtype=object)
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: str | None = None,
        oov_token: str = "[UNK]",
        vocabulary: Any = None,
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        sparse: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        salt: Any = None,
        oov_method: str = "floormod",
        vocabulary_size: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(name=name, **options)
        self.encoding = encoding
        self._start(
            max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, idf_weights, invert, output_mode, sparse,
            pad_to_max_tokens, oov_method, salt,
        )  # fmt: skip

    def read(self, data: Any) -> tuple[list[Any], tuple[int, ...]]:
        return read_texts(data, f"{self}", self.encoding)


__all__ = ["StringLookup"]
