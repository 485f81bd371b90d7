"""Hashing: categories to bins by a stable hash, without a vocabulary."""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.backend import floatx, is_array, to_device, to_host
from ls_core.data import as_array, is_texts
from ls_core.text import HostLayer, bucket

from .categories import MODES, encode, encoded_shape
from .index_lookup import home, read_salt


class Hashing(HostLayer):
    """Strings or integers to one of ``num_bins`` bins; nothing is learned, and unrelated ones may share a bin.

    Parameters
    ----------
    num_bins : int
        Number of bins, the mask's bin 0 included.
    mask_value : str or int, optional
        What gets bin 0; nothing else does then.
    salt : int or (int, int), optional
        Key: SipHash is used instead of FarmHash.
    output_mode : {'int', 'one_hot', 'multi_hot', 'count'}
        Bins (int64), or rows of num_bins floats: for each element ('one_hot') or for each sample.
    sparse : bool
        Only False.

    Notes
    -----
    Input: strings or integers of any shape. No gradient: ``backward`` returns None.

    Source: Keras 3, ``keras.layers.Hashing``.

    Examples
    --------
    >>> Hashing(num_bins=3)([['A'], ['B'], ['C'], ['D'], ['E']]).ravel()
    array([1, 0, 1, 1, 2])
    >>> Hashing(num_bins=3, mask_value='')([['A'], ['B'], [''], ['C'], ['D']]).ravel()
    array([1, 1, 0, 2, 2])
    """

    def __init__(
        self,
        num_bins: int,
        mask_value: Any = None,
        salt: Any = None,
        output_mode: str = "int",
        sparse: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if not isinstance(num_bins, int) or num_bins < 1:
            raise ValueError(f"{self}: num_bins is a positive integer, not {num_bins!r}")
        if output_mode not in ("int", *MODES):
            raise ValueError(f"{self}: output_mode is one of int, {', '.join(MODES)}, not {output_mode!r}")
        if output_mode == "int" and self.dtype not in (None, "int32", "int64"):
            raise ValueError(f"{self}: bins are 'int32' or 'int64', not {self.dtype!r}")
        if sparse:
            raise ValueError(f"{self}: LS has no sparse arrays; leave sparse False")
        self.num_bins, self.mask_value, self.output_mode = num_bins, mask_value, output_mode
        self.salt = read_salt(self, salt)

    def forward(self, x: Any, training: bool = False) -> Any:
        column = to_host(x) if is_array(x) and not is_texts(x) else np.asarray(as_array(x, f"{self}"))
        if column.dtype.kind == "f":
            column = column.astype(np.int64)
        masked = self.mask_value is not None and self.num_bins > 1
        bins = self.num_bins - masked
        known: dict[Any, int] = {self.mask_value: 0} if masked else {}
        found: np.ndarray = np.empty(column.size, dtype=np.int64)
        for i, value in enumerate(column.ravel().tolist()):
            place = known.get(value)
            if place is None:
                place = known[value] = bucket(value, bins, self.salt) + masked
            found[i] = place
        found = found.reshape(column.shape)
        if self.output_mode == "int":
            return to_device(found.astype(self.dtype or "int64", copy=False), home(x)), None
        return to_device(encode(found, self.output_mode, self.num_bins, self.dtype or floatx()), home(x)), None

    def output_shape(self, input_shape: Any) -> Any:
        return tuple(input_shape) if self.output_mode == "int" else encoded_shape(input_shape, self.output_mode, self.num_bins)


__all__ = ["Hashing"]
