"""Initialisers of Parameters: drawn in NumPy, then moved, so every backend starts from the same weights.

Names, arguments, defaults and formulas are those of Keras 3 (``keras.initializers``). For a kernel of shape
(..., I, O) the fans are ``fan_in = I r`` and ``fan_out = O r``, r the product of the axes before (the receptive field).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .backend import floatx
from .random import Stream, random_stream
from .registry import Configurable, register, register_module


class Initializer(Configurable):
    """Called with a shape it returns a NumPy array; a subclass writes ``draw(shape, generator)``.

    With ``seed`` the numbers depend on the seed alone; without, they come from ``stream``.
    """

    registry_kind = "initializer"
    seed: int | None = None

    def draw(self, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
        """float64 numbers of ``shape``."""
        raise NotImplementedError

    def __call__(self, shape: Any, dtype: Any = None, stream: Stream | None = None) -> np.ndarray:
        if self.seed is not None:
            generator = np.random.default_rng(self.seed)
        else:
            generator = (stream or random_stream("initializer")).generator
        return self.draw(tuple(shape), generator).astype(dtype or floatx())


class Zeros(Initializer):
    """All 0."""

    def draw(self, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
        return np.zeros(shape)


class Ones(Initializer):
    """All 1."""

    def draw(self, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
        return np.ones(shape)


class Constant(Initializer):
    """All ``value`` (a number, or an array of the shape)."""

    def __init__(self, value: Any = 0.0) -> None:
        self.value = value

    def draw(self, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
        return np.broadcast_to(np.asarray(self.value, dtype=np.float64), shape).copy()


class RandomNormal(Initializer):
    """Normal with ``mean`` and ``stddev``."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        self.mean, self.stddev, self.seed = mean, stddev, seed

    def draw(self, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
        return generator.normal(self.mean, self.stddev, shape)


class RandomUniform(Initializer):
    """Uniform in [``minval``, ``maxval``)."""

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        self.minval, self.maxval, self.seed = minval, maxval, seed

    def draw(self, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
        return generator.uniform(self.minval, self.maxval, shape)


def _truncated(shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    """Standard normal numbers, those beyond 2 drawn again."""
    values = generator.standard_normal(shape)
    far = np.abs(values) > 2
    while far.any():
        values[far] = generator.standard_normal(int(far.sum()))
        far = np.abs(values) > 2
    return values


class TruncatedNormal(Initializer):
    """Normal, redrawn beyond two ``stddev`` from ``mean``."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        self.mean, self.stddev, self.seed = mean, stddev, seed

    def draw(self, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
        return self.mean + self.stddev * _truncated(shape, generator)


def compute_fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """(fan_in, fan_out) of a kernel.

    >>> compute_fans((3, 3, 16, 32))
    (144, 288)
    """
    if len(shape) < 2:
        size = math.prod(shape) if shape else 1
        return size, size
    field = math.prod(shape[:-2])
    return shape[-2] * field, shape[-1] * field


class VarianceScaling(Initializer):
    """Variance ``scale / n``, n the fan that ``mode`` names: 'fan_in', 'fan_out' or 'fan_avg'.

    ``distribution``: 'truncated_normal' (corrected so that the variance holds after truncation),
    'untruncated_normal' or 'uniform' (limit sqrt(3 scale / n)).
    """

    def __init__(self, scale: float = 1.0, mode: str = "fan_in", distribution: str = "truncated_normal", seed: int | None = None) -> None:
        if scale <= 0:
            raise ValueError(f"VarianceScaling: scale is a positive number, not {scale}")
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError(f"VarianceScaling: mode is 'fan_in', 'fan_out' or 'fan_avg', not {mode!r}")
        if distribution not in ("normal", "truncated_normal", "untruncated_normal", "uniform"):
            raise ValueError(f"VarianceScaling: no distribution {distribution!r}")
        self.scale, self.mode, self.distribution, self.seed = scale, mode, distribution, seed

    def draw(self, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
        fan_in, fan_out = compute_fans(shape)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, n)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return generator.uniform(-limit, limit, shape)
        if self.distribution == "untruncated_normal":
            return generator.normal(0.0, math.sqrt(variance), shape)
        return _truncated(shape, generator) * (math.sqrt(variance) / 0.87962566103423978)


class _Seeded(VarianceScaling):
    settings: tuple[float, str, str]

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(*self.settings, seed=seed)


class GlorotUniform(_Seeded):
    """Uniform within sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010, eq. 16)."""

    settings = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Seeded):
    """Truncated normal of variance 2 / (fan_in + fan_out) (Glorot and Bengio 2010, eq. 12)."""

    settings = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_Seeded):
    """Uniform within sqrt(6 / fan_in) (He et al. 2015, section 2.2)."""

    settings = (2.0, "fan_in", "uniform")


class HeNormal(_Seeded):
    """Truncated normal of variance 2 / fan_in (He et al. 2015, eq. 10)."""

    settings = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_Seeded):
    """Uniform within sqrt(3 / fan_in) (LeCun et al. 1998, section 4.6)."""

    settings = (1.0, "fan_in", "uniform")


class LecunNormal(_Seeded):
    """Truncated normal of variance 1 / fan_in (LeCun et al. 1998, section 4.6)."""

    settings = (1.0, "fan_in", "truncated_normal")


class Orthogonal(Initializer):
    """``gain`` times a matrix with orthonormal rows or columns; axes before the last count as rows (Saxe et al. 2013)."""

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        self.gain, self.seed = gain, seed

    def draw(self, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
        if len(shape) < 2:
            raise ValueError(f"Orthogonal: the array needs two axes or more, not shape {shape}")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(generator.standard_normal((max(rows, columns), min(rows, columns))))
        q = q * np.sign(np.diag(r))  # makes the distribution uniform over orthogonal matrices
        return self.gain * (q if rows >= columns else q.T).reshape(shape)


class Identity(Initializer):
    """``gain`` times the identity matrix; two axes only."""

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def draw(self, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
        if len(shape) != 2:
            raise ValueError(f"Identity: the array needs two axes, not shape {shape}")
        return self.gain * np.eye(*shape)


# Windows as sums of cosines: w_n = a_0 - a_1 cos(2 pi n / N) + a_2 cos(4 pi n / N)
_WINDOWS = {"boxcar": (1.0,), "hann": (0.5, 0.5), "hamming": (0.54, 0.46), "blackman": (0.42, 0.5, 0.08)}


class STFT(Initializer):
    """Kernels (T, 1, F) of a short-time Fourier transform: ``w_t cos(2 pi t f / n)`` or ``-w_t sin(2 pi t f / n)``, n = 2 (F - 1).

    ``side``: 'real' or 'imag'. ``window``: 'hann', 'hamming', 'blackman', 'boxcar', T numbers, or None. ``scaling`` divides a window
    by sqrt(sum w^2) ('density') or sum |w| ('spectrum'). ``periodic``: the window has period T instead of T - 1.
    """

    def __init__(self, side: str = "real", window: Any = "hann", scaling: str | None = "density", periodic: bool = False) -> None:
        if side not in ("real", "imag"):
            raise ValueError(f"STFT: side is 'real' or 'imag', not {side!r}")
        if scaling not in ("density", "spectrum", None):
            raise ValueError(f"STFT: scaling is 'density', 'spectrum' or None, not {scaling!r}")
        if isinstance(window, str) and window not in _WINDOWS:
            raise ValueError(f"STFT: window is one of {', '.join(_WINDOWS)}, an array or None, not {window!r}")
        self.side, self.window, self.scaling, self.periodic = side, window, scaling, periodic

    def draw(self, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
        if len(shape) != 3 or shape[1] != 1 or shape[2] < 2:
            raise ValueError(f"STFT: the kernel's shape is (frame length, 1, frequencies), not {shape}")
        length, _, frequencies = shape
        angle = np.outer(np.arange(length), np.arange(frequencies)) * (math.pi / (frequencies - 1))  # (T, F)
        kernel = np.cos(angle) if self.side == "real" else -np.sin(angle)
        if self.window is not None:
            w = self._window(length)  # (T,)
            divisor = {"density": math.sqrt((w * w).sum()), "spectrum": np.abs(w).sum(), None: 1.0}[self.scaling]
            kernel *= w[:, None] / divisor
        return kernel[:, None, :]

    def _window(self, length: int) -> np.ndarray:
        if not isinstance(self.window, str):
            w = np.asarray(self.window, dtype=np.float64)
            if w.shape != (length,):
                raise ValueError(f"STFT: the window has shape {w.shape}, the kernel wants {length} numbers")
            return w
        if length == 1:
            return np.ones(1)
        turn = 2 * math.pi * np.arange(length) / (length if self.periodic else length - 1)
        return np.asarray(sum((-1) ** k * a * np.cos(k * turn) for k, a in enumerate(_WINDOWS[self.window])))


register_module("initializer", dict(globals()), Initializer)
register("initializer", "normal", RandomNormal)
register("initializer", "uniform", RandomUniform)
register("initializer", "OrthogonalInitializer", Orthogonal)
register("initializer", "IdentityInitializer", Identity)
register("initializer", "STFTInitializer", STFT)

# Keras' other names
zeros, ones, constant, identity, orthogonal, stft = Zeros, Ones, Constant, Identity, Orthogonal, STFT
random_normal, random_uniform, truncated_normal, variance_scaling = RandomNormal, RandomUniform, TruncatedNormal, VarianceScaling
glorot_normal, glorot_uniform, he_normal, he_uniform = GlorotNormal, GlorotUniform, HeNormal, HeUniform
lecun_normal, lecun_uniform = LecunNormal, LecunUniform
OrthogonalInitializer, IdentityInitializer, STFTInitializer = Orthogonal, Identity, STFT
