"""What a backend may do for all Parameters at once, before they are joined (flat.py) or met one by one. The references do no such thing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ls_core.kernel import kernel
from ls_core.parameter import Parameter
from ls_core.types import Array

from .clipping import Gradient, clip_factors

if TYPE_CHECKING:
    from .optimizer import Optimizer


@kernel
def update_together(
    value: Array, optimizer: Optimizer, work: dict[Parameter, Gradient], factor: float, rate: float
) -> dict[Parameter, Any]:
    """Update Parameters whose value is like ``value`` by their gradients times ``factor``, clipped, and take them out of ``work``.

    -> what to multiply the gradients of those that are left by: norms are taken of all that came.
    """
    return clip_factors(work, factor, optimizer.clipnorm, optimizer.global_clipnorm)


@kernel
def move_averages(value: Array, averages: list[Array], values: list[Array], share: float) -> None:
    """Move each average by a share of the way to its value; the first of the values comes alone too."""
    for average, each in zip(averages, values, strict=True):
        average += (each - average) * share


__all__ = ["move_averages", "update_together"]
