"""TermIndex: which integer stands for which term, learned by frequency or given. Host only, no layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import repeat
from typing import Any

import numpy as np

OUTPUT_MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")
_DROPPED = -2  # the id of the mask term where rows are counted: it is left out
_UNKNOWN = -1


class TermIndex:
    """Terms and their ids: the mask term (only for 'int' output), the out-of-vocabulary ids, then the terms.

    Parameters
    ----------
    owner : Layer or str
        Who holds the index; the errors name it.
    max_tokens : int, optional
        Largest number of ids, special ones included.
    num_oov_indices : int
        How many ids unknown terms share; with 0 an unknown term is an error.
    mask_token, oov_token : term, optional
    output_mode : {'int', 'one_hot', 'multi_hot', 'count', 'tf_idf'}
    pad_to_max_tokens : bool
        Whether counted rows are ``max_tokens`` long however many terms there are.
    bucket : callable, optional
        ``bucket(term)`` picks one of several out-of-vocabulary ids.

    Source: Keras 3, ``keras.layers.StringLookup`` and ``IntegerLookup``.

    Examples
    --------
    >>> index = TermIndex('words', mask_token='')
    >>> index.learn(Counter(['a', 'b', 'b', 'c']))
    >>> index.vocabulary(), index.ids(['b', 'x', ''])
    (['', '[UNK]', 'b', 'c', 'a'], array([2, 1, 0]))
    """

    def __init__(
        self,
        owner: Any,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: Any = None,
        oov_token: Any = "[UNK]",
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        bucket: Callable[[Any], int] | None = None,
    ) -> None:
        if max_tokens is not None and max_tokens <= 1:
            raise ValueError(f"{owner}: max_tokens counts the special ids too and is greater than 1, not {max_tokens}")
        if pad_to_max_tokens and max_tokens is None:
            raise ValueError(f"{owner}: pad_to_max_tokens needs max_tokens")
        if num_oov_indices < 0:
            raise ValueError(f"{owner}: num_oov_indices is 0 or more, not {num_oov_indices}")
        if output_mode not in OUTPUT_MODES:
            raise ValueError(f"{owner}: output_mode is one of {', '.join(OUTPUT_MODES)}, not {output_mode!r}")
        self.owner = owner
        self.max_tokens = max_tokens
        self.num_oov_indices = num_oov_indices
        self.mask_token = mask_token
        self.oov_token = oov_token
        self.output_mode = output_mode
        self.pad_to_max_tokens = pad_to_max_tokens
        self.bucket = bucket
        self.oov_start = 1 if mask_token is not None and output_mode == "int" else 0
        self.term_start = self.oov_start + num_oov_indices
        self.terms: list[Any] | None = None
        self.idf: np.ndarray | None = None  # (vocabulary_size,), for 'tf_idf'
        self._index: dict[Any, int] = {}

    # --- the vocabulary ----------------------------------------------------------------------------

    @property
    def specials(self) -> list[Any]:
        """The mask term and the out-of-vocabulary term, as often as they have ids."""
        return [self.mask_token] * self.oov_start + [self.oov_token] * self.num_oov_indices

    def vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """The terms in the order of their ids."""
        return (self.specials if include_special_tokens else []) + list(self.terms or [])

    @property
    def size(self) -> int:
        """How many ids there are."""
        return self.term_start + len(self.terms or [])

    def learn(self, counts: Counter[Any], documents: Counter[Any] | None = None, document_count: int = 0) -> None:
        """Take the most frequent terms; of equally frequent ones the greater term comes first, as in Keras.

        For 'tf_idf', ``documents`` counts in how many of ``document_count`` documents a term stands:
        idf = log(1 + document_count / (1 + documents[term])); the out-of-vocabulary ids get the mean.
        """
        counts = Counter({t: n for t, n in counts.items() if t not in (self.mask_token, self.oov_token)})
        ranked = sorted(counts.items(), key=lambda item: (item[1], item[0]), reverse=True)
        room = None if self.max_tokens is None else max(self.max_tokens - self.term_start, 0)
        self._take([term for term, _ in ranked[:room]])
        if documents is not None:
            found = np.array([documents[term] for term in self.terms or []], dtype=np.float64)
            idf = np.log(1 + document_count / (1 + found))
            self.idf = np.concatenate((np.full(self.term_start, idf.mean() if idf.size else 0.0), idf))

    def set(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Take these terms (with or without the special ones in front), and for 'tf_idf' their weights.

        Raises
        ------
        ValueError
            The vocabulary is empty, repeats a term, is longer than ``max_tokens``, or holds the mask term
            elsewhere than in front; the weights are missing, superfluous or of another length.
        """
        terms = _as_list(vocabulary)
        if not terms:
            raise ValueError(f"{self.owner}: the vocabulary is empty")
        has_specials = self.term_start > 0 and terms[: self.term_start] == self.specials
        given = len(terms)
        if has_specials:
            terms = terms[self.term_start :]
        repeated = [term for term, n in Counter(terms).items() if n > 1]
        if repeated:
            raise ValueError(f"{self.owner}: the vocabulary repeats {', '.join(map(repr, repeated[:10]))}; each term stands there once")
        if self.mask_token is not None and self.mask_token in terms:
            raise ValueError(
                f"{self.owner}: the mask term {self.mask_token!r} stands at place {terms.index(self.mask_token)} of the vocabulary. "
                f"Leave the special terms out, or begin with all of them: {self.specials}."
            )
        if self.max_tokens is not None and self.term_start + len(terms) > self.max_tokens:
            raise ValueError(
                f"{self.owner}: the vocabulary has {self.term_start + len(terms)} terms, special ones included; "
                f"max_tokens is {self.max_tokens}"
            )
        idf = None
        if self.output_mode == "tf_idf":
            if idf_weights is None:
                raise ValueError(f"{self.owner}: output_mode 'tf_idf' with a given vocabulary needs idf_weights, one for each term")
            idf = np.asarray(idf_weights, dtype=np.float64)
            if idf.shape != (given,):
                raise ValueError(f"{self.owner}: idf_weights has shape {idf.shape}, the vocabulary has {given} terms")
            if not has_specials:
                idf = np.concatenate((np.full(self.term_start, idf.mean()), idf))
        elif idf_weights is not None:
            raise ValueError(f"{self.owner}: idf_weights belong to output_mode 'tf_idf', this one is {self.output_mode!r}")
        self._take(terms)
        self.idf = idf

    def _take(self, terms: list[Any]) -> None:
        self.terms = terms
        self._index = dict(zip(terms, range(self.term_start, self.term_start + len(terms)), strict=True))
        if self.mask_token is not None:
            self._index[self.mask_token] = 0 if self.output_mode == "int" else _DROPPED

    # --- terms to ids to rows --------------------------------------------------------------------------

    def ids(self, terms: Sequence[Hashable]) -> np.ndarray:
        """The id of each term, (n,) int64; unknown ones share the out-of-vocabulary ids."""
        if self.terms is None:
            raise RuntimeError(f"{self.owner} has no vocabulary yet: call adapt(data) or set_vocabulary(terms) first")
        default = self.oov_start if self.num_oov_indices == 1 else _UNKNOWN
        found = np.fromiter(map(self._index.get, terms, repeat(default)), np.int64, len(terms))
        if self.num_oov_indices != 1:
            unknown = np.flatnonzero(found == _UNKNOWN).tolist()
            if unknown and self.num_oov_indices == 0:
                some = ", ".join(repr(terms[i]) for i in unknown[:5])
                raise ValueError(
                    f"{self.owner}: {len(unknown)} terms are not in the vocabulary ({some}); allow them with num_oov_indices=1"
                )
            assert self.bucket is not None or not unknown
            for i in unknown:
                found[i] = self.oov_start + self.bucket(terms[i])  # type: ignore[misc]
        return found

    @property
    def depth(self) -> int:
        """Length of a counted row."""
        return self.max_tokens if self.pad_to_max_tokens and self.max_tokens is not None else self.size

    def count(self, ids: np.ndarray, lengths: np.ndarray, dtype: Any) -> np.ndarray:
        """Rows (B, depth) from the ids of B samples, one after the other, and how many each has.

        'multi_hot' says which ids occur, 'count' how often, 'tf_idf' how often times the id's weight.
        """
        rows = np.repeat(np.arange(len(lengths)), lengths)
        kept = ids != _DROPPED
        places = rows[kept] * self.depth + ids[kept]
        counts = np.bincount(places, minlength=len(lengths) * self.depth).reshape(len(lengths), self.depth)
        if self.output_mode == "multi_hot":
            counts = np.minimum(counts, 1)
        elif self.output_mode == "tf_idf":
            assert self.idf is not None
            weights = np.zeros(self.depth)
            weights[: len(self.idf)] = self.idf
            return (counts * weights).astype(dtype)
        return counts.astype(dtype)

    def one_hot(self, ids: np.ndarray, dtype: Any) -> np.ndarray:
        """One row per id: (n, depth)."""
        return (ids[:, None] == np.arange(self.depth)).astype(dtype)


def read_vocabulary_file(path: str, encoding: str = "utf-8") -> list[str]:
    """The lines of a text file, one term each."""
    with open(path, encoding=encoding) as file:
        return file.read().splitlines()


def _as_list(vocabulary: Any) -> list[Any]:
    if isinstance(vocabulary, Iterable) and not hasattr(vocabulary, "tolist"):
        return [t.item() if isinstance(t, np.generic) else t for t in vocabulary]
    return list(np.asarray(vocabulary).tolist())
