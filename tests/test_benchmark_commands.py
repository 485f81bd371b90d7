"""The benchmark commands run, on tiny sizes; files of figures are compared."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import compare, kernels, layers, memory, overhead, peers, pictures, scaling, steps
from benchmarks.__main__ import NAMES as benchmark_names
from benchmarks.figure import Refused
from benchmarks.instructions import HOLDS
from benchmarks.machine import machine, tier, tiers
from benchmarks.report import FORMAT
from benchmarks.subjects import SPECS
from benchmarks.workloads import WORKLOADS
from ls_cli import bench
from ls_cli.main import main as cli
from ls_core.kernel import KERNELS, accelerator_wanted

ROOT = Path(__file__).parent.parent
QUICK = ["--quick", "--threads", "1"]


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


# --- compare -------------------------------------------------------------------------------------------------------------


def figures_file(path: Path, **medians: float) -> dict[str, Any]:
    """A made-up file: every figure with p10 and p90 5 % around its median."""
    figures = [{"name": name, "median_ms": ms, "p10_ms": 0.95 * ms, "p90_ms": 1.05 * ms} for name, ms in medians.items()]
    where = {"processor": "p", "cores": 2, "threads": 2, "device": None, "blas": {"name": "b", "kernels": "k"}, "held": {}}
    content = {"format": FORMAT, "machine": where, "figures": figures, "refused": []}
    path.write_text(json.dumps(content), encoding="utf-8")
    return content


def run_compare(folder: Path, *more: str) -> int:
    return compare.main([str(folder / "a.json"), str(folder / "b.json"), *more])


@pytest.mark.parametrize(
    ("after", "status", "verdict"),
    [
        ({"x": 1.0, "y": 2.0}, 0, ""),
        ({"x": 1.06, "y": 2.1}, 0, ""),
        ({"x": 1.2, "y": 1.0}, 1, "slower"),
        ({"x": 0.5, "y": 2.0}, 0, "faster"),
    ],
)
def test_compare(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], after: dict[str, float], status: int, verdict: str
) -> None:  # noise of a ratio: hypot(5 %, 5 %) = 7.1 %
    figures_file(tmp_path / "a.json", x=1.0, y=2.0)
    figures_file(tmp_path / "b.json", **after, new=1.0)
    assert run_compare(tmp_path) == status
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("x "))
    assert row.split()[3:5] == [f"{after['x']:.2f}", "7%"]
    assert row.endswith(verdict or "7%")


def test_a_median_that_moved_within_its_range_is_no_regression(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures_file(tmp_path / "a.json", x=1.0)
    content = figures_file(tmp_path / "b.json", x=1.3)
    assert run_compare(tmp_path) == 1
    content["figures"][0]["p10_ms"] = 1.04  # some of its samples were as fast as some before
    (tmp_path / "b.json").write_text(json.dumps(content), encoding="utf-8")
    assert run_compare(tmp_path) == 0
    assert "1 figures" in capsys.readouterr().out


def test_a_figure_that_is_now_refused_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures_file(tmp_path / "a.json", x=1.0, y=2.0)
    after = figures_file(tmp_path / "b.json", x=1.0)
    after["refused"] = [{"name": "y", "reason": "wrong", "why": "wrong: array 0 differs"}]
    (tmp_path / "b.json").write_text(json.dumps(after), encoding="utf-8")
    assert run_compare(tmp_path) == 1
    assert "y: had a figure, now refused, wrong: array 0" in capsys.readouterr().out


def test_a_figure_that_is_missing_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A variant that is wrong as a whole is refused once, and none of its figures is there."""
    before = figures_file(tmp_path / "a.json", x=1.0, y=2.0)
    after = figures_file(tmp_path / "b.json", x=1.0)
    assert run_compare(tmp_path) == 1
    assert "y: had a figure, now missing" in capsys.readouterr().out
    assert run_compare(tmp_path, "--subset") == 0
    labels = {"layer": "L", "shape": "4 x 8", "variant": "numba"}
    before["figures"][1] |= {**labels, "kernel": "k"}
    after["refused"] = [{"name": "L 4 x 8 numba", "reason": "wrong", "why": "wrong: array 1 of the whole pass", **labels}]
    for name, content in (("a", before), ("b", after)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    assert run_compare(tmp_path, "--subset") == 1
    assert "y: had a figure, now refused, wrong: array 1 of the whole pass" in capsys.readouterr().out


def many(path: Path, factor: float = 1.0, **others: float) -> dict[str, Any]:
    return figures_file(path, **{f"f{i}": (1 + i) * factor * (1 + 0.01 * (i % 3)) for i in range(12)}, **others)


def test_what_all_share_is_one_cause(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    many(tmp_path / "a.json", x=1.0)
    for factor, x, status, verdict in (
        (1.05, 1.05, 0, ""),
        (1.3, 1.3, 1, ""),
        (1.05, 1.3, 1, "slower"),
        (1.3, 1.7, 1, "slower"),
        (0.7, 1.0, 0, ""),
    ):
        many(tmp_path / "b.json", factor, x=x)
        assert run_compare(tmp_path) == status
        out = capsys.readouterr().out
        assert next(line for line in out.splitlines() if line.startswith("x ")).endswith(verdict or "7%")
        assert ("all together are slower, by 30%" in out) == (factor == 1.3)


def test_pairs_that_were_measured_in_turn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [str(tmp_path / f"{i}.json") for i in range(6)]
    for name, x, y in zip(names, (1.0, 1.1, 1.05, 1.12, 1.02, 1.09), (1.0, 1.1, 1.2, 1.3, 1.1, 1.2), strict=True):
        figures_file(Path(name), x=x, y=y)
    assert compare.main(names) == 1  # every x after is slower than every x before; the runs of y overlap
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line[:2] in ("x ", "y ")]
    assert [row[5:] for row in rows] == [["slower"], []]
    for wrong in (names[:3], names[:4]):
        with pytest.raises(SystemExit):
            compare.main(wrong)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"median_ms": float("nan")}, "NaN is no time"),
        ({"median_ms": 0.0}, "which are no times"),
        ({"median_ms": None}, "which are no times"),
        ({"p10_ms": 2.0}, "which are no times"),
        ({"name": "y"}, "two figures are called 'y'"),
        ({"name": None}, "a figure without a name"),
    ],
)
def test_files_that_no_benchmark_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any], why: str) -> None:
    figures_file(tmp_path / "a.json", y=2.0, x=1.0)
    content = figures_file(tmp_path / "b.json", y=2.0, x=1.0)
    content["figures"][1] |= change
    (tmp_path / "b.json").write_text(json.dumps(content), encoding="utf-8")
    assert run_compare(tmp_path) == 2
    assert why in capsys.readouterr().out


