"""Schedules against Keras 3, and against PyTorch where Keras has none."""

from __future__ import annotations

import warnings
from typing import Any

import keras
import pytest
import torch

from ls_optim import schedules

from . import keras_judge as _keras_judge  # noqa: F401  makes Keras compute in float64

pytestmark = pytest.mark.judges

ROWS: list[tuple[str, dict[str, Any]]] = [
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.5}),
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.5, "staircase": True}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.5}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 2.0, "staircase": True}),
    ("PiecewiseConstantDecay", {"boundaries": [5, 11, 20], "values": [1.0, 0.5, 0.1, 0.01]}),
    ("PiecewiseConstantDecay", {"boundaries": [9], "values": [1.0, 0.5]}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 20}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 20, "end_learning_rate": 0.03, "power": 2.5}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 9, "power": 0.5, "cycle": True}),
    ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 20}),
    ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 20, "alpha": 0.2}),
    ("CosineDecay", {"initial_learning_rate": 0.01, "decay_steps": 20, "warmup_target": 0.5, "warmup_steps": 6}),
    ("CosineDecay", {"initial_learning_rate": 0.0, "decay_steps": 15, "alpha": 0.1, "warmup_target": 0.5, "warmup_steps": 10}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 5}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 4, "t_mul": 1.5, "m_mul": 0.8, "alpha": 0.1}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 6, "t_mul": 1.0, "m_mul": 0.5}),
]


@pytest.mark.parametrize(("name", "arguments"), ROWS, ids=str)
def test_against_keras(name: str, arguments: dict[str, Any]) -> None:
    theirs = getattr(keras.optimizers.schedules, name)(**arguments)
    ours = getattr(schedules, name)(**theirs.get_config())
    for step in range(40):
        assert abs(ours(step) - float(theirs(step))) < 1e-12, step
    assert ours.get_config() == theirs.get_config()


@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize(("steps", "start"), [(10, 0.3), (37, 0.3), (20, 0.5)])
def test_one_cycle(strategy: str, steps: int, start: float) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.4, total_steps=steps, pct_start=start, anneal_strategy=strategy)
    ours = schedules.OneCycle(0.4, steps, pct_start=start, anneal_strategy=strategy)
    for step in range(steps):
        assert abs(ours(step) - theirs.get_last_lr()[0]) < 1e-14, step
        if step < steps - 1:
            optimizer.step()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                theirs.step()
