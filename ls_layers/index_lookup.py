"""What StringLookup and IntegerLookup share: a TermIndex, its adapt, and the shapes of its output."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from ls_core.backend import backend_of, floatx, is_array, to_device, to_host
from ls_core.text import HostLayer, TermIndex, bucket
from ls_core.text.terms import read_vocabulary_file

from .categories import encoded_shape


def read_salt(owner: Any, salt: Any) -> tuple[int, int] | None:
    """The key of SipHash: two integers, or one that stands for both."""
    if salt is None:
        return None
    if isinstance(salt, int):
        return (salt, salt)
    if isinstance(salt, (tuple, list)) and len(salt) == 2:
        return (int(salt[0]), int(salt[1]))
    raise ValueError(f"{owner}: salt is an integer or two of them, not {salt!r}")


def home(x: Any) -> Any:
    """Where the result belongs: with numbers on a device, else with the current backend."""
    return backend_of(x) if is_array(x) and x.dtype.kind in "biuf" else None


class IndexLookup(HostLayer):
    """Base of the lookup layers: terms to ids (or, with ``invert``, ids to terms)."""

    def _start(
        self,
        max_tokens: int | None,
        num_oov_indices: int,
        mask_token: Any,
        oov_token: Any,
        vocabulary: Any,
        idf_weights: Any,
        invert: bool,
        output_mode: str,
        sparse: bool,
        pad_to_max_tokens: bool,
        oov_method: str,
        salt: Any,
    ) -> None:
        output_mode = {"binary": "multi_hot", "tf-idf": "tf_idf"}.get(output_mode, output_mode)
        if oov_method not in ("floormod", "farmhash"):
            raise ValueError(f"{self}: oov_method is 'floormod' or 'farmhash', not {oov_method!r}")
        if invert and output_mode != "int":
            raise ValueError(f"{self}: invert gives terms back, so output_mode is 'int', not {output_mode!r}")
        if sparse:
            raise ValueError(f"{self}: LS has no sparse arrays; leave sparse False")
        self.salt = read_salt(self, salt)
        self.oov_method = oov_method
        self.invert, self.output_mode = invert, output_mode
        self.terms = TermIndex(
            self, max_tokens, num_oov_indices, mask_token, oov_token, output_mode, pad_to_max_tokens, self.oov_bucket
        )  # fmt: skip
        self._given = vocabulary is not None
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)

    def oov_bucket(self, term: Any) -> int:
        """Which of several out-of-vocabulary ids a term gets."""
        return bucket(term, self.terms.num_oov_indices, self.salt)

    def read(self, data: Any) -> tuple[list[Any], tuple[int, ...]]:
        """``data`` as a flat list of terms, and its shape."""
        raise NotImplementedError

    # --- the vocabulary --------------------------------------------------------------------------------

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Learn the vocabulary: the most frequent terms first, of equally frequent ones the greater.

        Parameters
        ----------
        data : terms (n,) or (n, terms of a sample), or an iterator over batches of them
            For 'tf_idf' each row is a document; in a batch of one axis, the whole batch is.
        steps : int, optional
            How many batches to take from an iterator.
        """
        if self._given:
            raise ValueError(f"{self} was given its vocabulary and can't learn another; leave out the argument vocabulary")
        counts: Counter[Any] = Counter()
        documents: Counter[Any] = Counter()
        number = 0
        for row in self._documents(data, steps):
            counts.update(row)
            documents.update(set(row))
            number += 1
        if not counts:
            raise ValueError(f"{self}: there is nothing to learn from")
        self.terms.learn(counts, documents if self.output_mode == "tf_idf" else None, number)

    def _documents(self, data: Any, steps: int | None) -> Iterable[list[Any]]:
        if isinstance(data, (list, tuple)) and data and isinstance(data[0], (list, tuple)):
            yield from (self.read(list(row))[0] for row in data)  # rows that need not be equally long
            return
        whole = isinstance(data, (list, tuple)) or hasattr(data, "dtype")
        for batch in [data] if whole else itertools.islice(data, steps):
            terms, shape = self.read(batch)
            width = shape[-1] if len(shape) > 1 else 1 if whole else len(terms)
            yield from (terms[i : i + width] for i in range(0, len(terms), max(width, 1)))

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """The terms in the order of their ids; without the special ones on request."""
        return self.terms.vocabulary(include_special_tokens)

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Take a vocabulary (a list, or a file with one term a line), with its weights for 'tf_idf'."""
        if isinstance(vocabulary, str):
            vocabulary = self.read(read_vocabulary_file(vocabulary))[0]
        self.terms.set(vocabulary, idf_weights)

    def vocabulary_size(self) -> int:
        """How many ids there are, special ones included."""
        return self.terms.size

    # --- the layer ---------------------------------------------------------------------------------------

    def forward(self, x: Any, training: bool = False) -> Any:
        if self.invert:
            return self._terms_of(to_host(x) if is_array(x) else np.asarray(x)), None
        flat, shape = self.read(x)
        ids = self.terms.ids(flat)
        place = home(x)
        if self.output_mode == "int":
            return to_device(ids.reshape(shape), place), None
        dtype = self.dtype or floatx()
        if self.output_mode == "one_hot":
            y = self.terms.one_hot(ids, dtype).reshape(self.output_shape(shape))
        elif len(shape) > 2:
            raise ValueError(f"{self}: output_mode {self.output_mode!r} counts the terms of samples (B, terms); the input is {shape}")
        else:
            lengths = [shape[-1]] * shape[0] if len(shape) == 2 else [len(flat)]
            y = self.terms.count(ids, np.array(lengths, dtype=np.int64), dtype)
            y = y if len(shape) == 2 else y[0]
        return to_device(y, place), None

    def _terms_of(self, ids: np.ndarray) -> np.ndarray:
        terms = self.get_vocabulary()
        if self.terms.terms is None:
            raise RuntimeError(f"{self} has no vocabulary yet: call adapt(data) or set_vocabulary(terms) first")
        found = [terms[i] if 0 <= i < len(terms) else self.terms.oov_token for i in ids.ravel().tolist()]
        if not any(isinstance(term, str) for term in found):
            return np.array(found, dtype=np.int64).reshape(ids.shape)
        array = np.empty(len(found), dtype=object)
        array[:] = found
        return array.reshape(ids.shape)

    def output_shape(self, input_shape: Any) -> Any:
        if self.output_mode == "int":
            return tuple(input_shape)
        return encoded_shape(input_shape, "one_hot" if self.output_mode == "one_hot" else "count", self.terms.depth)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("vocabulary_size")
        config["vocabulary"] = self.get_vocabulary() if self.terms.terms is not None else None
        config["idf_weights"] = None if self.terms.idf is None else self.terms.idf.tolist()
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> IndexLookup:
        config = dict(config)
        vocabulary, weights = config.pop("vocabulary", None), config.pop("idf_weights", None)
        if isinstance(vocabulary, str):
            raise ValueError("a configuration names no vocabulary file; set_vocabulary(path) reads one that you trust")
        layer = cls(**config)
        if vocabulary is not None:
            layer.set_vocabulary(vocabulary, weights)
        return layer