def test_what_else_has_changed_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures_file(tmp_path / "a.json", x=1.0)
    content = figures_file(tmp_path / "b.json", x=1.0)
    content["machine"] = {**content["machine"], "versions": {"numpy": "9"}, "load": 2.5}
    (tmp_path / "b.json").write_text(json.dumps(content), encoding="utf-8")
    assert run_compare(tmp_path) == 0
    out = capsys.readouterr().out
    assert "numpy: none before, 9 after" in out
    assert "the machine was busy after (load 2.5)" in out
    (tmp_path / "b.json").write_text(json.dumps({**content, "command": "python -m benchmarks.kernels --quick"}), encoding="utf-8")
    assert run_compare(tmp_path) == 2
    assert "--quick measures nothing" in capsys.readouterr().out


def test_figures_of_different_machines_are_not_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures_file(tmp_path / "a.json", x=1.0)
    after = figures_file(tmp_path / "b.json", x=1.0)
    after["machine"] = copy.deepcopy(after["machine"])
    after["machine"]["held"]["OPENBLAS_CORETYPE"] = "Haswell"
    after["machine"]["threads"] = 1
    (tmp_path / "b.json").write_text(json.dumps(after), encoding="utf-8")
    assert run_compare(tmp_path) == 2
    out = capsys.readouterr().out
    assert "threads: 2 and 1" in out
    assert "held: {} and {'OPENBLAS_CORETYPE': 'Haswell'}" in out
    assert run_compare(tmp_path, "--force") == 0


