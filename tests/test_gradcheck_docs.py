"""docs/gradcheck.md says what is true: its example runs, its mutants are those there are, and none survived."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ls_core.gradcheck.mutants import MUTANTS
from ls_core.gradcheck.table import write_tables
from ls_core.testing.contract import CHECKS
from ls_layers.cases import TABLE

PAGE = Path(__file__).parent.parent / "docs" / "gradcheck.md"


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    code, printed = re.search(r"```python\n(.*?)```\s*```text\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL).groups()  # type: ignore[union-attr]
    exec(code, {"__name__": "example"})

    def words(text: str) -> list[str]:  # digits of rounding errors differ between machines
        return re.sub(r"\d\.\de[+-]\d+", "#", text).split()

    assert words(capsys.readouterr().out) == words(printed)


def test_the_tables_are_of_today() -> None:
    page = PAGE.read_text(encoding="utf-8")
    matrix = page.split("<!-- kill matrix -->")[1].split("<!-- end of kill matrix -->")[0]
    for mutant in MUTANTS:
        assert f"| {mutant.name} | {mutant.mistake} |" in matrix, f"write the page anew: {mutant.name} is missing"
    caught, wrong = map(int, re.search(r"Caught (\d+) of (\d+) wrong gradients", matrix).groups())  # type: ignore[union-attr]
    assert caught == wrong > 1000
    wanted = {type(case.make()).__name__ for case in TABLE if case.differentiable and "gradients" not in case.skip}
    rows = matrix.split("| mutant |")[0]
    assert {line.split("|")[1].strip() for line in rows.strip().splitlines()[2:]} == wanted, "write the page anew, see write_tables"
    table = page.split("<!-- table -->")[1].split("<!-- end of table -->")[0]
    assert set(re.findall(r"^\| layer (\w+) \|", table, re.MULTILINE)) == wanted, "write the page anew, see write_tables"
    assert len(CHECKS) >= 20


def test_write_tables(tmp_path: Path) -> None:
    copy = tmp_path / "page.md"
    copy.write_text(
        "a\n<!-- kill matrix -->stale text<!-- end of kill matrix -->\nb\n<!-- table -->\n<!-- end of table -->\nc\n", encoding="utf-8"
    )
    write_tables(copy, ["Flatten"])
    text = copy.read_text(encoding="utf-8")
    assert "stale text" not in text
    assert "| Flatten | 3/3 |" in text
    assert "| layer Flatten | 3 |" in text
    assert text.endswith("c\n")
    again = text
    write_tables(copy, ["Flatten"])
    assert copy.read_text(encoding="utf-8") == again
