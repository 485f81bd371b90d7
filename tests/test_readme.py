"""Every Python block of the README and the docs runs, in order, in one folder; the listing is the demo's, word for word."""

from __future__ import annotations

import inspect
import textwrap
from pathlib import Path

import pytest

from ls_cli import listing

from .pages import PAGES, ROOT, blocks, name_of, run, words


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=name_of)
def test_the_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for block, printed in run(page):
        if block.shown is not None:
            assert words(printed) == words(block.shown)


def test_the_demo_trains_the_listing_as_it_stands() -> None:
    source = textwrap.dedent(inspect.getsource(listing.train).split("# fmt: off\n")[1].split("    # fmt: on")[0])
    assert source == blocks(ROOT / "README.md")[0].code
