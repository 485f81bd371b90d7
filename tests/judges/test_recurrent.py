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

from .keras_judge import BAR, compare_layer, relative_error

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


def compare(
    theirs: Any, ours: Any, x: np.ndarray, rng: np.random.Generator, mask: Any = None, states: Any = None, training: bool = False
) -> None:
    """Outputs, last states and every gradient."""
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
    expected = list(flat(theirs(xt, training=training, **call)))
    y, cache = ours.forward(x, training=training, **options)
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


@pytest.mark.parametrize(("kind", "extra"), KINDS)
@pytest.mark.parametrize(("dropout", "recurrent_dropout"), [(0.4, 0.0), (0.0, 0.4), (0.4, 0.3)])
@pytest.mark.parametrize("masked", [False, True])
def test_dropout_with_our_masks(
    kind: str, extra: dict[str, Any], dropout: float, recurrent_dropout: float, masked: bool, rng: np.random.Generator
) -> None:
    """Keras takes the masks that we draw, so that every number can be compared."""
    rates = {"dropout": dropout, "recurrent_dropout": recurrent_dropout}
    theirs, ours = pair(kind, {"units": 3, "return_sequences": True, **rates, **extra}, (4, 5, 2), rng)
    x = rng.normal(size=(4, 5, 2))
    with ls_core.random.same_random_numbers():
        drawn = ours.cell.draw_masks(x[:, 0], np.zeros((4, 3)))
    by_gate = kind != "SimpleRNN" and recurrent_dropout > 0
    for name, masks in zip(("_dropout_mask", "_recurrent_dropout_mask"), drawn, strict=True):
        tensors = [torch.tensor(m) for m in masks]
        assert len(tensors) in (0, {"LSTM": 4, "GRU": 3}[kind] if by_gate else 1)
        setattr(theirs.cell, name, tensors if by_gate else tensors[0] if tensors else None)
    if by_gate and not dropout:
        theirs.cell._dropout_mask = None
    compare(theirs, ours, x, rng, MASK if masked else None, training=True)


@pytest.mark.parametrize(("kind", "extra"), KINDS)
def test_unrolled(kind: str, extra: dict[str, Any], rng: np.random.Generator) -> None:
    theirs, ours = pair(kind, {"units": 3, "unroll": True, "return_sequences": True, **extra}, (4, 5, 2), rng)
    compare(theirs, ours, rng.normal(size=(4, 5, 2)), rng, MASK)


CELLS = [
    ["LSTMCell", "GRUCell"],
    ["GRUCell", "SimpleRNNCell", "LSTMCell"],
    ["SimpleRNNCell"],
]


@pytest.mark.parametrize("kinds", CELLS, ids="+".join)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("with_states", [False, True])
@pytest.mark.parametrize(("return_sequences", "return_state", "go_backwards"), SWITCHES)
def test_stacked_cells(
    kinds: list[str],
    masked: bool,
    with_states: bool,
    return_sequences: bool,
    return_state: bool,
    go_backwards: bool,
    rng: np.random.Generator,
) -> None:
    switches = {"return_sequences": return_sequences, "return_state": return_state, "go_backwards": go_backwards}
    cells = [getattr(keras.layers, kind)(units=2 + i) for i, kind in enumerate(kinds)]
    theirs, ours = pair("RNN", {"cell": keras.layers.StackedRNNCells(cells), **switches}, (4, 5, 3), rng)
    states = None
    if with_states:
        states = [[rng.normal(size=(4, 2 + i)) for _ in range(2 if kind == "LSTMCell" else 1)] for i, kind in enumerate(kinds)]
        if len(kinds) == 1:  # Keras takes a lone cell's states without their list
            states = states[0]
    compare(theirs, ours, rng.normal(size=(4, 5, 3)), rng, MASK if masked else None, states)


@pytest.mark.parametrize("merge_mode", ["concat", "sum", "mul", "ave", None])
@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU"])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("with_states", [False, True])
@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.parametrize("return_state", [False, True])
def test_bidirectional(
    merge_mode: str | None,
    kind: str,
    masked: bool,
    with_states: bool,
    return_sequences: bool,
    return_state: bool,
    rng: np.random.Generator,
) -> None:
    layer = getattr(keras.layers, kind)(units=3, return_sequences=return_sequences, return_state=return_state)
    theirs, ours = pair("Bidirectional", {"layer": layer, "merge_mode": merge_mode}, (4, 5, 2), rng)
    states = random_states(kind, rng) + random_states(kind, rng) if with_states else None
    compare(theirs, ours, rng.normal(size=(4, 5, 2)), rng, MASK if masked else None, states)


@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU"])
@pytest.mark.parametrize("other", ["SimpleRNN", "LSTM", "GRU"])
@pytest.mark.parametrize("merge_mode", ["concat", None])
def test_bidirectional_of_two_layers(kind: str, other: str, merge_mode: str | None, rng: np.random.Generator) -> None:
    layers = {
        "layer": getattr(keras.layers, kind)(units=3, return_sequences=True),
        "backward_layer": getattr(keras.layers, other)(units=2, return_sequences=True, go_backwards=True),
    }
    theirs, ours = pair("Bidirectional", {**layers, "merge_mode": merge_mode}, (4, 5, 2), rng)
    compare(theirs, ours, rng.normal(size=(4, 5, 2)), rng, MASK)


WRAPPED: list[tuple[Any, tuple[int, ...]]] = [
    (lambda: keras.layers.Dense(3, activation="tanh"), (4, 5, 2)),
    (lambda: keras.layers.Dense(3, activation="softmax", use_bias=False), (2, 3, 4, 2)),
    (lambda: keras.layers.LSTM(3), (2, 3, 4, 2)),
    (lambda: keras.layers.GRU(3, return_sequences=True), (2, 3, 4, 2)),
    (lambda: keras.layers.Conv1D(3, 2), (2, 3, 5, 2)),
    (lambda: keras.layers.Flatten(), (2, 3, 4, 2)),
    (lambda: keras.layers.BatchNormalization(), (4, 3, 2)),
    (lambda: keras.layers.LayerNormalization(), (4, 3, 2)),
]


@pytest.mark.parametrize(("make", "shape"), WRAPPED)
@pytest.mark.parametrize("training", [False, True])
def test_time_distributed(make: Any, shape: tuple[int, ...], training: bool, rng: np.random.Generator) -> None:
    arguments = {"layer": make()}
    compare_layer(ls_layers.TimeDistributed, keras.layers.TimeDistributed, arguments, (rng.normal(size=shape),), training=training)


def test_time_distributed_moving_statistics(rng: np.random.Generator) -> None:
    theirs, ours = pair("TimeDistributed", {"layer": keras.layers.BatchNormalization()}, (4, 3, 2), rng)
    theirs.set_weights([np.abs(w) for w in theirs.get_weights()])
    ours.set_weights(theirs.get_weights())
    x = rng.normal(size=(4, 3, 2))
    theirs(torch.tensor(x), training=True)
    ours(x, training=True)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert relative_error(a, b) < BAR


def test_time_distributed_mask(rng: np.random.Generator) -> None:
    theirs, ours = pair("TimeDistributed", {"layer": keras.layers.LSTM(3)}, (4, 5, 3, 2), rng)
    x, mask = rng.normal(size=(4, 5, 3, 2)), rng.random((4, 5, 3)) > 0.4
    compare(theirs, ours, x, rng, mask)
