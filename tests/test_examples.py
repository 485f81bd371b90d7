"""Every example runs and learns; what each must reach is far from what chance or a constant reaches."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from .pages import ROOT, forget_registered

LEARNED: dict[str, tuple[list[str], Callable[[Any], bool]]] = {
    "text_classification": (["--data", "data.csv", "--epochs", "6"], lambda accuracy: accuracy > 0.9),  # ten labels
    "digits": (["--epochs", "4"], lambda accuracy: accuracy > 0.9),  # ten digits, or three shapes
    "digits of shapes": (["--epochs", "2", "--shapes"], lambda accuracy: accuracy > 0.95),
    "sequence_lstm": (["--length", "12", "--epochs", "4"], lambda error: error < 0.01),  # a constant: 0.16
    "several_inputs": (["--epochs", "5"], lambda found: found[0] > 0.95 and found[1] < 0.1),  # chance: 0.25; a constant: 2.5
    "custom_layer": (["--epochs", "20"], lambda accuracy: accuracy > 0.97),  # two rings
    "transformer_copy": (["--length", "5", "--epochs", "3"], lambda right: right > 0.95),  # chance: 1e-5
}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Calls an example's ``main`` in an empty folder but for a data.csv."""
    monkeypatch.chdir(tmp_path)
    rows = [(f"text number {i} about topic{i % 10}", f"label{i % 10}") for i in range(400)]
    pd.DataFrame(rows, columns=["text", "label"]).to_csv("data.csv", index=False)

    def run(name: str, arguments: list[str]) -> Any:
        spec = importlib.util.spec_from_file_location("an_example", ROOT / "examples" / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.main(arguments)

    yield run
    forget_registered("an_example")


def test_every_example_is_tested() -> None:
    assert {path.stem for path in (ROOT / "examples").glob("*.py")} == {case.split()[0] for case in LEARNED}


@pytest.mark.slow
@pytest.mark.parametrize("case", LEARNED)
def test_it_learns(case: str, run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, learned = LEARNED[case]
    found = run(case.split()[0], arguments)
    assert learned(found), f"{case} reached {found}"
    assert capsys.readouterr().out
