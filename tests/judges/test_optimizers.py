"""Every optimiser against Keras 3 in float64, over a dozen steps of random gradients."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

import ls_core
import ls_optim
from ls_core.constraints import MaxNorm

from . import keras_judge as _keras_judge  # noqa: F401  makes Keras compute in float64

pytestmark = pytest.mark.judges

BAR = 1e-11
SHAPES = {"embedding/kernel": (5, 3), "dense/kernel": (3, 6), "bias": (4,), "conv/filters": (2, 3, 4), "gain": ()}


def compare(
    name: str,
    arguments: dict[str, Any],
    steps: int = 13,
    missing: bool = False,
    constrained: bool = False,
    exclude: list[str] | None = None,
    finalize: bool = False,
) -> None:
    ls_core.set_floatx("float64")
    rng = np.random.default_rng(3)
    arguments = {k: v() if callable(v) and not isinstance(v, (str, float)) else v for k, v in arguments.items()}
    theirs = getattr(keras.optimizers, name)(**arguments)
    ours = getattr(ls_optim, name)(**theirs.get_config())
    start = {path: rng.normal(size=shape) for path, shape in SHAPES.items()}
    parameters, variables = [], []
    for path, value in start.items():
        parameter = ls_core.Parameter(value.copy(), name=path.rpartition("/")[2])
        parameter.path = path
        variable = keras.Variable(value.copy(), dtype="float64", name=path.rpartition("/")[2])
        variable._path = path
        if constrained and value.ndim == 2:
            parameter.constraint = MaxNorm(0.5)
            variable.constraint = keras.constraints.MaxNorm(0.5)
        parameters.append(parameter)
        variables.append(variable)
    if exclude:
        theirs.exclude_from_weight_decay(var_names=exclude)
        ours.exclude_from_weight_decay(var_names=exclude)
    theirs.build(variables)
    for step in range(steps):
        grads = [rng.normal(size=p.shape) * (10.0 if step % 3 == 0 else 0.3) for p in parameters]
        given = [None if missing and i == step % 3 else g for i, g in enumerate(grads)]
        for p, g in zip(parameters, given, strict=True):
            if g is not None:
                p.accumulate(g.copy() if g.ndim else np.array(g))
        theirs.apply([None if g is None else keras.ops.convert_to_tensor(g) for g in given], variables)
        ours.apply(parameters)
        for p, v in zip(parameters, variables, strict=True):
            wanted = keras.ops.convert_to_numpy(v)
            error = np.abs(p.value - wanted).max() / max(1.0, np.abs(wanted).max())
            assert error < BAR, f"{p.path} differs by {error:.2e} after step {step}"
        assert ours.iterations == int(theirs.iterations)
        assert abs(ours.learning_rate - float(theirs.learning_rate)) < 1e-12
    if finalize:
        theirs.finalize_variable_values(variables)
        ours.finalize_variable_values(parameters)
        for p, v in zip(parameters, variables, strict=True):
            np.testing.assert_allclose(p.value, keras.ops.convert_to_numpy(v), rtol=BAR, atol=BAR)


OWN: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {}),
    ("SGD", {"learning_rate": 0.1, "momentum": 0.9}),
    ("SGD", {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True}),
    ("RMSprop", {}),
    ("RMSprop", {"rho": 0.7, "epsilon": 1e-3}),
    ("RMSprop", {"momentum": 0.8}),
    ("RMSprop", {"centered": True, "epsilon": 1e-2}),
    ("RMSprop", {"centered": True, "momentum": 0.5, "epsilon": 1e-2}),
    ("Adam", {}),
    ("Adam", {"learning_rate": 0.05, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-2}),
    ("Adam", {"amsgrad": True, "beta_2": 0.9, "learning_rate": 0.1}),
    ("AdamW", {}),
    ("AdamW", {"weight_decay": 0.3, "learning_rate": 0.05, "amsgrad": True}),
    ("Adagrad", {}),
    ("Adagrad", {"learning_rate": 0.5, "initial_accumulator_value": 0.0, "epsilon": 1e-3}),
    ("Adadelta", {}),
    ("Adadelta", {"learning_rate": 1.0, "rho": 0.8, "epsilon": 1e-2}),
    ("Adamax", {}),
    ("Adamax", {"learning_rate": 0.1, "beta_1": 0.7, "beta_2": 0.8, "epsilon": 1e-2}),
    ("Nadam", {}),
    ("Nadam", {"learning_rate": 0.1, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-2}),
    ("Ftrl", {}),
    ("Ftrl", {"learning_rate": 0.5, "l1_regularization_strength": 0.5, "l2_regularization_strength": 0.1}),
    ("Ftrl", {"learning_rate": 0.1, "l2_shrinkage_regularization_strength": 0.3, "beta": 0.5}),
    ("Ftrl", {"learning_rate": 0.1, "learning_rate_power": -0.8, "initial_accumulator_value": 0.5}),
    ("Ftrl", {"learning_rate": 0.1, "learning_rate_power": 0.0}),
    ("Lion", {}),
    ("Lion", {"learning_rate": 0.1, "beta_1": 0.5, "beta_2": 0.8}),
    ("Lamb", {}),
    ("Lamb", {"learning_rate": 0.1, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3}),
    ("Adafactor", {}),
    ("Adafactor", {"learning_rate": 0.9, "beta_2_decay": -0.5, "clip_threshold": 0.7, "epsilon_2": 0.5}),
    ("Adafactor", {"learning_rate": 0.9, "relative_step": False, "epsilon_1": 1e-2}),
    ("Muon", {}),
    ("Muon", {"learning_rate": 0.1, "nesterov": False, "momentum": 0.8, "ns_steps": 3}),
    ("Muon", {"learning_rate": 0.1, "rms_rate": None, "exclude_embeddings": False, "adam_lr_ratio": 0.3}),
    ("Muon", {"learning_rate": 0.1, "exclude_layers": ["den"], "adam_weight_decay": None, "weight_decay": 0.2}),
    ("Muon", {"learning_rate": 0.1, "muon_a": 3.0, "muon_b": -3.2, "muon_c": 1.2, "adam_weight_decay": 0.1, "weight_decay": None}),
]
SHARED: list[dict[str, Any]] = [
    {"weight_decay": 0.1},
    {"clipnorm": 0.5},
    {"clipvalue": 0.2},
    {"global_clipnorm": 1.0},
    {"loss_scale_factor": 8.0},
    {"gradient_accumulation_steps": 3},
    {"gradient_accumulation_steps": 2, "global_clipnorm": 1.0, "weight_decay": 0.05, "loss_scale_factor": 2.0},
    {"use_ema": True, "ema_momentum": 0.8},
    {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 3},
    {"use_ema": True, "ema_momentum": 0.7, "ema_overwrite_frequency": 2, "gradient_accumulation_steps": 2},
    {"learning_rate": lambda: keras.optimizers.schedules.CosineDecay(0.1, 10, alpha=0.01)},
    {"learning_rate": lambda: keras.optimizers.schedules.ExponentialDecay(0.1, 4, 0.5), "gradient_accumulation_steps": 3},
]
NAMES = list(dict.fromkeys(name for name, _ in OWN))
SCHEDULES: list[tuple[str, dict[str, Any]]] = [
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 5, "decay_rate": 0.5, "staircase": True}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 4, "decay_rate": 0.5}),
    ("PiecewiseConstantDecay", {"boundaries": [3, 7], "values": [0.2, 0.1, 0.01]}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 5, "power": 2.0, "cycle": True}),
    ("CosineDecay", {"initial_learning_rate": 0.01, "decay_steps": 15, "warmup_target": 0.2, "warmup_steps": 4}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 3, "m_mul": 0.7}),
]


def label(value: Any) -> str:
    return (
        str(value) if isinstance(value, str) else ",".join(f"{k}={v if not callable(v) else '...'}" for k, v in value.items()) or "defaults"
    )


@pytest.mark.parametrize(("name", "arguments"), OWN, ids=label)
def test_own_arguments(name: str, arguments: dict[str, Any]) -> None:
    compare(name, arguments)


@pytest.mark.parametrize("shared", SHARED, ids=label)
@pytest.mark.parametrize("name", NAMES)
def test_shared_arguments(name: str, shared: dict[str, Any]) -> None:
    compare(name, shared, finalize="use_ema" in shared)


@pytest.mark.parametrize("shared", SHARED, ids=label)
@pytest.mark.parametrize(("name", "arguments"), [row for row in OWN if row[1]], ids=label)
def test_own_and_shared_arguments_together(name: str, arguments: dict[str, Any], shared: dict[str, Any]) -> None:
    compare(name, {**arguments, **shared}, finalize="use_ema" in shared)


@pytest.mark.parametrize(("schedule", "options"), SCHEDULES, ids=label)
@pytest.mark.parametrize("name", NAMES)
def test_schedules(name: str, schedule: str, options: dict[str, Any]) -> None:
    compare(name, {"learning_rate": lambda: getattr(keras.optimizers.schedules, schedule)(**options)})


@pytest.mark.parametrize("shared", [{}, {"clipnorm": 0.5}, {"use_ema": True, "ema_overwrite_frequency": 3}], ids=label)
@pytest.mark.parametrize(("name", "arguments"), OWN, ids=label)
def test_missing_gradients_constraints_and_exclusions(name: str, arguments: dict[str, Any], shared: dict[str, Any]) -> None:
    decay = {} if "weight_decay" in arguments else {"weight_decay": 0.1}
    compare(name, {**arguments, **decay, **shared}, missing=True, constrained=True, exclude=["bias", "gai"])
