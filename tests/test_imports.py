"""Imports run one way, few files know CuPy, and importing the core is quick."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Each package, and those of LS that it may import.
BELOW = {
    "ls_core": set(),
    "ls_layers": {"ls_core"},
    "ls_optim": {"ls_core"},
    "ls_models": {"ls_core", "ls_layers", "ls_optim"},
    "ls_code": {"ls_core", "ls_layers", "ls_optim", "ls_models"},
    "ls_cli": {"ls_core", "ls_layers", "ls_optim", "ls_models", "ls_code"},
}
FILES = [path for package in BELOW for path in sorted((ROOT / package).rglob("*.py"))]


def imported(path: Path) -> set[str]:
    """The top-level packages that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found


def at_import(path: Path) -> set[str]:
    """The same, without those inside functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            node.body = [] if isinstance(node.body, list) else ast.Constant(None)  # type: ignore[assignment]
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_direction(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    upward = imported(path) & set(BELOW) - BELOW[package] - {package}
    assert not upward, f"{path.relative_to(ROOT)} imports {', '.join(upward)}, which stands above it"
    assert not imported(path) & {"tests", "benchmarks", "examples"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_who_knows_what(path: Path) -> None:
    place = path.relative_to(ROOT).as_posix()
    if not (place == "ls_core/backend.py" or "/accelerated/" in place):
        assert not imported(path) & {"cupy", "cupyx"}, f"{place} imports cupy; only ls_core/backend.py and accelerated/ may"
    if not place.startswith("ls_core/testing/"):
        assert not imported(path) & {"pytest", "hypothesis"}, f"{place} imports a test library; only ls_core/testing/ may"
    if "/accelerated/" not in place:
        assert "numba" not in imported(path), f"{place} imports numba; only accelerated/ may"
    heavy = at_import(path) & {"pandas", "safetensors", "tqdm", "matplotlib", "numba"}
    assert not heavy or "/accelerated/" in place, f"{place} imports {', '.join(heavy)} when it is imported; load it where it is used"
    assert not imported(path) & {"pickle", "torch", "tensorflow", "keras", "jax"}


def fresh(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60, check=True)
    return done.stdout.strip()


def test_the_core_is_light() -> None:
    loaded = fresh("import sys, ls_core; print(*sorted({m.split('.')[0] for m in sys.modules}))").split()
    assert not {"pandas", "safetensors", "tqdm", "cupy", "pytest", "hypothesis", "ls_layers", "ls_optim", "scipy"} & set(loaded)


def test_the_core_imports_quickly() -> None:
    """Less than half a second, NumPy included; in processor time, since machines are busy."""
    code = "import time; t = time.process_time(); import ls_core; print(time.process_time() - t)"
    assert min(float(fresh(code)) for _ in range(3)) < 0.5
