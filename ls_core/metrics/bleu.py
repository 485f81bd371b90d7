"""BLEU: how many n-grams of a translation stand in a reference, over a whole corpus."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from .metric import Metric


class BLEU(Metric):
    """The geometric mean of the n-gram precisions for n = 1 .. max_order, times the brevity penalty exp(1 - r / c).

    c is the length of all translations and r that of the references closest to them; the penalty is 1 for c > r.

    Parameters
    ----------
    tokenizer : callable, optional
        From a string to its list of tokens; default: splitting at white space.
    max_order : int
        Longest n-grams; default 4.
    smooth : bool
        Add 1 to every count of n-grams, so that one missing order does not make the score 0 (Lin and Och 2004).
    name, dtype
        See ``Metric``.

    Notes
    -----
    ``update_state(y_true, y_pred)``: y_pred a list of translations, y_true for each its reference, or a list of references.
    A text is a string or a list of tokens. Sample weights are not used. All of it is computed on the host.

    Source: Papineni et al. 2002, "BLEU: a Method for Automatic Evaluation of Machine Translation", section 2; KerasHub,
    ``keras_hub.metrics.Bleu``.

    >>> round(BLEU()([['the cat sat on the mat today']], ['the cat sat on the mat']), 4)
    0.8465
    """

    def __init__(
        self,
        tokenizer: Callable[[str], list[str]] | None = None,
        max_order: int = 4,
        smooth: bool = False,
        dtype: Any = None,
        name: str = "bleu",
    ) -> None:
        self.tokenizer = tokenizer or str.split
        self.max_order = max_order
        self.smooth = smooth
        super().__init__(dtype, name)

    def reset_state(self) -> None:
        self.matches = [0] * self.max_order
        self.possible = [0] * self.max_order
        self.translation_length = 0
        self.reference_length = 0

    def update_state(self, y_true: Sequence[Any], y_pred: Sequence[Any], sample_weight: Any = None) -> None:
        if isinstance(y_pred, str) or len(y_true) != len(y_pred):
            raise ValueError(f"{self}: y_true and y_pred are lists of equal length, of references and translations")
        for given, translation in zip(y_true, y_pred, strict=True):
            references = [self._tokens(each) for each in _references(given, translation)]
            tokens = self._tokens(translation)
            self.translation_length += len(tokens)
            self.reference_length += min((abs(len(r) - len(tokens)), len(r)) for r in references)[1]
            for n in range(1, self.max_order + 1):
                found = _ngrams(tokens, n)
                allowed: Counter[tuple[str, ...]] = Counter()
                for reference in references:
                    allowed |= _ngrams(reference, n)
                self.matches[n - 1] += sum((found & allowed).values())
                self.possible[n - 1] += max(len(tokens) - n + 1, 0)

    def result(self) -> float:
        extra = 1 if self.smooth else 0
        precisions = [(m + extra) / (p + extra) if p + extra else 0.0 for m, p in zip(self.matches, self.possible, strict=True)]
        if min(precisions) == 0 or self.translation_length == 0:
            return 0.0
        penalty = min(0.0, 1.0 - self.reference_length / self.translation_length)
        return math.exp(penalty + sum(math.log(p) for p in precisions) / self.max_order)

    def _tokens(self, text: Any) -> list[str]:
        return self.tokenizer(text) if isinstance(text, str) else list(text)


def _references(given: Any, translation: Any) -> list[Any]:
    """One reference or several, as a list: a list of strings is several texts unless the translation is a list of tokens."""
    if isinstance(given, str):
        return [given]
    one = not isinstance(translation, str) and (len(given) == 0 or isinstance(given[0], str))
    return [given] if one else list(given)


def _ngrams(tokens: list[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))
