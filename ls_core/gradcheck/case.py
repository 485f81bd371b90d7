"""Case: one row of the table of layers, from which the battery of tests is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..layer import Layer


@dataclass(frozen=True)
class Case:
    """How to make a layer and inputs for it, and what its forward must give.

    Parameters
    ----------
    name : str
        The layer's class name, then what this row is about: ``'Conv1D causal dilated'``.
    make : callable
        Returns a new, unbuilt layer.
    inputs : callable
        ``inputs(generator)`` returns the tuple of NumPy arrays (float64, or integers); away from kinks, small
        enough that every element can be checked.
    options : dict
        Keyword arguments of forward (mask, initial_state ...).
    training : bool
        Whether forward runs in training mode.
    expected : callable, optional
        An independent forward: ``expected(layer, *inputs, **options)`` returns y, written another way than the
        layer (plain loops, worked numbers). At least one row of each layer has it.
    differentiable : bool
        False for layers whose inputs or output carry no gradient (lookups, vectorisation).
    same_alone : bool
        Whether a batch gives what its rows give one by one; False where statistics cross the batch.
    dead : tuple of str
        Parameters whose gradient is zero by mathematics (the key's bias in attention, a bias before a normalisation).
    skip : tuple of str
        Checks of the contract (``ls_core.testing.contract``) that do not apply; notes must say why.
    notes : str
        Why a check does not apply, where one does not.
    """

    name: str
    make: Callable[[], Layer]
    inputs: Callable[[np.random.Generator], tuple[Any, ...]]
    options: dict[str, Any] = field(default_factory=dict)
    training: bool = False
    expected: Callable[..., Any] | None = None
    differentiable: bool = True
    same_alone: bool = True
    notes: str = ""
    dead: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.skip and not self.notes:
            raise ValueError(f"case {self.name!r} skips {', '.join(self.skip)}: its notes must say why")
