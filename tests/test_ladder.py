"""Every rung of the ladders gives what the reference gives, and the page about them says what each does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import report
from benchmarks.figure import host_arrays
from benchmarks.ladder import main
from benchmarks.ladder.run import LADDERS, markdown, truth_of
from benchmarks.ladder.rungs import Ladder, Rung, row_blocks
from ls_core.backend import to_device, use_backend
from ls_core.testing.tolerances import assert_close
from ls_core.threads import set_thread_count, thread_count

ROOT = Path(__file__).parent.parent
RUNGS = [(ladder, rung) for ladder in LADDERS for rung in ladder.rungs if not rung.device]
ON_A_GPU = [(ladder, rung) for ladder in LADDERS for rung in ladder.rungs if rung.device]


def names(pairs: list[tuple[Ladder, Rung]]) -> list[str]:
    return [f"{ladder.title}-{rung.name}" for ladder, rung in pairs]


@pytest.mark.parametrize(("ladder", "rung"), RUNGS, ids=names(RUNGS))
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_rung_gives_what_the_reference_gives(
    ladder: Ladder, rung: Rung, threads: int, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.ladder.rungs.ELEMENTS", 8)  # so that tiny arrays are cut into blocks, and shared by threads
    before = thread_count()
    set_thread_count(threads)
    try:
        for size in ("tiny",) if rung.slow else ("tiny", "small"):
            truth, _ = truth_of(ladder, size)
            given = ladder.numbers(size, dtype)
            kept = [a.copy() if isinstance(a, np.ndarray) else a for a in given]
            for got, wanted in zip(host_arrays(rung.run(*rung.given(*given))), truth, strict=True):
                assert got.dtype == dtype
                assert_close(got, wanted, dtype)
            for a, b in zip(given, kept, strict=True):
                np.testing.assert_array_equal(a, b)
    finally:
        set_thread_count(before)


@pytest.mark.gpu
@pytest.mark.parametrize(("ladder", "rung"), ON_A_GPU, ids=names(ON_A_GPU))
def test_a_rung_on_a_gpu(ladder: Ladder, rung: Rung) -> None:
    truth, _ = truth_of(ladder, "small")
    with use_backend("cupy"):
        given = [to_device(a) if isinstance(a, np.ndarray) else a for a in ladder.numbers("small")]
    for got, wanted in zip(host_arrays(rung.run(*rung.given(*given))), truth, strict=True):
        assert_close(got, wanted, "float32")


@pytest.mark.parametrize("ladder", LADDERS, ids=[ladder.title for ladder in LADDERS])
def test_what_a_ladder_says(ladder: Ladder) -> None:
    page = (ROOT / "docs" / "ladder.md").read_text(encoding="utf-8")
    assert [r.name for r in ladder.rungs if r.slow] == ["loops"]
    assert {"loops", "vectorised", "blocked", "in place", "threads", "LS reference", "LS", "CUDA"} <= {r.name for r in ladder.rungs}
    for rung in ladder.rungs:
        assert (ROOT / rung.source).is_file(), rung.source
        sentences = [s for s in rung.text.replace(": ", ". ").split(". ") if s]
        assert len(sentences) >= 2, rung.text
        if rung.name != "LS":  # what that is depends on the machine
            assert f"- **{rung.name}.** {rung.text}" in page, "run python -m benchmarks.ladder --write docs/ladder.md"


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ladder.json"
    status = main(["--quick", "--threads", "1", "--only", "softmax", "--json", str(path)])
    found: Any = json.loads(path.read_text(encoding="utf-8"))
    assert status == (1 if found["refused"] else 0)
    rungs = {f["rung"] for f in [*found["figures"], *found["refused"]]}
    assert {"loops", "vectorised", "LS"} <= rungs
    assert "softmax vectorised" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["--quick", "--write", str(tmp_path / "page.md")])


def test_a_page_is_written_between_its_markers(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("above\n<!-- benchmarks: x -->\nold\n<!-- end: x -->\nbelow\n", encoding="utf-8")
    report.replace_between(page, "x", report.table(["a", "b"], [["one", 1.5], ["two", None]]))
    assert page.read_text(encoding="utf-8") == (
        "above\n<!-- benchmarks: x -->\n\n| a | b |\n|---|---:|\n| one | 1.50 |\n| two |  |\n\n<!-- end: x -->\nbelow\n"
    )
    with pytest.raises(ValueError, match="lacks the markers"):
        report.replace_between(page, "y", "")
    section = markdown(LADDERS[2], {"small": {}, "large": {}})
    assert section.startswith("## softmax\n")
    assert "| loops |  | too slow |" in section
    assert row_blocks(3, 10) == [(0, 3)]
