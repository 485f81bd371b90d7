"""Hypothesis strategies: shapes that fit together, and arrays whose numbers stay away from kinks.

>>> from hypothesis import given
>>> @given(convolutions(rank=1))
... def test(c):
...     assert c.output >= 1
>>> test()
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

SMALL = 4  # longest axis, unless told otherwise: gradients of small arrays are checked element by element


def shapes(rank: int | None = None, low: int = 1, high: int = SMALL, max_rank: int = 4) -> st.SearchStrategy[tuple[int, ...]]:
    """Shapes of ``rank`` axes (default: 1 to ``max_rank``), each from ``low`` to ``high`` long."""
    least, most = (1, max_rank) if rank is None else (rank, rank)
    return st.lists(st.integers(low, high), min_size=least, max_size=most).map(tuple)


@dataclass(frozen=True)
class Sequence:
    """Sizes of a batch of sequences, (B, T, C)."""

    batch: int
    time: int
    channels: int

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.batch, self.time, self.channels


def sequences(low: int = 1, high: int = SMALL) -> st.SearchStrategy[Sequence]:
    """Batch, time and channels."""
    size = st.integers(low, high)
    return st.builds(Sequence, size, size, size)


@st.composite
def broadcastable(draw: st.DrawFn, count: int = 2, max_rank: int = 3, high: int = SMALL) -> tuple[tuple[int, ...], ...]:
    """``count`` shapes that NumPy broadcasts together; axes may be 1 or missing at the front."""
    full = draw(shapes(max_rank=max_rank, high=high))
    found = []
    for _ in range(count):
        axes = [1 if draw(st.booleans()) else size for size in full]
        found.append(tuple(axes[draw(st.integers(0, len(full) - 1)) :]))
    return tuple(found)


@st.composite
def products(draw: st.DrawFn, max_batch_rank: int = 2, high: int = SMALL) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Shapes (..., M, K) and (..., K, N) that ``@`` takes."""
    size = st.integers(1, high)
    batch = tuple(draw(st.lists(size, max_size=max_batch_rank)))
    m, k, n = draw(size), draw(size), draw(size)
    return (*batch, m, k), (*batch, k, n)


@dataclass(frozen=True)
class Convolution:
    """A convolution whose output is not empty along any axis; ``size`` is that of the input's axes."""

    batch: int
    size: tuple[int, ...]
    channels: int
    filters: int
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the input, channels last."""
        return (self.batch, *self.size, self.channels)

    @property
    def outputs(self) -> tuple[int, ...]:
        """Sizes of the output's axes."""
        found = []
        for size, k, s, d in zip(self.size, self.kernel, self.strides, self.dilation, strict=True):
            covered = d * (k - 1) + 1 if self.padding == "valid" else 1
            found.append(math.ceil((size - covered + 1) / s))
        return tuple(found)

    @property
    def output(self) -> int:
        """Shortest of them."""
        return min(self.outputs)

    @property
    def arguments(self) -> dict[str, Any]:
        """For a convolutional layer."""
        return {
            "filters": self.filters,
            "kernel_size": self.kernel,
            "strides": self.strides,
            "dilation_rate": self.dilation,
            "padding": self.padding,
        }


@st.composite
def convolutions(draw: st.DrawFn, rank: int = 1, high: int = 6, paddings: tuple[str, ...] = ("valid", "same")) -> Convolution:
    """Convolutions over ``rank`` axes. Keras allows a stride or a dilation above 1, not both."""
    axes = range(rank)
    padding = draw(st.sampled_from(paddings))
    kernel = tuple(draw(st.integers(1, 3)) for _ in axes)
    strided = draw(st.booleans())
    strides = tuple(draw(st.integers(1, 3)) if strided else 1 for _ in axes)
    dilation = tuple(1 if strided else draw(st.integers(1, 2)) for _ in axes)
    size = tuple(
        draw(st.integers(d * (k - 1) + 1 if padding == "valid" else 1, max(high, d * (k - 1) + 1)))
        for k, d in zip(kernel, dilation, strict=True)
    )
    small = st.integers(1, 3)
    return Convolution(draw(st.integers(1, 2)), size, draw(small), draw(small), kernel, strides, dilation, padding)


def arrays(
    shape: tuple[int, ...] | st.SearchStrategy[tuple[int, ...]], away: float = 0.0, distinct: bool = False, dtype: str = "float64"
) -> st.SearchStrategy[np.ndarray]:
    """Float arrays of ``shape``, about normal.

    ``away``: no number is nearer to 0 than this (the kink of ReLU and abs). ``distinct``: any two numbers differ by
    0.01 or more, so that no maximum is a tie. The numbers follow one drawn seed, which keeps shrinking quick.
    """

    def make(shape: tuple[int, ...], seed: int) -> np.ndarray:
        g = np.random.default_rng(seed)
        x: np.ndarray = g.normal(size=shape)
        if distinct:
            x = np.argsort(np.argsort(x, axis=None)).reshape(shape) * 0.013 - 0.0065 * x.size
        return (x + away * np.where(x < 0, -1, 1)).astype(dtype)

    shaped = shape if isinstance(shape, st.SearchStrategy) else st.just(shape)
    return st.builds(make, shaped, st.integers(0, 2**32 - 1))


def masks(shape: tuple[int, ...], some: bool = True) -> st.SearchStrategy[np.ndarray]:
    """Boolean arrays; ``some`` keeps at least one True in each row of the last axis."""

    def make(bits: list[bool]) -> np.ndarray:
        mask = np.array(bits, dtype=bool).reshape(shape)
        if some:
            mask[..., 0] |= ~mask.any(axis=-1)
        return mask

    return st.lists(st.booleans(), min_size=math.prod(shape), max_size=math.prod(shape)).map(make)
