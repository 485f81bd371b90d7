"""Every layer keeps the contract: the table of cases against the battery of ls_core.testing.contract."""

from __future__ import annotations

import pytest

import ls_layers
from ls_core.gradcheck.case import Case
from ls_core.layer import Layer
from ls_core.testing.contract import CHECKS
from ls_core.testing.contract_ownership import check_gradients
from ls_core.testing.contract_values import compare_backends
from ls_core.testing.trial import Trial
from ls_layers.cases import TABLE

LAYERS = {
    name: thing
    for name, thing in vars(ls_layers).items()
    if isinstance(thing, type) and issubclass(thing, Layer) and thing.__module__.startswith("ls_layers")
}


@pytest.mark.parametrize("case", TABLE, ids=[case.name for case in TABLE])
@pytest.mark.parametrize("check", CHECKS)
def test_contract(check: str, case: Case) -> None:
    if check not in case.skip:
        CHECKS[check](case)


@pytest.mark.gpu
@pytest.mark.parametrize("case", TABLE, ids=[case.name for case in TABLE])
def test_on_a_gpu(case: Case) -> None:
    if Trial(case).numeric and "gradients_on_standin" not in case.skip:
        check_gradients(case, "cupy")
    if Trial(case).numeric and "on_standin" not in case.skip:
        compare_backends(case, "cupy")


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_every_layer_has_a_row_and_an_independent_forward(name: str) -> None:
    rows = [case for case in TABLE if type(case.make()) is LAYERS[name]]
    assert rows, f"{name} has no row in ls_layers/cases"
    assert any(case.expected for case in rows), f"no row of {name} has an independent forward (expected=...)"


def test_names_are_unique() -> None:
    names = [case.name for case in TABLE]
    assert len(names) == len(set(names))


def test_skips_name_checks() -> None:
    for case in TABLE:
        assert set(case.skip) <= {*CHECKS, "no_waits"}, case.name
