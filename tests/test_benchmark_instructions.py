"""--instructions: like is compared with like, and a library that is held back is named."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import instructions, report
from benchmarks.instructions import AVX2, HOLDS, environment, evenly, held
from ls_core.blas import kernel_name

ROOT = Path(__file__).parent.parent
X86 = platform.machine().lower() in ("x86_64", "amd64")


@pytest.fixture(autouse=True)
def nothing_held(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in HOLDS:
        monkeypatch.delenv(name, raising=False)


def overhead(tmp_path: Path, *more: str, **variables: str) -> tuple[str, dict[str, Any]]:
    """What a command in a process of its own prints and writes."""
    path = tmp_path / "figures.json"
    command = [sys.executable, "-m", "benchmarks.overhead", "--quick", "--threads", "1", "--json", str(path), *more]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in (0, 1), done.stderr  # 1: a figure was refused
    return done.stdout, json.loads(path.read_text(encoding="utf-8"))["machine"]


def test_one_library_held_back_is_unequal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert evenly()
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    assert held() == {"OPENBLAS_CORETYPE": "Haswell"}
    assert not evenly()
    for name, value in AVX2.items():
        monkeypatch.setenv(name, value)
    assert evenly()


def test_what_the_choices_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment(None) == {}
    assert environment("best") == dict.fromkeys(HOLDS)
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(ValueError, match="aarch64"):
        environment("avx2")


def test_another_processor_is_told_before_anything_is_measured(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(instructions.platform, "machine", lambda: "aarch64")
    with pytest.raises(SystemExit):
        report.parse(report.options_of("x"), ["--instructions", "avx2"])
    assert "--instructions avx2: this processor (aarch64) is of another kind" in capsys.readouterr().err


@pytest.mark.skipif(not X86, reason="x86 only")
def test_best_lifts_what_the_environment_holds(tmp_path: Path) -> None:
    out, found = overhead(tmp_path, OPENBLAS_CORETYPE="Nehalem")
    assert "unequal: OPENBLAS_CORETYPE=Nehalem holds some libraries back" in out
    assert found["held"] == {"OPENBLAS_CORETYPE": "Nehalem"}
    if kernel_name():
        assert found["blas"]["kernels"] == "Nehalem"
    out, best = overhead(tmp_path, "--instructions", "best", OPENBLAS_CORETYPE="Nehalem")
    assert "unequal" not in out
    assert best["held"] == {}
    if kernel_name():
        assert best["blas"]["kernels"] != "Nehalem"


@pytest.mark.skipif(not X86, reason="x86 only")
def test_avx2_holds_all(tmp_path: Path) -> None:
    out, found = overhead(tmp_path, "--instructions", "avx2")
    assert "unequal" not in out
    assert found["held"].items() >= AVX2.items()
    if kernel_name():
        assert found["blas"]["kernels"] == "Haswell"
    code = "import numpy._core._multiarray_umath as m; print([f for f, on in m.__cpu_features__.items() if on and f.startswith('AVX512')])"
    disabled = {name: value for name, value in environment("avx2").items() if name.startswith("NPY") and value}
    if disabled:  # this processor has AVX-512, and NumPy kernels for it
        done = subprocess.run([sys.executable, "-c", code], env={**os.environ, **disabled}, capture_output=True, text=True, check=True)
        names = set(done.stdout.strip("[]\n").replace("'", "").split(", "))
        assert not names & set(np._core._multiarray_umath.__cpu_dispatch__)  # type: ignore[attr-defined]
