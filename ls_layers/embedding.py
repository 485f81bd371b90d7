"""Embedding: y = table[ids]. ... the ids' shape, V rows of the table (input_dim), D columns (output_dim)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ls_core.backend import floatx, get_xp
from ls_core.kernel import kernel
from ls_core.layer import Layer
from ls_core.parameter import RowGradient, sum_rows
from ls_core.types import Array


@kernel
def embedding_forward(table: Array, ids: Array) -> Array:
    return get_xp(table).take(table, ids, axis=0)  # (..., D)


@kernel
def embedding_backward(dy: Array, ids: Array) -> tuple[Array, Array]:
    # y = table[ids]: a row's gradient is the sum over the places that read it -> rows (n,), sums (n, D)
    return sum_rows(ids.reshape(-1), dy.reshape(-1, dy.shape[-1]))


@kernel
def has_misfit(ids: Array, input_dim: int) -> bool:
    """Whether an id is no whole number in 0 ... input_dim - 1. A device would have to be waited for: False there."""
    return False


@has_misfit.override("numpy")
def _has_misfit_on_host(ids: Array, input_dim: int) -> bool:
    if ids.dtype.kind in "iu":  # as unsigned numbers, negative ones are the largest: one pass finds both kinds
        return ids.size > 0 and bool(ids.view(f"u{ids.dtype.itemsize}").max() >= input_dim)
    return bool(_misfits(ids, input_dim).any())


def _misfits(ids: Array, input_dim: int) -> Array:
    return ~((ids >= 0) & (ids < input_dim) & (ids == np.floor(ids)))  # NaN fits nowhere


class Embedding(Layer):
    """A table of vectors, one for each id: ``y = embeddings[ids]``.

    Parameters
    ----------
    input_dim : int
        Number of rows V: the largest id plus 1.
    output_dim : int
        Length D of each vector.
    embeddings_initializer : str or Initializer
        Default 'uniform'.
    embeddings_regularizer, embeddings_constraint : optional
    mask_zero : bool
        Whether id 0 is padding: layers after this one then get the mask ``ids != 0``. Default False.
    weights : array (V, D) or a list of one, optional
        First values of the table.

    Notes
    -----
    Input: ids of any shape (...), integers, or floats that hold whole numbers; output (..., D). Weights:
    embeddings (V, D). Backward: a ``RowGradient`` with the touched rows alone; the ids have no gradient (None).

    On the NumPy backend every id is checked. On a device that would mean waiting for it, so ids are used as they
    are there: CuPy takes them modulo V. ``fit`` checks on the host, before a batch moves.

    Raises
    ------
    TypeError
        The ids are neither integers nor floats.
    ValueError
        An id is negative, not below input_dim, or no whole number (NumPy backend).

    Source: Keras 3, ``keras.layers.Embedding``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Embedding(4, 2, weights=np.arange(8.).reshape(4, 2))
    >>> y, cache = layer.forward(np.array([[3, 0, 3]]))
    >>> layer.backward(np.ones_like(y), cache)
    >>> y.tolist(), layer.embeddings.grad
    ([[[6.0, 7.0], [0.0, 1.0], [6.0, 7.0]]], <RowGradient 2 of 4 rows>)
    >>> layer.embeddings.grad.to_dense().tolist()
    [[1.0, 1.0], [0.0, 0.0], [0.0, 0.0], [2.0, 2.0]]
    """

    input_kind = "ids"
    output_axes = ("output_dim",)

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        **options: Any,
    ) -> None:
        options.pop("input_length", None)  # Keras takes it for old code's sake, and does nothing with it
        super().__init__(**options)
        for label, value in (("input_dim", input_dim), ("output_dim", output_dim)):
            if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
                raise ValueError(f"Embedding: {label} is a positive integer, not {value!r}")
        self.input_dim, self.output_dim = int(input_dim), int(output_dim)
        self.mask_zero = mask_zero
        self.supports_masking = self.makes_mask = bool(mask_zero)
        self.embeddings_options = (embeddings_initializer, embeddings_regularizer, embeddings_constraint)
        if weights is not None:
            self.ensure_built(None)
            self.set_weights(weights if isinstance(weights, (list, tuple)) and len(weights) == 1 else [weights])

    def build(self, input_shape: Any) -> None:
        initializer, regularizer, constraint = self.embeddings_options
        self.embeddings = self.add_weight(
            (self.input_dim, self.output_dim),
            initializer,
            dtype=self.dtype or floatx(),  # whatever type of numbers the ids come in
            regularizer=regularizer,
            constraint=constraint,
            name="embeddings",
        )

    def output_shape(self, input_shape: Any) -> Any:
        return (*input_shape, self.output_dim)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return inputs != 0 if self.mask_zero else None

    def forward(self, ids: Array, training: bool = False) -> Any:
        if ids.dtype.kind not in "iufb":
            raise TypeError(f"{self}: ids are integers from 0 to {self.input_dim - 1}; these have dtype {ids.dtype}.")
        self.check_ids(ids)
        if ids.dtype.kind in "fb":
            ids = ids.astype("int32")
        return embedding_forward(self.embeddings.value, ids), ids

    def backward(self, dy: Array, ids: Array) -> None:
        if self.embeddings.trainable:
            rows, values = embedding_backward(dy, ids)
            self.embeddings.accumulate(RowGradient(rows, values, self.embeddings.shape))

    def check_ids(self, ids: Array) -> None:
        """Raise unless every id is a whole number in 0 ... input_dim - 1 (host arrays; a device's are not looked at)."""
        if has_misfit(ids, self.input_dim):
            raise self._misfit_error(ids)

    def _misfit_error(self, ids: Array) -> ValueError:
        place = tuple(int(i) for i in np.argwhere(_misfits(ids, self.input_dim))[0])
        value = ids[place].item()
        if not math.isfinite(value) or value != int(value):
            fix = "Ids are whole numbers."
        elif value < 0:
            fix = "Ids are not negative."
        else:
            fix = f"Make it with input_dim={int(ids.max()) + 1} or more, or replace such ids."
        return ValueError(f"{self}: id {value} at place {place} is not in 0 ... {self.input_dim - 1} (input_dim={self.input_dim}). {fix}")

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("weights", None)  # they travel with the weights
        config.pop("input_length", None)
        return config