def test_what_is_no_file_of_figures_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures_file(tmp_path / "a.json", x=1.0)
    assert run_compare(tmp_path) == 2
    (tmp_path / "b.json").write_text("{}", encoding="utf-8")
    assert run_compare(tmp_path) == 2
    assert "was not written by these benchmarks" in capsys.readouterr().out
    figures_file(tmp_path / "b.json", z=1.0)
    assert run_compare(tmp_path) == 2


# --- kernels ----------------------------------------------------------------------------------------------------------------


def test_kernels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "kernels.json"
    status = kernels.main([*QUICK, "--only", "LayerNormalization", "--json", str(path), "--pictures", str(tmp_path)])
    out = capsys.readouterr().out
    found = read(path)
    assert status == (1 if found["refused"] else 0), out
    names = {(f["kernel"], f["direction"], f["variant"]) for f in found["figures"]} | {
        (r["kernel"], r["direction"], r["variant"]) for r in found["refused"]
    }
    assert {("layer_normalization_forward", "forward", "reference"), ("layer_normalization_backward", "backward", "reference")} <= names
    assert "layer_normalization_backward" in out
    assert {"processor", "blas", "threads", "versions", "python"} <= set(found["machine"])
    assert set(found["machine"]["blas"]) == {"name", "kernels"}
    assert set(found["machine"]["held"]) <= set(HOLDS)
    assert found["rooflines"]["cpu"]["gemm_gflops"]["float32"] > 0
    assert all(f["flops"] > 0 and f["bytes"] > 0 and 0 < f["share"] < 2 for f in found["figures"])
    assert (tmp_path / "roofline_cpu.png").stat().st_size > 10_000


def test_a_wrong_override_gets_no_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = next(k for k in KERNELS.values() if k.__name__ == "sigmoid_forward")

    def wrong(x: Any) -> Any:
        y, saved = kernel.reference(x)
        return y * np.float32(1.001), saved

    with monkeypatch.context() as patch:
        patch.setitem(kernel.overrides, "numpy", wrong)
        kernels.main([*QUICK, "--only", "sigmoid", "--json", str(tmp_path / "k.json")])
    kernel._fill()
    found = read(tmp_path / "k.json")
    assert ("sigmoid 4 x 8 numpy", "wrong") in {(r["name"], r["reason"]) for r in found["refused"]}
    assert not [f for f in found["figures"] if f["kernel"] == "sigmoid_forward" and f["variant"] == "numpy"]


