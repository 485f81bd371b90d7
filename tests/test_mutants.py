"""Every classic wrong backward is caught, in every layer; and the table and the kill matrix print."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np
import pytest

from ls_core.gradcheck import Case, table
from ls_core.gradcheck.kill_matrix import KillMatrix, kill_matrix
from ls_core.gradcheck.loss_cases import LOSS_CASES, LossCase
from ls_core.gradcheck.mutants import MUTANTS
from ls_core.losses import Loss
from ls_core.parameter import Parameter
from ls_core.registry import _registry, known_names
from ls_core.testing import standin
from ls_layers import Dense
from ls_layers.cases import TABLE

assert standin.STANDIN

CHECKED = [case for case in TABLE if case.differentiable and "gradients" not in case.skip]


@pytest.mark.slow
@pytest.mark.parametrize("case", CHECKED, ids=[case.name for case in CHECKED])
def test_every_mutant_is_caught(case: Case) -> None:
    accumulate = Parameter.accumulate
    matrix = kill_matrix([case])
    assert matrix.kills
    assert not matrix.survivors, [(kill.mutant, kill.variant) for kill in matrix.survivors]
    assert Parameter.accumulate is accumulate


def test_each_mutant_is_wrong_somewhere() -> None:
    """None of them is equivalent everywhere: each is a mistake that some layer shows."""
    wanted = {"Dense tanh, three axes", "Dropout", "LSTM sequences, states, mask", "SimpleRNN sequences, mask", "Multiply"}
    matrix = kill_matrix([case for case in CHECKED if case.name in wanted])
    assert matrix.mutants
    assert {m.name for m in MUTANTS} == {m.name for m in MUTANTS if matrix.count(m.name, "caught")}
    assert len(MUTANTS) >= 8


DENSE = Case("Dense", lambda: Dense(3, activation="tanh"), lambda g: (g.normal(size=(4, 3)),))


def test_matrix_prints() -> None:
    matrix = kill_matrix([DENSE], mutants=["1 % off", "weight not transposed", "mask not applied"])
    text, markdown = matrix.as_text(), matrix.as_markdown()
    assert "Dense" in text
    assert "3/3" in text
    assert "caught 4 of 4 wrong gradients" in text
    assert "| Dense | 3/3 |" in markdown
    assert "| weight not transposed | dx = dy W instead of dy W^T" in markdown
    assert matrix.cell("mask not applied", "Dense") == "="
    assert matrix.cell("mask not applied", "Conv1D") == ""
    assert KillMatrix().summary == "caught 0 of 0 wrong gradients"


def test_a_blind_checker_is_found_out() -> None:
    """With a checker that lets everything pass the mutants survive: the matrix measures the checker."""
    with mock.patch("ls_core.gradcheck.kill_matrix.run_check"):
        matrix = kill_matrix([DENSE], mutants=["1 % off"])
    assert len(matrix.survivors) == 3
    assert matrix.cell("1 % off", "Dense") == "0/3"
    assert "caught 0 of 3" in matrix.summary


# --- the table -----------------------------------------------------------------------------------


def test_table() -> None:
    found = table.gradcheck_table(["Dense", "tanh", "MeanSquaredError"])
    assert [(line.kind, line.name) for line in found.lines] == [("layer", "Dense"), ("loss", "MeanSquaredError"), ("activation", "tanh")]
    assert not found.failures
    for line in found.lines:
        for backend in ("numpy", "standin"):
            assert line.worst(backend, "central") < 1e-7
            assert line.worst(backend, "complex") < 1e-12
    text = found.as_text()
    assert "layer Dense" in text
    assert "3 of 3 pass" in text
    assert found.as_markdown().startswith("| what | cases | numpy: central |")


def test_table_of_everything_on_numpy() -> None:
    found = table.gradcheck_table(backends=("numpy",))
    assert not found.failures, found.as_text()
    names = {line.name for line in found.lines}
    assert names >= set(known_names("activation"))


def test_every_loss_has_a_row() -> None:
    classes = {thing.__name__ for thing in _registry["loss"].values() if thing is not Loss and thing.__module__.startswith("ls_core")}
    assert classes == {type(case.make()).__name__ for case in LOSS_CASES}


@pytest.mark.parametrize("case", LOSS_CASES, ids=[case.name for case in LOSS_CASES])
@pytest.mark.parametrize("backend", ["numpy", "standin"])
@pytest.mark.parametrize("seed", range(3))
def test_losses(case: LossCase, backend: str, seed: int) -> None:
    assert table.check_loss_row(case, backend, seed).rows


@pytest.mark.parametrize("name", sorted(known_names("activation")))
@pytest.mark.parametrize("seed", range(3))
def test_activations(name: str, seed: int) -> None:
    assert table.check_activation_row(name, seed=seed).rows


def test_main(capsys: pytest.CaptureFixture[str]) -> None:
    assert table.main(["Dense"], mutants=True, backends=("numpy",)) == 0
    printed = capsys.readouterr().out
    assert "1 of 1 pass" in printed
    assert "sign flipped" in printed
    assert table.main(["Dens"]) == 2
    assert "no gradient check is called Dens; there are" in capsys.readouterr().out


def wrong(change: Callable[[Any], Any]) -> Any:
    """Dense with a spoilt backward, in every case of it."""
    plain = Dense.backward

    def backward(self: Any, dy: Any, cache: Any, input_gradient: bool = True) -> Any:
        return change(plain(self, dy, cache, input_gradient))

    return mock.patch.object(Dense, "backward", backward)


def test_a_wrong_layer_fails_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    with wrong(lambda dx: dx * 1.01):
        assert table.main(["Dense", "tanh"], backends=("numpy",)) == 1
    printed = capsys.readouterr().out
    assert "FAILED layer Dense: Dense 'dense': the gradient of input is wrong" in printed
    assert "1 of 2 pass" in printed

    def broken(dx: Any) -> Any:
        raise RuntimeError("broken")

    with wrong(broken):
        assert "RuntimeError on numpy: broken" in table.gradcheck_table(["Dense"], backends=("numpy",)).as_text()


def test_a_missing_backend(capsys: pytest.CaptureFixture[str]) -> None:
    assert table.main(["tanh"], backends=("nowhere",)) == 2
    assert "there is no backend 'nowhere'" in capsys.readouterr().out


def test_nan_is_no_small_error() -> None:
    assert np.isnan(table.Line("layer", "X").worst("numpy", "central"))
