"""pad_sequences: sequences of different length as one array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def pad_sequences(
    sequences: Sequence[Any],
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> np.ndarray:
    """Sequences as an array (n, maxlen, ...), padded and cut.

    Parameters
    ----------
    sequences : list of sequences
        Each of numbers, or of equally shaped arrays.
    maxlen : int, optional
        Default: the longest sequence.
    dtype : str
        'object' for strings.
    padding, truncating : {'pre', 'post'}
        Whether padding is put, and what is too long is cut, at the beginning (Keras' default) or at the end.
    value : number or str
        What is put in.

    Source: Keras 3, ``keras.utils.pad_sequences``.

    Examples
    --------
    >>> pad_sequences([[1], [2, 3], [4, 5, 6]], maxlen=2)
    array([[0, 1],
           [2, 3],
           [5, 6]], dtype=int32)
    >>> pad_sequences([[1], [2, 3]], padding='post')
    array([[1, 0],
           [2, 3]], dtype=int32)
    """
    for name, where in (("padding", padding), ("truncating", truncating)):
        if where not in ("pre", "post"):
            raise ValueError(f"{name} is 'pre' or 'post', not {where!r}")
    if not hasattr(sequences, "__len__"):
        raise TypeError(f"sequences is a list of sequences, not {type(sequences).__name__}")
    for i, sequence in enumerate(sequences):
        if not hasattr(sequence, "__len__"):
            raise TypeError(f"sequences[{i}] is the {type(sequence).__name__} {sequence!r}, not a sequence")
    if isinstance(value, str) and np.dtype(dtype).kind not in "OUS":
        raise ValueError(f"value {value!r} does not fit dtype {dtype}; texts want dtype='object'")
    length = max(map(len, sequences), default=0) if maxlen is None else maxlen
    rest = next((np.asarray(s).shape[1:] for s in sequences if len(s)), ())
    padded = np.full((len(sequences), length, *rest), value, dtype=dtype)
    for i, sequence in enumerate(sequences):
        kept = np.asarray(sequence[:length] if truncating == "post" else sequence[max(len(sequence) - length, 0) :], dtype=dtype)
        if len(kept) == 0:
            continue
        if kept.shape[1:] != rest:
            raise ValueError(f"the elements of sequences[{i}] have shape {kept.shape[1:]}, those of the first have {rest}")
        padded[i, slice(0, len(kept)) if padding == "post" else slice(length - len(kept), None)] = kept
    return padded
