"""A labelled text corpus that every machine with Python has: the standard library's own docstrings."""

from __future__ import annotations

import ast
import sysconfig
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

LABELS = 10
WORDS = 4  # shorter docstrings say too little


def docstrings(folder: Path | None = None) -> Iterator[tuple[str, str]]:
    """(docstring, package) of every module, class and function of the standard library; each text once.

    The source files are parsed, never imported or run.
    """
    folder = folder or Path(sysconfig.get_paths()["stdlib"])
    seen: set[str] = set()
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).parts
        if parts[0].startswith(("_", ".")) or {"site-packages", "dist-packages", "test", "tests", "idle_test"} & set(parts):
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # old escape sequences in the library's own files
                tree = ast.parse(path.read_text(encoding="utf-8", errors="replace"))
        except (SyntaxError, OSError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                text = ast.get_docstring(node)
                if text and len(text.split()) >= WORDS and text not in seen:
                    seen.add(text)
                    yield " ".join(text.split()), parts[0].removesuffix(".py")


def collect(seed: int, labels: int = LABELS) -> tuple[list[str], list[str]]:
    """Texts and labels of the ``labels`` packages with the most docstrings, in an order shuffled by ``seed``.

    Raises
    ------
    RuntimeError
        This Python comes without the source files of its library.
    """
    rows = list(docstrings())
    counts = Counter(label for _, label in rows)
    chosen = {label for label, count in counts.most_common(labels) if count >= 20}
    if len(chosen) < labels:
        raise RuntimeError("this Python comes without the sources of its standard library, so there is nothing to build data.csv from")
    rows = [row for row in rows if row[1] in chosen]
    order = np.random.default_rng(seed).permutation(len(rows))
    return [rows[i][0] for i in order], [rows[i][1] for i in order]
