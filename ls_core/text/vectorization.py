"""TextVectorization: strings to rows of token ids, or to rows of counts.

B texts, T tokens of the longest (or output_sequence_length), V the vocabulary's size.
"""

from __future__ import annotations

import itertools
import re
import string
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

import numpy as np

from ..backend import floatx, to_device
from .host_layer import HostLayer
from .terms import TermIndex, read_vocabulary_file
from .texts import is_pandas, read_texts

_DELETE_PUNCTUATION = str.maketrans("", "", string.punctuation)
_PUNCTUATION = re.compile(f"[{re.escape(string.punctuation)}]+")
_STANDARDIZE = (None, "lower_and_strip_punctuation", "lower", "strip_punctuation")
_SPLIT = (None, "whitespace", "character")


class TextVectorization(HostLayer):
    """Texts to token ids: standardise, split, join n-grams, look up.

    Parameters
    ----------
    max_tokens : int, optional
        Largest vocabulary, special tokens included.
    standardize : {'lower_and_strip_punctuation', 'lower', 'strip_punctuation', None} or callable
        A callable gets the NumPy array of all texts (B,) and returns one of the same shape.
    split : {'whitespace', 'character', None} or callable
        A callable gets the NumPy array of all texts (B,) and returns a list of tokens for each, as
        ``np.char.split`` does. None: each text is a token, or the input is (B, T) tokens already.
    ngrams : int or tuple of int, optional
        n joins 1 to n neighbouring tokens by spaces, a tuple joins as many as it says.
    output_mode : {'int', 'multi_hot', 'count', 'tf_idf'}
        Ids (B, T), int64, or rows (B, V) of the layer's float type.
    output_sequence_length : int, optional
        T, for 'int' only: longer texts are cut at their end, shorter ones padded with 0. Default: the longest
        text of the batch.
    pad_to_max_tokens : bool
        Rows are ``max_tokens`` wide however small the vocabulary is.
    vocabulary : list of str or path of a text file, optional
        Given instead of ``adapt``; one term a line in a file.
    idf_weights : list of float, optional
        One for each term of ``vocabulary``, with 'tf_idf'.
    sparse, ragged : bool
        Only False: LS has neither, as Keras without TensorFlow.
    encoding : str
        How bytes are decoded.

    Notes
    -----
    'int': id 0 is padding (''), 1 is every unknown token ('[UNK]'), then the tokens by frequency, equally frequent
    ones in falling order. The counting modes have no padding: id 0 is '[UNK]'. A text without tokens is all padding.
    Lower case and white space are those of Unicode (Keras knows ASCII's alone). No gradient: ``backward``
    returns None.

    Raises
    ------
    ValueError
        A text is missing, or ``adapt`` finds no token at all.

    Source: Keras 3, ``keras.layers.TextVectorization``.

    Examples
    --------
    >>> layer = TextVectorization(output_sequence_length=4)
    >>> layer.adapt(['foo bar', 'bar baz', 'baz, bada boom!'])
    >>> layer(['Foo qux bar', 'qux baz'])
    array([[4, 1, 3, 0],
           [1, 2, 0, 0]])
    >>> layer.get_vocabulary()
    ['', '[UNK]', 'baz', 'bar', 'foo', 'boom', 'bada']
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        standardize: str | Callable[[np.ndarray], Any] | None = "lower_and_strip_punctuation",
        split: str | Callable[[np.ndarray], Any] | None = "whitespace",
        ngrams: int | tuple[int, ...] | None = None,
        output_mode: str = "int",
        output_sequence_length: int | None = None,
        pad_to_max_tokens: bool = False,
        vocabulary: Any = None,
        idf_weights: Any = None,
        sparse: bool = False,
        ragged: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        vocabulary_size: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(name=name, **options)
        output_mode = {"binary": "multi_hot", "tf-idf": "tf_idf"}.get(output_mode, output_mode)
        if not (callable(standardize) or standardize in _STANDARDIZE):
            raise ValueError(f"{self}: standardize is one of {_STANDARDIZE} or a callable, not {standardize!r}")
        if not (callable(split) or split in _SPLIT):
            raise ValueError(f"{self}: split is one of {_SPLIT} or a callable, not {split!r}")
        if output_mode == "one_hot":
            raise ValueError(f"{self}: output_mode is 'int', 'multi_hot', 'count' or 'tf_idf', not 'one_hot'")
        if output_sequence_length is not None and (output_mode != "int" or output_sequence_length < 1):
            raise ValueError(
                f"{self}: output_sequence_length is a positive integer and belongs to output_mode 'int'; "
                f"got {output_sequence_length!r} with {output_mode!r}"
            )
        if sparse or ragged:
            raise ValueError(f"{self}: LS has no sparse or ragged arrays; leave sparse and ragged False")
        widths = range(1, ngrams + 1) if isinstance(ngrams, int) else ngrams
        self.ngrams: tuple[int, ...] | None = None if widths is None else tuple(widths)
        if self.ngrams is not None and (not self.ngrams or min(self.ngrams) < 1):
            raise ValueError(f"{self}: ngrams is a positive integer or several, not {ngrams!r}")
        self.standardize, self.split = standardize, split
        self.output_mode, self.output_sequence_length = output_mode, output_sequence_length
        self.encoding = encoding
        self.terms = TermIndex(self, max_tokens, mask_token="", output_mode=output_mode, pad_to_max_tokens=pad_to_max_tokens)
        self._given = vocabulary is not None
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)

    # --- the vocabulary --------------------------------------------------------------------------------

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Learn the vocabulary from texts, replacing the one learned before.

        Parameters
        ----------
        data : texts, or an iterator over batches of texts
        batch_size : ignored
            Keras has the argument.
        steps : int, optional
            How many batches to take from an iterator.
        """
        batched = not (isinstance(data, (str, list, tuple)) or hasattr(data, "dtype") or is_pandas(data, "DataFrame"))
        batches = itertools.islice(data, steps) if batched else [data]
        self.learn(self.tokens(batch) for batch in batches)

    def learn(self, batches: Iterable[list[list[str]]]) -> None:
        """``adapt`` for texts that are tokens already: batches of what ``tokens`` returns."""
        if self._given:
            raise ValueError(f"{self} was given its vocabulary and can't learn another; leave out the argument vocabulary")
        counts: Counter[str] = Counter()
        documents: Counter[str] | None = Counter() if self.output_mode == "tf_idf" else None
        number = 0
        for rows in batches:
            counts.update(chain.from_iterable(rows))
            if documents is not None:
                documents.update(chain.from_iterable(map(set, rows)))
            number += len(rows)
        counts.pop("", None)
        if not counts:
            raise ValueError(f"{self}: there is no token in {number} texts to learn from: all of them are empty")
        self.terms.learn(counts, documents, number)

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[str]:
        """The tokens in the order of their ids; without the special ones on request."""
        return self.terms.vocabulary(include_special_tokens)

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Take a vocabulary (a list, or a file with one term a line), with its weights for 'tf_idf'."""
        if isinstance(vocabulary, str):
            vocabulary = read_vocabulary_file(vocabulary, self.encoding)
        self.terms.set(vocabulary, idf_weights)

    def vocabulary_size(self) -> int:
        """How many ids there are, special ones included."""
        return self.terms.size

    # --- from texts to tokens --------------------------------------------------------------------------

    def tokens(self, texts: Any) -> list[list[str]]:
        """The tokens of each text, as the layer looks them up.

        >>> TextVectorization(ngrams=2).tokens(['To be, or'])
        [['to', 'be', 'or', 'to be', 'be or']]
        """
        if self.split is None and _is_nested(texts):
            rows = [self._standard(read_texts(list(row), f"{self}", self.encoding)[0]) for row in texts]
        else:
            flat, shape = read_texts(texts, f"{self}", self.encoding)
            rows = self._split(self._standard(flat), shape)
        if self.ngrams is None:
            return rows
        return [[" ".join(row[i : i + n]) for n in self.ngrams or () for i in range(len(row) - n + 1)] for row in rows]

    def _standard(self, texts: list[str]) -> list[str]:
        how = self.standardize
        if callable(how):
            return read_texts(how(np.array(texts, dtype=np.str_)), f"standardize of {self}")[0]
        if how in ("lower", "lower_and_strip_punctuation"):
            texts = [text.lower() for text in texts]
        if how in ("strip_punctuation", "lower_and_strip_punctuation"):
            # translate is the faster one, but only on ASCII
            texts = [t.translate(_DELETE_PUNCTUATION) if t.isascii() else _PUNCTUATION.sub("", t) for t in texts]
        return texts

    def _split(self, texts: list[str], shape: tuple[int, ...]) -> list[list[str]]:
        if self.split is None:
            width = shape[-1] if len(shape) > 1 else 1
            return [texts[i : i + width] for i in range(0, len(texts), max(width, 1))]
        if len(shape) > 2 or (len(shape) == 2 and shape[-1] != 1):
            raise ValueError(f"{self}: texts are (B,) or (B, 1), these are {shape}; tokens that are split already need split=None")
        if self.split == "whitespace":
            return [text.split() for text in texts]
        if self.split == "character":
            return [list(text) for text in texts]
        assert callable(self.split)
        return [list(map(str, row)) for row in self.split(np.array(texts, dtype=np.str_))]

    # --- the layer ---------------------------------------------------------------------------------------

    def forward(self, texts: Any, training: bool = False) -> Any:
        rows = self.tokens(texts)
        length = self.output_sequence_length
        if length is not None:
            rows = [row[:length] for row in rows]
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))  # (B,)
        found = self.terms.ids(list(chain.from_iterable(rows)))  # one after the other
        if self.output_mode != "int":
            y = self.terms.count(found, lengths, self.dtype or floatx())  # (B, V)
        else:
            width = length if length is not None else int(lengths.max(initial=0))
            y = np.zeros((len(rows), width), np.int64)  # (B, T)
            y[np.arange(width) < lengths[:, None]] = found
            if self.split is None and length is None and self.ngrams is None and not _is_nested(texts) and np.ndim(texts) == 1:
                y = y[:, 0]  # whole texts as tokens: one id each
        return to_device(y[0] if isinstance(texts, str) else y), None

    def output_shape(self, input_shape: Any) -> Any:
        batch = input_shape[0] if input_shape else None
        return (batch, self.output_sequence_length if self.output_mode == "int" else self.terms.depth)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("vocabulary_size")
        config["output_sequence_length"] = self.output_sequence_length
        config["vocabulary"] = self.get_vocabulary() if self.terms.terms is not None else None
        config["idf_weights"] = None if self.terms.idf is None else self.terms.idf.tolist()
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> TextVectorization:
        config = dict(config)
        vocabulary, weights = config.pop("vocabulary", None), config.pop("idf_weights", None)
        if isinstance(vocabulary, str):
            raise ValueError("a configuration names no vocabulary file; set_vocabulary(path) reads one that you trust")
        layer = cls(**config)
        if vocabulary is not None:
            layer.set_vocabulary(vocabulary, weights)
        return layer


def _is_nested(texts: Any) -> bool:
    return isinstance(texts, (list, tuple)) and len(texts) > 0 and isinstance(texts[0], (list, tuple))


__all__ = ["TextVectorization"]
