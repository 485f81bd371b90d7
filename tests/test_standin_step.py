"""The parts of a training step run on a device without making the host wait (rule 7): losses, activations, optimisers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import ls_core
import ls_layers
import ls_optim
from ls_core import Parameter, RowGradient
from ls_core.gradcheck.loss_cases import LOSS_CASES, LossCase
from ls_core.registry import known_names, lookup
from ls_core.testing.standin import StandInArray, host_syncs
from ls_optim.optimizer import Optimizer

from .tolerances import assert_close

OPTIMIZERS = sorted(
    name for name, thing in vars(ls_optim).items() if isinstance(thing, type) and issubclass(thing, Optimizer) and thing is not Optimizer
)
ACTIVATIONS = sorted(known_names("activation")) if ls_layers else []


def device(x: Any) -> Any:
    return ls_core.to_device(x, "standin")


@pytest.mark.parametrize("case", LOSS_CASES, ids=[case.name for case in LOSS_CASES])
def test_losses(case: LossCase) -> None:
    given = case.inputs(np.random.default_rng(0))
    placed = [device(a) for a in given]
    with host_syncs() as waits:
        value, gradient = case.make().value_and_grad(*placed)
    assert waits == []
    assert isinstance(value, StandInArray)
    wanted, wanted_gradient = case.make().value_and_grad(*given)
    assert_close(value, wanted)
    assert_close(gradient, wanted_gradient)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name: str) -> None:
    activation, x = lookup("activation", name), np.random.default_rng(0).normal(size=(3, 4))
    placed = device(x)
    with host_syncs() as waits:
        y, saved = activation.forward(placed)
        dx = activation.backward(y, saved)
    assert waits == []
    wanted, saved = activation.forward(x)
    assert_close(y, wanted)
    assert_close(dx, activation.backward(wanted, saved))


@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name: str, rows: bool) -> None:
    def steps(backend: str) -> Any:
        g = np.random.default_rng(0)
        p = Parameter(ls_core.to_device(g.normal(size=(5, 3)), backend))
        optimizer = getattr(ls_optim, name)()
        for _ in range(3):
            dense = g.normal(size=(5, 3))
            ids = ls_core.to_device(np.array([3, 1]), backend)
            p.drop_grad()
            p.accumulate(RowGradient(ids, ls_core.to_device(dense[:2], backend), (5, 3)) if rows else ls_core.to_device(dense, backend))
            optimizer.apply([p])
        return p.value

    with host_syncs() as waits:
        value = steps("standin")
    assert waits == []
    assert_close(value, steps("numpy"))
