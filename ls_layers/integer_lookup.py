"""IntegerLookup: integers of any value to ids and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.backend import is_array, to_host
from ls_core.data import as_array

from .index_lookup import IndexLookup


class IntegerLookup(IndexLookup):
    """Integers of any value (postcodes, product numbers) to ids from 0.

    Parameters
    ----------
    max_tokens : int, optional
        Largest vocabulary, special terms included.
    num_oov_indices : int
        How many ids unknown integers share; with 0 an unknown one is an error.
    mask_token : int, optional
        An integer that gets id 0 ('int'), or is left out of the counts.
    oov_token : int
        How ``invert`` and ``get_vocabulary`` write an unknown integer.
    vocabulary : list of int or path of a text file, optional
        Given instead of ``adapt``; one term a line in a file.
    vocabulary_dtype : {'int64'}
    idf_weights : list of float, optional
        One for each term of ``vocabulary``, with 'tf_idf'.
    invert : bool
        Ids to integers.
    output_mode : {'int', 'one_hot', 'multi_hot', 'count', 'tf_idf'}
        Ids, or rows as wide as the vocabulary: one for each integer ('one_hot') or for each sample.
    sparse : bool
        Only False.
    pad_to_max_tokens : bool
        Rows are ``max_tokens`` wide.
    oov_method : {'floormod', 'farmhash'}
        Of several out-of-vocabulary ids an unknown integer takes its remainder, or one by its hash.
    salt : int or (int, int), optional
        Key of the hash, with 'farmhash'.

    Notes
    -----
    Input: integers of any shape ((B, S) or (S,) where samples are counted). No gradient: ``backward`` returns None.

    Source: Keras 3, ``keras.layers.IntegerLookup``.

    Examples
    --------
    >>> layer = IntegerLookup(vocabulary=[12, 36, 1138, 42])
    >>> layer(np.array([[12, 1138, 42], [42, 1000, 36]]))
    array([[1, 3, 4],
           [4, 0, 2]])
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: int | None = None,
        oov_token: int = -1,
        vocabulary: Any = None,
        vocabulary_dtype: str = "int64",
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        salt: Any = None,
        name: str | None = None,
        vocabulary_size: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(name=name, **options)
        if vocabulary_dtype != "int64":
            raise ValueError(f"{self}: vocabulary_dtype is 'int64', not {vocabulary_dtype!r}")
        if salt is not None and oov_method != "farmhash":
            raise ValueError(f"{self}: salt belongs to oov_method 'farmhash', this one is {oov_method!r}")
        self._start(
            max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, idf_weights, invert, output_mode, sparse,
            pad_to_max_tokens, oov_method, salt,
        )  # fmt: skip

    def oov_bucket(self, term: Any) -> int:
        return int(term % self.terms.num_oov_indices) if self.oov_method == "floormod" else super().oov_bucket(term)

    def read(self, data: Any) -> tuple[list[Any], tuple[int, ...]]:
        if isinstance(data, list) and data and all(isinstance(term, str) for term in data):
            data = [int(term) for term in data]  # the lines of a vocabulary file
        array = to_host(data) if is_array(data) else np.asarray(as_array(data, f"{self}"))
        if array.dtype.kind not in "iub" and not (array.dtype.kind == "f" and (array == np.floor(array)).all()):
            raise TypeError(f"{self}: it looks integers up; the input has dtype {array.dtype}")
        return array.ravel().astype(np.int64).tolist(), array.shape


__all__ = ["IntegerLookup"]
