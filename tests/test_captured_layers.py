"""Every loss and every row of the table of layer cases is captured on the stand-in device, with the bits that it has uncaptured."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import ls_core
from ls_core.cuda.graph import Step, _no_copies_from_the_host, _stream
from ls_core.gradcheck.loss_cases import LOSS_CASES
from ls_core.gradcheck.subject import leaves
from ls_core.random import KeyedDraws, drawing_by_keys, get_random_state, set_random_state
from ls_core.testing.cuda_emulator import compiler, cuda_kernels
from ls_core.testing.standin import STANDIN, draws_by_key
from ls_core.testing.trial import Trial
from ls_core.tracking import stateful_layers
from ls_layers.cases import TABLE

ROWS = [case for case in TABLE if case.differentiable]
# What keeps a row from being captured, by the beginning of its name; docs/cuda.md tells of them.
REFUSED = {
    "RandomCrop in": "draws on the host",
    "RandomCrop at": "draws on the host",
}


@pytest.fixture(autouse=True)
def _device() -> Iterator[None]:
    with draws_by_key(), cuda_kernels() if compiler() is not None else contextlib.nullcontext():
        yield


@pytest.mark.parametrize("case", LOSS_CASES, ids=[case.name for case in LOSS_CASES])
def test_losses(case: Any) -> None:
    placed = [
        ls_core.to_device(np.asarray(a, "float32") if a.dtype.kind == "f" else a, "standin") for a in case.inputs(np.random.default_rng(0))
    ]
    loss, step, stream = case.make(), Step(STANDIN.xp), _stream(STANDIN.xp.cuda)
    with step._beside():
        made = list(loss.value_and_grad(*placed))
    wanted = bits(made)
    with step._beside(), _no_copies_from_the_host(STANDIN.xp):
        stream.begin_capture()
        try:
            found = list(loss.value_and_grad(*placed))
        finally:
            graph = stream.end_capture()
    graph.launch()
    assert bits(found) == wanted


class Row:
    """One row, run from the same start."""

    def __init__(self, case: Any) -> None:
        self.trial = Trial(case, "float32", backend="standin")
        self.layer = self.trial.layer
        self.values = [(p, p.value, p.value.copy()) for p in self.layer.parameters()]
        self.states = [(layer, layer.states) for layer in stateful_layers(self.layer)]
        self.random = get_random_state()
        y, _ = self.layer.forward(*self.trial.inputs, training=True, **self.trial.options)
        self.dy = self.trial.cotangent(y)

    def rewind(self) -> None:
        set_random_state(self.random)
        for parameter, array, value in self.values:
            array[...] = value
            parameter.value = array
        for layer, states in self.states:
            layer.states = states

    def run(self) -> list[Any]:
        y, cache = self.layer.forward(*self.trial.inputs, training=True, **self.trial.options)
        dx = self.layer.backward(self.dy, cache)
        return [each for each in (*leaves(y), *leaves(dx), *self.trial.take_grads()) if each is not None]


def bits(arrays: list[Any]) -> list[bytes]:
    return [ls_core.to_host(array).tobytes() for array in arrays]


def captured(row: Row) -> tuple[Any, list[Any], KeyedDraws, Step]:
    step = Step(STANDIN.xp)
    with step._beside(), drawing_by_keys(step._draws):
        row.run()
    row.rewind()
    draws, stream = KeyedDraws(STANDIN.xp.zeros(len(step._draws.draws), dtype="int64")), _stream(STANDIN.xp.cuda)
    with step._beside(), drawing_by_keys(draws), _no_copies_from_the_host(STANDIN.xp):
        stream.begin_capture()
        try:
            found = row.run()
        finally:
            graph = stream.end_capture()
    return graph, found, draws, step


@pytest.mark.parametrize("case", ROWS, ids=[case.name for case in ROWS])
def test_rows(case: Any) -> None:
    row = Row(case)
    if not row.trial.numeric:
        return
    row.rewind()
    wanted = [bits(row.run()), bits(row.run())]
    random, values = get_random_state(), bits([p.value for p in row.layer.parameters()])
    row.rewind()
    refused = next((why for name, why in REFUSED.items() if case.name.startswith(name)), None)
    if compiler() is None and "Embedding" in case.name:
        refused = "current stream is capturing"  # the references' sum of an Embedding's gradient; there is a kernel for it
    if refused is not None:
        with pytest.raises(RuntimeError, match=refused):
            captured(row)
        return
    graph, found, draws, _step = captured(row)  # which has the memory
    launched = []
    for _ in wanted:
        draws.fill()
        graph.launch()
        launched.append(bits(found))
    assert launched == wanted
    assert get_random_state() == random
    assert bits([p.value for p in row.layer.parameters()]) == values
