"""Discretization: numbers to the bins that they fall into."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from ls_core.backend import floatx, get_xp, is_array, to_host
from ls_core.data import as_array
from ls_core.kernel import kernel
from ls_core.layer import Layer
from ls_core.types import Array

from .categories import MODES, encode, encoded_shape


@kernel
def discretization_forward(x: Array, boundaries: Array) -> Array:
    return get_xp(x).searchsorted(boundaries, x, side="right").astype("int32")  # (..): how many boundaries are <= x


class Discretization(Layer):
    """Numbers to bins: bin k holds ``boundaries[k-1] <= x < boundaries[k]``, the first and last one all that lies outside.

    Parameters
    ----------
    bin_boundaries : list of float, optional
        In rising order; n boundaries make n + 1 bins.
    num_bins : int, optional
        In place of bin_boundaries: ``adapt`` learns boundaries that put about equally many values into each bin.
    epsilon : float
        How exact the quantiles of ``adapt`` are: it keeps about 1 / epsilon values.
    output_mode : {'int', 'one_hot', 'multi_hot', 'count'}
        Bins (int32), or rows of floats as wide as there are bins.
    sparse : bool
        Only False.

    Notes
    -----
    Input: numbers of any shape. A step function: no gradient, ``backward`` returns None.

    Source: Keras 3, ``keras.layers.Discretization``.

    Examples
    --------
    >>> Discretization(bin_boundaries=[0., 1., 2.])(np.array([[-1.5, 1.0, 3.4, .5], [0.0, 3.0, 1.3, 0.0]]))
    array([[0, 2, 3, 1],
           [1, 3, 2, 1]], dtype=int32)
    >>> layer = Discretization(num_bins=4)
    >>> layer.adapt(np.arange(100.))
    >>> [round(boundary) for boundary in layer.bin_boundaries]
    [24, 49, 74]
    """

    def __init__(
        self,
        bin_boundaries: Any = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        sparse: bool = False,
        dtype: Any = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(name=name, dtype=dtype, **options)
        if (bin_boundaries is None) == (num_bins is None):
            raise ValueError(f"{self} takes either bin_boundaries or num_bins")
        if num_bins is not None and num_bins < 1:
            raise ValueError(f"{self}: num_bins is a positive integer, not {num_bins!r}")
        if output_mode not in ("int", *MODES):
            raise ValueError(f"{self}: output_mode is one of int, {', '.join(MODES)}, not {output_mode!r}")
        if sparse:
            raise ValueError(f"{self}: LS has no sparse arrays; leave sparse False")
        self.bin_boundaries: list[float] | None = None if bin_boundaries is None else [float(b) for b in bin_boundaries]
        if self.bin_boundaries is not None and self.bin_boundaries != sorted(self.bin_boundaries):
            raise ValueError(f"{self}: bin_boundaries rise, these do not: {self.bin_boundaries}")
        self.num_bins, self.epsilon, self.output_mode = num_bins, epsilon, output_mode

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Learn the boundaries from quantiles.

        Parameters
        ----------
        data : array, or an iterable of batches
        steps : int, optional
            How many batches to take.
        """
        if self.num_bins is None:
            raise ValueError(f"{self} was given its bin_boundaries and can't learn others; give num_bins instead")
        whole = is_array(data) or hasattr(data, "dtype")
        summary = np.zeros((2, 0), dtype=np.float32)
        for batch in [data] if whole else itertools.islice(data, steps):
            values = to_host(batch) if is_array(batch) else np.asarray(as_array(batch, "data"))
            joined = np.concatenate((summarize(values, self.epsilon), summary), axis=1)
            summary = compress(joined[:, np.argsort(joined[0])], self.epsilon)
        if summary.size == 0:
            raise ValueError(f"{self}: adapt got no value")
        self.bin_boundaries = compress(summary, 1.0 / self.num_bins)[0, :-1].tolist()

    def forward(self, x: Array, training: bool = False) -> Any:
        if self.bin_boundaries is None:
            raise RuntimeError(f"{self} has no bins yet: call adapt(data) first, or give bin_boundaries")
        xp = get_xp(x)
        x = x if x.dtype.kind == "f" else x.astype(floatx())
        bins = discretization_forward(x, xp.asarray(self.bin_boundaries, dtype=x.dtype))
        if self.output_mode == "int":
            return bins, None
        return encode(bins, self.output_mode, len(self.bin_boundaries) + 1, self.dtype or floatx()), None

    def backward(self, dy: Array, saved: Any) -> None:
        return None

    def output_shape(self, input_shape: Any) -> Any:
        if self.output_mode == "int":
            return tuple(input_shape)
        depth = self.num_bins or 0 if self.bin_boundaries is None else len(self.bin_boundaries) + 1
        return encoded_shape(input_shape, self.output_mode, depth)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "bin_boundaries": self.bin_boundaries}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Discretization:
        config = dict(config)
        learned = config.pop("bin_boundaries", None) if config.get("num_bins") is not None else None
        layer = cls(**config)
        layer.bin_boundaries = learned if learned is not None else layer.bin_boundaries
        return layer


# --- quantiles of a stream: (2, n) arrays of values and of how many values each stands for ---------------------


def summarize(values: np.ndarray, epsilon: float) -> np.ndarray:
    """About 1 / epsilon of the values, evenly spaced among the sorted ones; all of them if there are fewer."""
    ordered = np.sort(np.asarray(values, dtype=np.float32).ravel())
    step = max(len(ordered) / (1.0 / epsilon), 1)
    kept = ordered[int(step - 1) :: int(step)]
    return np.stack([kept, np.full_like(kept, step)])


def compress(summary: np.ndarray, epsilon: float) -> np.ndarray:
    """A summary of 1 / epsilon values, read off its cumulative weights by linear interpolation; a smaller one as it is."""
    if summary.shape[1] * epsilon < 1:
        return summary
    reached = summary[1].cumsum()
    shares = epsilon + np.arange(0.0, 1.0, epsilon)
    values = np.interp(shares, reached / reached[-1], summary[0])
    weights = np.diff(np.interp(shares, reached / reached[-1], reached), prepend=0)
    return np.stack([values, weights]).astype(np.float32)


__all__ = ["Discretization", "discretization_forward"]