def test_crossovers_and_pictures_by_size(tmp_path: Path) -> None:
    def figure(variant: str, elements: int, ms: float, transfer: float | None = None) -> dict[str, Any]:
        backend = "numpy" if transfer is None else "cupy"
        what = {"layer": "L", "kernel": "k_forward", "direction": "forward", "variant": variant, "backend": backend}
        return {**what, "elements": elements, "median_ms": ms, "transfer_ms": transfer}

    sizes = [(10, 0.001), (1000, 0.02), (100_000, 2.0), (10_000_000, 300.0)]
    figures = [figure("numpy", n, ms) for n, ms in sizes] + [figure("numba", n, 0.9 * ms) for n, ms in sizes]
    figures += [figure("CUDA", n, 0.01 + n * 1e-8, n * 2e-5) for n, _ in sizes]
    row = {"layer": "L", "kernel": "k_forward", "direction": "forward", "resident": 1000, "with_transfer": 10_000_000}
    assert kernels.crossovers(figures) == [row]
    assert kernels.crossovers(figures[:8]) == []  # no device: nothing to say
    always = [{**f, "median_ms": 1e-6, "transfer_ms": 1e-6} if f["variant"] == "CUDA" else f for f in figures]
    assert kernels.crossovers(always) == [{**row, "resident": 10, "with_transfer": 10}]
    never = [{**f, "median_ms": 1e6} if f["variant"] == "CUDA" else f for f in figures]
    assert kernels.crossovers(never) == [{**row, "resident": None, "with_transfer": None}]
    late = [{**f, "median_ms": 1e6} if f["variant"] == "CUDA" and f["elements"] == 100_000 else f for f in figures]
    assert kernels.crossovers(late) == [{**row, "resident": 10_000_000}]  # a size at which it loses again ends a row of wins
    (path,) = pictures.draw_sizes(figures, str(tmp_path))
    assert path.name == "sizes_L_k_forward.png"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--json", "nowhere/k.json"], "that may be written to"),
        (["--pictures", "file/pictures"], "--pictures: "),
        (["--threads", "0"], "positive numbers"),
        (["--seconds", "-1"], "positive numbers"),
        (["--sizes", "huge"], "invalid choice"),
    ],
)
def test_what_would_fail_at_the_end_fails_at_the_start(
    words: list[str], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    with pytest.raises(SystemExit) as left:
        kernels.main([*QUICK, "--only", "sigmoid", *words])
    assert left.value.code == 2
    out = capsys.readouterr()
    assert why in out.err
    assert "roofline" not in out.out


def test_what_is_not_installed_is_said_at_the_start(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for module in ("report", "machine"):
        monkeypatch.setattr(f"benchmarks.{module}.installed", lambda name: False)
    for command, words, why in (
        (steps, ["--tier", "numba"], "pip install 'ls-engine[fast]'"),
        (steps, ["--peers", "jax"], "jax not installed here"),
        (layers, ["--peers", "Thinc", "JAX"], "Thinc, JAX not installed here"),
    ):
        with pytest.raises(SystemExit):
            command.main([*QUICK, "--only", "tiny", *words])
        assert why in capsys.readouterr().err


def test_a_name_that_nothing_has(capsys: pytest.CaptureFixture[str]) -> None:
    assert kernels.main([*QUICK, "--only", "xyz"]) == 2
    assert "nothing was measured: --only fits no name" in capsys.readouterr().out


def test_pictures_want_matplotlib_before_anything_is_measured(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("benchmarks.report.installed", lambda name: name != "matplotlib")
    with pytest.raises(SystemExit):
        kernels.main([*QUICK, "--only", "sigmoid", "--pictures", "pictures"])
    assert "pip install 'ls-engine[plots]'" in capsys.readouterr().err


# --- steps -------------------------------------------------------------------------------------------------------------------


def test_steps_without_peers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "steps.json"
    status = steps.main([*QUICK, "--only", "tiny", "--tier", "references", "numpy", "--peers", "--json", str(path)])
    found = read(path)
    assert status == (1 if found["refused"] else 0)
    assert set(found["results"][0]["ms"]) <= {"LS references", "LS numpy"}
    assert all(f["flops"] > 2 * 3 * 16 * (8 * 16 + 16 * 3) * 0.9 for f in found["figures"])
    assert "tiny MLP 8-16-3, batch 16" in capsys.readouterr().out


def test_losses_that_are_not_the_references() -> None:
    good = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5]
    assert steps.other_losses([*good[:5], 0.504], good) is None
    assert "wrong: its loss at step 5 is 0.51" in str(steps.other_losses([*good[:5], 0.51], good))
    assert "step 0 is nan" in str(steps.other_losses([float("nan"), *good[1:]], good))


def test_a_step_that_computes_something_else_is_not_timed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    losses = steps.Side.losses
    monkeypatch.setattr(steps.Side, "losses", lambda side: [2 * x for x in losses(side)] if side.name == "LS numpy" else losses(side))
    path = tmp_path / "steps.json"
    command = [*QUICK, "--tier", "references", "numpy", "--peers", "--only", "tiny", "--json", str(path)]
    assert steps.main(command) == 1
    found = read(path)
    assert "LS numpy: refused, wrong: its loss at step 0" in capsys.readouterr().out
    assert [each["name"] for each in found["refused"]] == ["tiny MLP 8-16-3, batch 16 | LS numpy"]
    assert set(found["results"][0]["ms"]) == {"LS references"}
    monkeypatch.setattr(steps.Side, "losses", lambda side: [float("nan")] * 6)
    assert steps.main(command) == 1
    assert len(read(path)["refused"]) == 2


def test_what_can_not_be_measured_is_told_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LS_ACCELERATOR", "0")
    assert "numba" not in tiers()
    for command, problem in (
        (["--threads", "4096"], "--threads 4096: this process may use"),
        (["--json", str(tmp_path)], "is a folder"),
        (["--tier", "numba"], "--tier numba needs"),
    ):
        with pytest.raises(SystemExit):
            steps.main([*QUICK, *command])
        assert problem in capsys.readouterr().err
    path = tmp_path / "none.json"
    assert steps.main([*QUICK, "--only", "no such name", "--json", str(path)]) == 2
    assert not path.exists()


def test_geometric_means() -> None:
    results = [{"ratio": {"LS numpy": 2.0}}, {"ratio": {"LS numpy": 0.5}}, {"ratio": {}}]
    assert steps.geometric_means(results) == {"LS numpy": pytest.approx(1.0)}


def test_tiers() -> None:
    wanted = accelerator_wanted()
    with tier("numpy"):
        assert not accelerator_wanted()
    assert accelerator_wanted() == wanted
    with pytest.raises(ValueError, match="there is no tier 'c'"), tier("c"):
        pass


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="this system tells no peak")
def test_peak_memory() -> None:
    before = memory.resident()
    memory.reset_peak()
    held = np.ones(5_000_000)
    assert memory.peak() > before + 30
    del held
    found = memory.measure_apart("MLP", "numpy")
    assert found is not None
    assert 1 < found["step_mib"] < found["peak_mib"] < 1000
    assert [work.name for work in WORKLOADS if work.name.startswith("MLP")]


# --- the commands -------------------------------------------------------------------------------------------------------------


def test_the_folder_runs_the_benchmarks(tmp_path: Path) -> None:
    figures_file(tmp_path / "a.json", x=1.0)
    command = [sys.executable, str(ROOT / "benchmarks"), "compare", "a.json", "a.json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "geometric mean of the ratios 1.000" in done.stdout
    done = subprocess.run([*command[:2], "nothing"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2


def test_a_refusal_says_its_reason() -> None:
    assert str(Refused("wrong", "by 1")) == "wrong: by 1"
    assert machine(1)["threads"] == 1


# --- pages -----------------------------------------------------------------------------------------------------------------


def test_a_page_without_a_place_is_refused_before_anything_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    for problem in ("No such file", "lacks the markers <!-- benchmarks: overhead -->"):
        with pytest.raises(SystemExit):
            overhead.main([*QUICK, "--write", str(page)])
        printed = capsys.readouterr()
        assert problem in printed.err
        assert not printed.out
        page.write_text("a page", encoding="utf-8")


def test_a_table_takes_its_place_on_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- benchmarks: overhead -->old<!-- end: overhead -->\nafter", encoding="utf-8")
    overhead.main([*QUICK, "--tier", "references", "--write", str(page)])
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n<!-- benchmarks: overhead -->")
    assert text.endswith("<!-- end: overhead -->\nafter")
    assert "| bare NumPy |" in text
    assert "old" not in text
    assert [each.name for each in tmp_path.iterdir()] == ["page.md"]


# --- overhead, layers, scaling -------------------------------------------------------------------------------------------------


def test_overhead(tmp_path: Path) -> None:
    path = tmp_path / "overhead.json"
    assert overhead.main([*QUICK, "--tier", "references", "--json", str(path)]) in (0, 1)
    found = read(path)
    names = [f["name"] for f in found["figures"]] + [r["name"] for r in found["refused"]]
    assert {"bare NumPy", "LS references", "a kernel, 1000 calls"} <= set(names)


def test_bare_numpy_computes_what_the_model_does() -> None:
    x, dy = overhead.data()
    model = overhead.model_of()
    for a, b in zip(overhead.bare_step(model.get_weights(), x, dy), overhead.ls_step(model, x, dy), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_layers_without_peers(tmp_path: Path) -> None:
    path = tmp_path / "layers.json"
    layers.main([*QUICK, "--only", "Dense", "--tier", "references", "numpy", "--peers", "--json", str(path)])
    found = read(path)
    assert {f["by"] for f in found["figures"] + found["refused"]} == {"LS references", "LS numpy"}


def test_a_peer_that_computes_something_else_gets_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = next(spec for spec in SPECS if spec.name == "Dense")
    subjects, pair, work, expected = layers.ls_subjects(spec, "tiny", ["references"])
    fakes = {
        "right": lambda *_: peers.Run(pair.both, layers.given_and_taken, lambda result: pair.gradients()),
        "wrong": lambda *_: peers.Run(
            pair.both, lambda result: [a * np.float32(1.01) for a in layers.given_and_taken(result)], lambda result: pair.gradients()
        ),
        "of a wrong gradient": lambda *_: peers.Run(
            pair.both, layers.given_and_taken, lambda result: [a * np.float32(1.01) for a in pair.gradients()]
        ),
        "transposed": lambda *_: peers.Run(pair.both, layers.given_and_taken, lambda result: [a.T.copy() for a in pair.gradients()]),
        "without gradients": lambda *_: peers.Run(pair.both, layers.given_and_taken, lambda result: []),
        "without this layer": lambda *_: None,
        "broken": lambda *_: 1 / 0,
    }
    for name, fake in fakes.items():
        monkeypatch.setitem(peers.PEERS, name, fake)
    found, refused = layers.peer_subjects(spec, "tiny", list(fakes), pair, work, expected, subjects[0].labels)
    assert [s.labels["by"] for s in found] == ["right", "wrong", "of a wrong gradient", "transposed", "without gradients"]
    assert [str(r) for _, r in refused] == ["failed: ZeroDivisionError: division by zero"]
    problems = [s.verify(s.run()) for s in found]
    assert problems[0] is None
    assert problems[1] is not None
    assert "differs from the reference" in problems[1]
    assert "the gradient of Parameter 0 differs from LS's by" in str(problems[2])
    assert "differs" in str(problems[3])  # the kernel is square
    assert problems[4] == "0 gradients of Parameters came, LS has 2"


def test_scaling(tmp_path: Path) -> None:
    assert scaling.exponent([10, 100, 1000], [2.0, 200.0, 20000.0]) == pytest.approx(2.0)
    assert scaling.exponent([10], [2.0]) is None
    assert scaling.wins_from([1, 2, 4], {1: 1.0, 2: 1.0, 4: 1.0}, {1: 0.5, 2: 2.0, 4: 4.0}) == 2
    assert scaling.wins_from([1, 2], {1: 1.0, 2: 1.0}, {1: 2.0, 2: 0.5}) is None
    path = tmp_path / "scaling.json"
    scaling.main([*QUICK, "--only", "softmax width", "--tier", "numpy", "--json", str(path), "--pictures", str(tmp_path)])
    found = read(path)
    assert {(g["layer"], g["axis"], g["by"]) for g in found["growth"]} <= {("softmax", "width", "LS numpy")}
    assert {g.layer for g in scaling.GROWTHS} <= {spec.name for spec in SPECS}


def test_the_console_command_runs_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    status = cli(["bench", "steps", "--quick", "--threads", "1", "--tier", "numpy", "--only", "tiny", "--json", "steps.json"])
    out = capfd.readouterr()
    assert status in (0, 1), out.err
    assert "tiny MLP" in out.out
    assert read(tmp_path / "steps.json")["machine"]["threads"] == 1


def test_the_console_command_says_that_it_needs_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench, "__file__", str(tmp_path / "site-packages" / "ls_cli" / "bench.py"))
    assert cli(["bench"]) == 1
    assert "not installed with it" in capsys.readouterr().err
    monkeypatch.chdir(ROOT)
    assert bench.checkout() == ROOT
    assert set(bench.WHAT) | {"compare"} == set(benchmark_names)
