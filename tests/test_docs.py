"""The pages say what is true: links lead somewhere, quoted code stands in its file, derivations end with numbers and a check."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from .pages import DOCS, PAGES, ROOT, blocks, name_of, text_of

DERIVATIONS = sorted((DOCS / "derivations").glob("*.md"))
CHECKS = ("check_layer(", "check_activation(", "check_loss(", "check_function(")


def anchors(page: Path) -> set[str]:
    """What GitHub makes of the headings."""
    heads = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text_of(page), flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", [ROOT / "CONTRIBUTING.md", *PAGES], ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```|`[^`\n]*`|!\[[^]]*\]\([^)]*\)", "", text_of(page), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?://", target):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{page.name} links to {target}, which is not there"
        if anchor:
            assert anchor in anchors(found), f"{page.name} links to {target}: {found.name} has no such heading"


def test_the_index_leads_to_every_page() -> None:
    linked = {(DOCS / target).resolve() for target in re.findall(r"\]\(([^)#\s]+)", text_of(DOCS / "index.md"))}
    missing = [name_of(page) for page in sorted(DOCS.rglob("*.md")) if page not in linked and page.name != "index.md"]
    assert not missing, f"docs/index.md leads to every page; give it a line for {', '.join(missing)}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_that_are_named_are_there(page: Path) -> None:
    for name in re.findall(r"`((?:ls_core|ls_layers|ls_optim|ls_cli|tests|examples|docs|benchmarks)/[\w/.-]*)`", text_of(page)):
        assert (ROOT / name).exists(), f"{page.name} names {name}"


def found_in(quote: str, source: str) -> bool:
    """Whether the quote's lines stand in the source, in one piece, whatever their indentation."""
    wanted, lines = textwrap.dedent(quote).rstrip().splitlines(), source.splitlines()
    pieces = (lines[i : i + len(wanted)] for i, line in enumerate(lines) if line.strip() == wanted[0].strip())
    return any(textwrap.dedent("\n".join(piece)).splitlines() == wanted for piece in pieces)


def test_a_quote_is_found_whatever_its_indentation() -> None:
    source = "class A:\n    def f(self):\n        return 1\n\n        # end\n"
    assert found_in("def f(self):\n    return 1\n", source)
    assert found_in("def f(self):\n    return 1\n\n    # end", source)
    assert not found_in("def f(self):\n    return 2\n", source)
    assert not found_in("def f(self):\nreturn 1\n", source)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_quoted_code_stands_in_its_file(page: Path) -> None:
    text = text_of(page)
    quotes = re.findall(r"<!-- from ([\w/.]+) -->\n```py\n(.*?)```", text, re.DOTALL)
    assert len(quotes) == text.count("```py\n"), "a block that is quoted and not run begins with <!-- from FILE -->"
    for path, quote in quotes:
        for part in re.split(r"^ *\.\.\.\n", quote, flags=re.MULTILINE):  # a line ... stands for lines left out
            assert found_in(part, text_of(ROOT / path)), f"{page.name} quotes what {path} does not say:\n{part}"


@pytest.mark.parametrize("page", DERIVATIONS, ids=name_of)
def test_a_derivation_ends_with_numbers_and_a_check(page: Path) -> None:
    assert any("assert " in block.code for block in blocks(page))
    assert any(check in block.code for block in blocks(page) for check in CHECKS)
