"""Clipping of gradients, without a wait for the device: norms stay 0-d arrays.

A gradient is an array or a RowGradient, whose rows outside count as 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ls_core.backend import get_xp
from ls_core.parameter import RowGradient
from ls_core.types import Array

Gradient = Any  # an array or a RowGradient


def square_sum(gradient: Gradient) -> Array:
    """The sum of the squares, a 0-d array; in float32 for float16."""
    flat = (gradient.values if isinstance(gradient, RowGradient) else gradient).reshape(-1)
    if flat.dtype.itemsize == 2:
        flat = flat.astype("float32")
    return get_xp(flat).dot(flat, flat)


def global_norm(gradients: Sequence[Gradient]) -> Array:
    """The length of all gradients taken as one vector, a 0-d array.

    >>> import numpy as np
    >>> float(global_norm([np.array([3.0]), np.array([[4.0]])]))
    5.0
    """
    total: Any = 0.0
    for gradient in gradients:
        total = total + square_sum(gradient)
    return get_xp(total).sqrt(total)


def norm_scale(norm: Array, limit: float) -> Array:
    """What brings a vector of length ``norm`` to ``limit`` at most: ``limit / max(norm, limit)``."""
    return limit / get_xp(norm).maximum(norm, limit)


def scale(gradient: Gradient, factor: Any) -> Gradient:
    """``gradient * factor``, in the gradient's dtype; a new gradient unless the factor is None."""
    if factor is None:
        return gradient
    if hasattr(factor, "dtype") and factor.dtype != gradient.dtype:
        factor = factor.astype(gradient.dtype)
    return gradient * factor


def clip_values(gradient: Gradient, limit: float) -> Gradient:
    """Every element brought between -limit and limit; a new gradient."""
    if isinstance(gradient, RowGradient):
        return RowGradient(gradient.rows, clip_values(gradient.values, limit), gradient.shape)
    return get_xp(gradient).clip(gradient, -limit, limit)


def clip_factors(gradients: Mapping[Any, Gradient], factor: float, clipnorm: float | None, global_clipnorm: float | None) -> dict[Any, Any]:
    """What to multiply each gradient by, under its key: ``factor``, and what its norm, or that of all, asks for; {}: nothing."""
    if global_clipnorm and gradients:
        norm = global_norm(list(gradients.values())) * factor
        return dict.fromkeys(gradients, norm_scale(norm, global_clipnorm) * factor)
    if clipnorm:
        squares = {key: square_sum(gradient) for key, gradient in gradients.items()}
        return {key: norm_scale(get_xp(square).sqrt(square) * factor, clipnorm) * factor for key, square in squares.items()}
    return {} if factor == 1.0 else dict.fromkeys(gradients, factor)


def clipped(gradient: Gradient, factor: Any, clipvalue: float | None) -> Gradient:
    """The gradient times ``factor``, its elements clipped: one pass for each, or none where nothing is to be done."""
    gradient = scale(gradient, factor)
    return clip_values(gradient, clipvalue) if clipvalue else gradient
