"""What stands under one of Keras' names takes Keras' arguments, in Keras' order, with Keras' defaults."""

from __future__ import annotations

import inspect
from typing import Any

import keras
import pytest

import ls_core
import ls_optim
from ls_core import callbacks, losses, metrics
from ls_optim import schedules

from . import keras_judge as _keras_judge  # noqa: F401  chooses Keras' backend

pytestmark = pytest.mark.judges

PAIRS = [
    (callbacks, keras.callbacks),
    (losses, keras.losses),
    (metrics, keras.metrics),
    (ls_optim, keras.optimizers),
    (schedules, keras.optimizers.schedules),
]
BASES = ("CallbackList", "Loss", "Metric", "Optimizer", "LearningRateSchedule")  # what one's own class derives from
LEFT_OUT = {
    "ProgbarLogger",
    "RemoteMonitor",
    "OrbaxCheckpoint",
    "OptimizerMap",
    "LossScaleOptimizer",
    "ScheduleFreeAdamW",
    "MultiOptimizer",
}


def classes(module: Any) -> set[str]:
    return {name for name, thing in vars(module).items() if inspect.isclass(thing) and not name.startswith("_")}


def arguments(function: Any) -> dict[str, Any]:
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {p.name: p.default for p in inspect.signature(function).parameters.values() if p.kind not in kinds}


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=[ours.__name__ for ours, _ in PAIRS])
def test_classes(ours: Any, theirs: Any) -> None:
    assert classes(theirs) - classes(ours) <= LEFT_OUT
    for name in classes(theirs) & classes(ours) - set(BASES):
        wanted, found = arguments(getattr(theirs, name)), arguments(getattr(ours, name))
        assert list(found)[: len(wanted)] == list(wanted), name
        assert {key: found[key] for key in wanted} == wanted, name


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict", "train_on_batch", "test_on_batch", "predict_on_batch"])
def test_methods(method: str) -> None:
    wanted, found = arguments(getattr(keras.Model, method)), arguments(getattr(ls_core.Model, method))
    assert list(found)[: len(wanted)] == list(wanted)
    assert {key: found[key] for key in wanted} == wanted


def test_compile() -> None:
    wanted, found = arguments(keras.Model.compile), arguments(ls_core.Model.compile)
    shared = [name for name in wanted if name in found]
    assert [name for name in found if name in wanted] == shared
    assert set(wanted) - set(found) == {"run_eagerly", "steps_per_execution", "auto_scale_loss"}  # taken, without effect
    assert {name: found[name] for name in shared} == {name: wanted[name] for name in shared}
