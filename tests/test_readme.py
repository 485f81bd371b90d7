"""Every Python block of the README and the docs runs, in order, in one folder; the listing is the demo's, word for word."""

from __future__ import annotations

import inspect
import re
import textwrap
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ls_cli import listing

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=lambda page: page.name)
def test_the_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [(f"text number {i} about topic{i % 10}", f"label{i % 10}") for i in range(200)]
    pd.DataFrame(rows, columns=["text", "label"]).to_csv("data.csv", index=False)
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(page):
        exec(compile(block, str(page), "exec"), names)


def test_the_demo_trains_the_listing_as_it_stands() -> None:
    source = textwrap.dedent(inspect.getsource(listing.train).split("# fmt: off\n")[1].split("    # fmt: on")[0])
    assert source == blocks(ROOT / "README.md")[0]
