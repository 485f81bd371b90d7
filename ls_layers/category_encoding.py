"""CategoryEncoding: category numbers to one-hot, multi-hot or count rows."""

from __future__ import annotations

from typing import Any

from ls_core.backend import floatx, get_xp
from ls_core.layer import Layer
from ls_core.types import Array

from .categories import MODES, as_samples, count_backward, encode, encoded_shape
from .embedding import has_misfit


class CategoryEncoding(Layer):
    """Category numbers as rows of ``num_tokens`` floats.

    Parameters
    ----------
    num_tokens : int
        How many categories there are; numbers run from 0 to num_tokens - 1.
    output_mode : {'multi_hot', 'one_hot', 'count'}
        'one_hot': a row for each number; a last axis of 1 falls away. 'multi_hot': one row for each sample, 1 where a
        number occurs. 'count': how often it occurs, or the sum of its ``count_weights``.
    sparse : bool
        Only False: LS has no sparse arrays.

    Notes
    -----
    Input (B, S), output (B, num_tokens); (S,) is a single sample; 'one_hot' (..) to (.., num_tokens). Of more axes the
    second one is gathered.
    ``forward(x, count_weights=None)``: weights of x's shape, for 'count'. Backward: numbers have no gradient (None),
    count_weights get ``dy`` at their category.

    Raises
    ------
    ValueError
        A number is not below num_tokens, or negative (NumPy backend; a device would have to be waited for).

    Source: Keras 3, ``keras.layers.CategoryEncoding``.

    Examples
    --------
    >>> import numpy as np
    >>> CategoryEncoding(4)(np.array([[0, 1], [3, 3]]))
    array([[1., 1., 0., 0.],
           [0., 0., 0., 1.]], dtype=float32)
    """

    input_kind = "ids"
    gradient_keywords = ("count_weights",)

    def __init__(self, num_tokens: int | None = None, output_mode: str = "multi_hot", sparse: bool = False, **options: Any) -> None:
        super().__init__(**options)
        output_mode = "multi_hot" if output_mode == "binary" else output_mode
        if num_tokens is None or num_tokens < 1:
            raise ValueError(f"{self}: num_tokens is a positive integer, not {num_tokens!r}; IntegerLookup learns it from data")
        if output_mode not in MODES:
            raise ValueError(f"{self}: output_mode is one of {', '.join(MODES)}, not {output_mode!r}")
        if sparse:
            raise ValueError(f"{self}: LS has no sparse arrays; leave sparse False")
        self.num_tokens, self.output_mode = num_tokens, output_mode

    def output_shape(self, input_shape: Any) -> Any:
        return encoded_shape(input_shape, self.output_mode, self.num_tokens)

    def forward(self, ids: Array, count_weights: Array = None, training: bool = False) -> Any:
        if count_weights is not None and self.output_mode != "count":
            raise ValueError(f"{self}: count_weights belong to output_mode 'count', this one is {self.output_mode!r}")
        if count_weights is not None and count_weights.shape != ids.shape:
            raise ValueError(f"{self}: count_weights has shape {count_weights.shape}, the numbers have {ids.shape}")
        if has_misfit(ids, self.num_tokens):
            raise ValueError(f"{self}: category numbers run from 0 to {self.num_tokens - 1}; the input holds {ids.min()} to {ids.max()}")
        ids = ids if ids.dtype.kind in "iu" else ids.astype("int64")
        dtype = self.dtype or floatx() if count_weights is None else count_weights.dtype
        y = encode(ids, self.output_mode, self.num_tokens, dtype, count_weights)
        return y, (ids if count_weights is not None else None)

    def backward(self, dy: Array, saved: Any) -> Any:
        if saved is None:
            return None
        rows, shape = as_samples(saved)
        dweights = count_backward(dy.reshape(len(rows), self.num_tokens), rows).reshape(*shape, rows.shape[1])  # (B, .., S)
        return None, get_xp(dy).moveaxis(dweights, -1, 1) if saved.ndim > 1 else dweights


__all__ = ["CategoryEncoding"]
