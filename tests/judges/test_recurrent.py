"""The recurrent layers against Keras 3."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
import torch

import ls_core
import ls_layers

from .keras_judge import BAR, relative_error

pytestmark = pytest.mark.judges

MASK = np.array([[False, True, True, False, True], [True, True, False, True, False], [True, True, True, True, True], [False] * 5])


def flat(value: Any) -> Iterator[Any]:
    for each in value if isinstance(value, (list, tuple)) else [value]:
        if isinstance(each, (list, tuple)):
            yield from flat(each)
        else:
            yield each


def pair(kind: str, arguments: dict[str, Any], shape: tuple[int, ...], rng: np.random.Generator) -> tuple[Any, Any]:
    """A Keras layer with random weights, and ours, made from its configuration."""
    ls_core.set_floatx("float64")
    theirs = getattr(keras.layers, kind)(**arguments)
    return theirs, ours_from(theirs, shape, rng)


def ours_from(theirs: Any, shape: tuple[int, ...], rng: np.random.Generator) -> Any:
    theirs.build(shape)
    theirs.set_weights([w + 0.2 * rng.normal(size=w.shape) for w in theirs.get_weights()])
    ours = getattr(ls_layers, type(theirs).__name__)(**theirs.get_config())
    ours.ensure_built(shape)
    ours.set_weights(theirs.get_weights())
    return ours


def compare(theirs: Any, ours: Any, x: np.ndarray, rng: np.random.Generator, mask: Any = None, states: Any = None) -> None:
    """Outputs, last states and every gradient; a second call after the first where the layer is stateful."""
    for variable in theirs.trainable_weights:
        variable.value.grad = None
    for parameter in ours.parameters():
        parameter.drop_grad()
    xt = torch.tensor(x, requires_grad=True)
    call: dict[str, Any] = {}
    options: dict[str, Any] = {}
    leaves: list[Any] = []
    if mask is not None:
        call["mask"], options["mask"] = torch.tensor(mask), mask
    if states is not None:

        def tensors(value: Any) -> Any:
            if isinstance(value, list):
                return [tensors(v) for v in value]
            leaves.append(torch.tensor(value, requires_grad=True))
            return leaves[-1]

        call["initial_state"], options["initial_state"] = tensors(states), states
    expected = list(flat(theirs(xt, **call)))
    y, cache = ours.forward(x, **options)
    got = list(flat(y))
    assert len(got) == len(expected)
    for i, (a, b) in enumerate(zip(got, expected, strict=True)):
        error = relative_error(a, b.detach().numpy())
        assert error < BAR, f"output {i} differs by {error:.2e}"
    cotangents = [rng.normal(size=tuple(b.shape)) for b in expected]
    sum((b * torch.tensor(c)).sum() for b, c in zip(expected, cotangents, strict=True)).backward()
    dx = ours.backward(cotangents[0] if len(got) == 1 and not isinstance(y, tuple) else tuple(cotangents), cache)
    for i, (a, t) in enumerate(zip(flat(dx), [xt, *leaves], strict=True)):
        error = relative_error(a, np.zeros(t.shape) if t.grad is None else t.grad.numpy())
        assert error < BAR, f"gradient of input {i} differs by {error:.2e}"
    trainable = ours.trainable_parameters()
    assert len(trainable) == len(theirs.trainable_weights)
    for p, w in zip(trainable, theirs.trainable_weights, strict=True):
        error = relative_error(p.grad, w.value.grad.numpy())
        assert error < BAR, f"gradient of {p.name} differs by {error:.2e}"


SWITCHES = list(itertools.product([False, True], repeat=3))
KINDS: list[tuple[str, dict[str, Any]]] = [
    ("SimpleRNN", {}),
    ("SimpleRNN", {"activation": "sigmoid"}),
    ("SimpleRNN", {"use_bias": False}),
    ("LSTM", {}),
    ("LSTM", {"use_bias": False}),
    ("LSTM", {"activation": "sigmoid", "recurrent_activation": "tanh", "unit_forget_bias": False}),
    ("GRU", {}),
    ("GRU", {"use_bias": False}),
    ("GRU", {"reset_after": False}),
    ("GRU", {"reset_after": False, "use_bias": False}),
    ("GRU", {"activation": "sigmoid", "recurrent_activation": "tanh"}),
]


def random_states(kind: str, rng: np.random.Generator) -> list[np.ndarray]:
    return [rng.normal(size=(4, 3)) for _ in range(2 if "LSTM" in kind else 1)]


@pytest.mark.parametrize(("kind", "extra"), KINDS)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("with_states", [False, True])
@pytest.mark.parametrize(("return_sequences", "return_state", "go_backwards"), SWITCHES)
def test_layer(
    kind: str,
    extra: dict[str, Any],
    masked: bool,
    with_states: bool,
    return_sequences: bool,
    return_state: bool,
    go_backwards: bool,
    rng: np.random.Generator,
) -> None:
    switches = {"return_sequences": return_sequences, "return_state": return_state, "go_backwards": go_backwards}
    theirs, ours = pair(kind, {"units": 3, **extra, **switches}, (4, 5, 2), rng)
    states = random_states(kind, rng) if with_states else None
    compare(theirs, ours, rng.normal(size=(4, 5, 2)), rng, MASK if masked else None, states)


@pytest.mark.parametrize(("kind", "extra"), KINDS)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("return_sequences", "return_state", "go_backwards"), SWITCHES)
def test_rnn_over_the_cell(
    kind: str, extra: dict[str, Any], masked: bool, return_sequences: bool, return_state: bool, go_backwards: bool, rng: np.random.Generator
) -> None:
    switches = {"return_sequences": return_sequences, "return_state": return_state, "go_backwards": go_backwards}
    cell = getattr(keras.layers, kind + "Cell")(units=3, **extra)
    theirs, ours = pair("RNN", {"cell": cell, **switches}, (4, 5, 2), rng)
    compare(theirs, ours, rng.normal(size=(4, 5, 2)), rng, MASK if masked else None, random_states(kind, rng))


@pytest.mark.parametrize(("kind", "extra"), KINDS)
@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.parametrize("general", [False, True])
def test_zero_output_for_mask(kind: str, extra: dict[str, Any], return_sequences: bool, general: bool, rng: np.random.Generator) -> None:
    arguments: dict[str, Any] = {"return_sequences": return_sequences, "zero_output_for_mask": True}
    if general:
        cell = getattr(keras.layers, kind + "Cell")(units=3, **extra)
        theirs, ours = pair("RNN", {"cell": cell, **arguments}, (4, 5, 2), rng)
    else:
        theirs, ours = pair(kind, {"units": 3, **extra, **arguments}, (4, 5, 2), rng)
    compare(theirs, ours, rng.normal(size=(4, 5, 2)), rng, MASK, random_states(kind, rng))


@pytest.mark.parametrize(("kind", "extra"), KINDS)
@pytest.mark.parametrize("masked", [False, True])
def test_stateful_over_three_batches(kind: str, extra: dict[str, Any], masked: bool, rng: np.random.Generator) -> None:
    """Outputs against a stateful layer; gradients against one that is given the states, as Keras on PyTorch can't do the former."""
    theirs, ours = pair(kind, {"units": 3, "stateful": True, "return_sequences": True, **extra}, (4, 5, 2), rng)
    given = getattr(keras.layers, kind)(units=3, return_sequences=True, return_state=True, **extra)
    given.build((4, 5, 2))
    given.set_weights(theirs.get_weights())
    states = None
    mask = MASK if masked else None
    call = {} if mask is None else {"mask": torch.tensor(mask)}
    for batch in range(4):
        x = rng.normal(size=(4, 5, 2))
        if batch == 3:
            theirs.reset_state()
            ours.reset_state()
            states = None
        with torch.no_grad():
            outputs = theirs(torch.tensor(x), **call)
            last = [s.clone() for s in given(torch.tensor(x), initial_state=states, **call)[1:]]
        y, cache = ours.forward(x, mask=mask)
        assert relative_error(y, outputs.numpy()) < BAR
        for a, b in zip(ours.states, last, strict=True):
            assert relative_error(a.value, b.numpy()) < BAR
        xt, cotangent = torch.tensor(x, requires_grad=True), rng.normal(size=y.shape)
        for variable, parameter in zip(given.trainable_weights, ours.parameters(), strict=True):
            variable.value.grad = None
            parameter.drop_grad()
        (given(xt, initial_state=states, **call)[0] * torch.tensor(cotangent)).sum().backward()
        assert relative_error(ours.backward(cotangent, cache), xt.grad.numpy()) < BAR
        for variable, parameter in zip(given.trainable_weights, ours.parameters(), strict=True):
            assert relative_error(parameter.grad, variable.value.grad.numpy()) < BAR
        states = last
