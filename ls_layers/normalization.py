"""Normalization: features to mean 0 and variance 1, by statistics of the training data.

A axes that have a mean of their own (kept), all others are averaged over.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from ls_core.backend import constant, floatx, get_xp, is_array, is_float, to_host
from ls_core.data import as_array
from ls_core.errors import ShapeError
from ls_core.kernel import kernel
from ls_core.layer import Layer
from ls_core.types import Array

EPSILON = 1e-7  # the least standard deviation


@kernel
def normalization_forward(x: Array, mean: Array, variance: Array, invert: bool) -> tuple[Array, Array]:
    deviation = get_xp(x).maximum(get_xp(x).sqrt(variance), EPSILON)  # (1, A, 1)
    y = x * deviation + mean if invert else (x - mean) / deviation  # (B, A, ..)
    return y, deviation


@kernel
def normalization_backward(dy: Array, deviation: Array, invert: bool) -> Array:
    # y = (x - mean) / deviation, or y = x * deviation + mean
    return dy * deviation if invert else dy / deviation  # (B, A, ..)


class Normalization(Layer):
    """Features shifted and scaled to mean 0 and variance 1: ``y = (x - mean) / max(sqrt(variance), 1e-7)``.

    Parameters
    ----------
    axis : int, tuple of int, or None
        The axes with statistics of their own for each index; default the last one (features, channels). None: one mean
        and variance for everything.
    mean, variance : float or array, optional
        Given both instead of ``adapt``; they broadcast over the kept axes, from the right.
    invert : bool
        The other way: ``y = x * deviation + mean``.

    Notes
    -----
    Input (B, ..), output the same shape. Weights, unless mean and variance are given: mean (A), variance (A) and count
    (), none of them trainable; they are 0 and 1 until ``adapt``. Backward: ``dx = dy / deviation``.

    Raises
    ------
    ValueError
        Only one of mean and variance is given, or their shapes differ.
    ShapeError
        An axis does not exist, or data has another size along a kept one.

    Source: Keras 3, ``keras.layers.Normalization``.

    Examples
    --------
    >>> layer = Normalization()
    >>> layer.adapt(np.array([[0., 7., 4.], [2., 9., 6.], [0., 7., 4.], [2., 9., 6.]]))
    >>> y, cache = layer.forward(np.array([[0., 7., 4.]]))
    >>> y, layer.backward(np.array([[1., 2., 3.]]), cache)
    (array([[-1., -1., -1.]]), array([[1., 2., 3.]]))
    """

    supports_masking = True

    def __init__(self, axis: Any = -1, mean: Any = None, variance: Any = None, invert: bool = False, **options: Any) -> None:
        super().__init__(**options)
        if (mean is None) != (variance is None):
            raise ValueError(f"{self}: mean and variance are given both or not at all")
        self.axis = () if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
        self.given = None if mean is None else tuple(np.asarray(value, dtype=np.float64) for value in (mean, variance))
        if self.given is not None and (self.given[0].shape != self.given[1].shape or self.given[0].ndim > len(self.axis)):
            raise ValueError(
                f"{self}: mean has shape {self.given[0].shape} and variance {self.given[1].shape}; "
                f"they are alike, with at most {len(self.axis)} axes (axis={self.axis})"
            )
        self.invert = invert

    def build(self, input_shape: Any) -> None:
        rank = len(input_shape)
        wrong = [a for a in self.axis if not -rank <= a < rank]
        if wrong:
            raise ShapeError(f"{self}: axis {wrong[0]} does not exist in an input of shape {tuple(input_shape)}.")
        self.kept = tuple(sorted(a % rank for a in self.axis))
        unknown = [a for a in self.kept if input_shape[a] is None]
        if unknown:
            raise ShapeError(f"{self}: axis {unknown[0]} keeps statistics, so its size must be known; the input is {tuple(input_shape)}.")
        sizes = tuple(input_shape[a] for a in self.kept)
        self.broadcast = tuple(input_shape[a] if a in self.kept else 1 for a in range(rank))
        if self.given is None:
            self.mean = self.add_weight(sizes, "zeros", name="mean", state=True)
            self.variance = self.add_weight(sizes, "ones", name="variance", state=True)
            self.count = self.add_weight((), "zeros", dtype="int32", name="count", state=True)

    def adapt(self, data: Any) -> None:
        """Learn mean and variance, replacing those learned before.

        Parameters
        ----------
        data : array; or an iterable of batches (a list of arrays, a generator, a DataLoader)
            Of batches that are tuples the first part is taken.

        Raises
        ------
        ValueError
            There is no batch, or mean and variance were given.
        """
        if self.given is not None:
            raise ValueError(f"{self} was given its mean and variance and can't learn others; leave out these arguments")
        whole = is_array(data) or hasattr(data, "dtype") or hasattr(data, "columns")
        if not whole and isinstance(data, (list, tuple)) and not (data and hasattr(data[0], "shape")):
            whole = True  # nested lists of numbers
        batches = iter([data] if whole else data)
        first = next(batches, None)
        if first is None:
            raise ValueError(f"{self}: adapt got no batch")
        n, mean, variance = 0, np.zeros(()), np.zeros(())
        for batch in itertools.chain([first], batches):
            x = _host(batch[0] if isinstance(batch, tuple) else batch)
            self.ensure_built(x.shape)
            self._check(x)
            others = tuple(a for a in range(x.ndim) if a not in self.kept)
            m = int(np.prod([x.shape[a] for a in others]))
            if m == 0:
                continue
            # the parts' means and variances joined (Chan, Golub and LeVeque 1979)
            delta = x.mean(axis=others) - mean
            mean = mean + delta * (m / (n + m))
            variance = (variance * n + x.var(axis=others) * m) / (n + m) + delta * delta * (n * m / (n + m) ** 2)
            n += m
        if n == 0:
            raise ValueError(f"{self}: adapt got no rows")
        self.mean.assign(mean)
        self.variance.assign(variance)

    def _check(self, x: Any) -> None:
        rank, sizes = len(self.broadcast), tuple(self.broadcast[a] for a in self.kept)
        if x.ndim != rank or tuple(x.shape[a] for a in self.kept) != sizes:
            raise ShapeError(
                f"{self}: the input has shape {tuple(x.shape)}; it was built for {rank} axes, of which {self.kept} have the sizes {sizes}.",
                self.kept[-1] - rank if self.kept and x.ndim == rank else None,
            )

    def _statistics(self, x: Array) -> list[Array]:
        """Mean and variance in the type of ``x``, to broadcast with it."""
        dtype = x.real.dtype
        if self.given is None:
            return [p.value.reshape(self.broadcast).astype(dtype, copy=False) for p in (self.mean, self.variance)]
        shape = [1] * len(self.broadcast)
        for a, size in zip(reversed(self.kept), reversed(self.given[0].shape), strict=False):
            shape[a] = size
        return [constant(value.reshape(shape).astype(dtype), x) for value in self.given]

    def forward(self, x: Array, training: bool = False) -> Any:
        differentiable = is_float(x)
        if not differentiable:
            x = x.astype(self.dtype or floatx())
        self._check(x)
        mean, variance = self._statistics(x)
        y, deviation = normalization_forward(x, mean, variance, self.invert)
        return y, (deviation if differentiable else None)

    def backward(self, dy: Array, deviation: Any) -> Array:
        return None if deviation is None else normalization_backward(dy, deviation, self.invert)


def _host(data: Any) -> np.ndarray:
    return np.asarray(to_host(data) if is_array(data) else as_array(data, "data"), dtype=np.float64)


__all__ = ["Normalization", "normalization_backward", "normalization_forward"]
