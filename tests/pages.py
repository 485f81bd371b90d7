"""The Markdown pages: their blocks of Python, run in order in one folder and one namespace."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ls_core.kernel import KERNELS
from ls_core.registry import _registry

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
BLOCK = re.compile(r"```python\n(?P<code>.*?)```(?:\n+```text\n(?P<shown>.*?)```)?", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block of Python, and what the page shows right after it as its output (None: nothing)."""

    code: str
    shown: str | None


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path) -> list[Block]:
    return [Block(found["code"], found["shown"]) for found in BLOCK.finditer(text_of(page))]


def run(page: Path) -> Iterator[tuple[Block, str]]:
    """Run a page in the current folder; yields each block with what it printed.

    The folder gets a data.csv of 200 rows with the columns text and label. Classes that the page registers are forgotten.
    """
    rows = [(f"text number {i} about topic{i % 10}", f"label{i % 10}") for i in range(200)]
    pd.DataFrame(rows, columns=["text", "label"]).to_csv("data.csv", index=False)
    names: dict[str, Any] = {"__name__": "__main__"}
    try:
        for block in blocks(page):
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                exec(compile(block.code, name_of(page), "exec"), names)
            yield block, printed.getvalue()
    finally:
        forget_registered("__main__")


def forget_registered(module: str) -> None:
    """Take what ``module`` registered out of the registry and its kernels out of theirs: tests of all there are don't see them."""
    for name in [name for name in KERNELS if name.startswith(f"{module}.")]:
        del KERNELS[name]
    for known in _registry.values():
        for name, thing in list(known.items()):
            if module in (thing.__module__, getattr(getattr(thing, "forward", None), "__module__", None)):
                del known[name]


def words(text: str) -> list[str]:
    """Words with four digits of each long decimal number, and none of the likes of 6.6e-12: rounding differs between machines."""
    short = re.sub(r"\d\.\de[+-]\d+", "#", text)
    return re.sub(r"\d+\.\d{5,}", lambda number: f"{float(number[0]):.4g}", short).split()
