"""Schedules: worked numbers, their ends, and their configurations."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ls_core.registry import deserialize, known_names, serialize
from ls_optim import schedules
from ls_optim.schedules import (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    LearningRateSchedule,
    LinearWarmup,
    Noam,
    OneCycle,
    PiecewiseConstantDecay,
    PolynomialDecay,
    WarmupStableDecay,
)

ALL: list[LearningRateSchedule] = [
    CosineDecay(0.1, 10, 0.1, warmup_target=0.5, warmup_steps=3),
    CosineDecayRestarts(0.1, 3, t_mul=1.5, m_mul=0.5),
    ExponentialDecay(0.1, 5, 0.5, staircase=True),
    InverseTimeDecay(0.1, 5, 0.5),
    LinearWarmup(CosineDecay(0.1, 10), 4, start=0.01),
    Noam(512, 100),
    OneCycle(0.5, 20),
    PiecewiseConstantDecay([3, 7], [0.1, 0.01, 0.001]),
    PolynomialDecay(0.1, 8, power=2.0, cycle=True),
    WarmupStableDecay(0.1, 3, 5, 4, decay="sqrt"),
]


@pytest.mark.parametrize("schedule", ALL, ids=lambda s: type(s).__name__)
def test_configuration_and_type(schedule: LearningRateSchedule) -> None:
    again = deserialize("schedule", serialize(schedule))
    values = [schedule(step) for step in range(30)]
    assert [again(step) for step in range(30)] == values
    assert {type(v) for v in values} == {float}
    assert all(math.isfinite(v) and v >= 0 for v in values)


def test_every_schedule_is_here_and_registered() -> None:
    names = {name for name, thing in vars(schedules).items() if isinstance(thing, type)} - {"LearningRateSchedule"}
    assert {type(s).__name__ for s in ALL} == names
    assert names <= set(known_names("schedule"))


WORKED: list[tuple[LearningRateSchedule, dict[int, float]]] = [
    (ExponentialDecay(1.0, 10, 0.5), {0: 1.0, 5: 0.5**0.5, 10: 0.5, 30: 0.125}),
    (ExponentialDecay(1.0, 10, 0.5, staircase=True), {9: 1.0, 10: 0.5, 19: 0.5}),
    (InverseTimeDecay(1.0, 10, 1.0, staircase=True), {9: 1.0, 10: 0.5, 20: 1 / 3}),
    (PolynomialDecay(1.0, 10, 0.2, power=2.0), {0: 1.0, 5: 0.8 * 0.25 + 0.2, 10: 0.2, 99: 0.2}),
    (PolynomialDecay(1.0, 10, 0.0, cycle=True), {10: 0.0, 11: 1 - 11 / 20, 20: 0.0, 21: 1 - 21 / 30}),
    (CosineDecay(1.0, 10, alpha=0.2), {0: 1.0, 5: 0.6, 10: 0.2, 50: 0.2}),
    (CosineDecayRestarts(1.0, 10, t_mul=2.0, m_mul=0.5), {0: 1.0, 5: 0.5, 10: 0.5, 20: 0.25, 30: 0.25}),
    (LinearWarmup(ExponentialDecay(1.0, 1, 0.5), 4), {0: 0.0, 2: 0.5, 4: 1.0, 5: 0.5, 6: 0.25}),
    (OneCycle(1.0, 10, anneal_strategy="linear"), {0: 1 / 25, 1: 0.52, 2: 1.0, 9: 1 / 250000, 99: 1 / 250000}),
    (Noam(64, 16), {0: 1 / 8 / 64, 15: 1 / 32, 63: 1 / 64}),
    (WarmupStableDecay(1.0, 4, 2, 4, 0.2), {0: 0.0, 2: 0.5, 4: 1.0, 6: 1.0, 8: 0.6, 10: 0.2, 99: 0.2}),
    (WarmupStableDecay(1.0, 0, 0, 4, decay="sqrt"), {0: 1.0, 1: 0.5, 4: 0.0}),
    (WarmupStableDecay(1.0, 0, 0, 4, decay="cosine"), {0: 1.0, 2: 0.5, 4: 0.0}),
]


@pytest.mark.parametrize(("schedule", "points"), WORKED, ids=lambda x: type(x).__name__)
def test_worked_numbers(schedule: LearningRateSchedule, points: dict[int, float]) -> None:
    assert {step: schedule(step) for step in points} == pytest.approx(points, abs=1e-15)


def test_wrong_arguments() -> None:
    wrong: list[tuple[Any, dict[str, Any], str]] = [
        (
            ExponentialDecay,
            {"initial_learning_rate": 0.1, "decay_steps": 0, "decay_rate": 0.5},
            "ExponentialDecay: decay_steps is greater than 0",
        ),
        (PiecewiseConstantDecay, {"boundaries": [1, 2], "values": [1.0, 0.5]}, "2 values for the boundaries"),
        (PiecewiseConstantDecay, {"boundaries": [2, 1], "values": [1.0, 0.5, 0.1]}, "boundaries increase"),
        (OneCycle, {"max_learning_rate": 1.0, "total_steps": 5, "pct_start": 2.0}, "pct_start lies between"),
        (OneCycle, {"max_learning_rate": 1.0, "total_steps": 5, "anneal_strategy": "exp"}, "anneal_strategy is"),
        (
            WarmupStableDecay,
            {"learning_rate": 1.0, "warmup_steps": 1, "stable_steps": 1, "decay_steps": 1, "decay": "x"},
            "decay is 'linear'",
        ),
    ]
    for cls, arguments, message in wrong:
        with pytest.raises(ValueError, match=message):
            cls(**arguments)
