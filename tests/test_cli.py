"""ls-engine: every command, as a user types it."""

from __future__ import annotations

import configparser
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ls_cli.info import EXTRAS
from ls_cli.main import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV, and a model that the command trained on it."""
    folder = tmp_path_factory.mktemp("cli")
    rows = [("good fine nice day", "plus"), ("bad awful poor day", "minus"), ("so and so", "zero")] * 20
    pd.DataFrame(rows, columns=["text", "label"]).to_csv(folder / "data.csv", index=False)
    assert main([*train_arguments(folder), "--out", str(folder / "m.safetensors")]) == 0
    return folder


def train_arguments(folder: Path) -> list[str]:
    return [
        "train",
        str(folder / "data.csv"),
        "--text",
        "text",
        "--label",
        "label",
        "--epochs",
        "20",
        "--width",
        "8",
        "--filters",
        "8",
        "--learning-rate",
        "0.02",
    ]


def test_help_answers_at_once_and_imports_nothing_heavy() -> None:
    code = "import sys; from ls_cli.main import main\ntry: main(['--help'])\nexcept SystemExit: pass\nprint('numpy' in sys.modules)"
    began = time.perf_counter()
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert time.perf_counter() - began < 2
    assert printed.endswith("False\n")
    for command in ("demo", "train", "predict", "evaluate", "gradcheck", "info"):
        assert command in printed


def test_train_says_what_it_does(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for model in ("cnn", "pooled"):
        assert main([*train_arguments(folder), "--model", model, "--epochs", "1", "--out", str(folder / "other.safetensors")]) == 0
    printed = capsys.readouterr().out
    assert "60 rows, 3 labels" in printed
    assert "epoch 1/1" in printed


def test_predict_texts_csv_and_standard_input(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    file = str(folder / "m.safetensors")
    assert main(["predict", file, "good fine nice day", "bad awful poor", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["label"] for row in rows] == ["plus", "minus"]
    assert sum(rows[0]["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert main(["predict", file, str(folder / "data.csv")]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 60
    monkeypatch.setattr("sys.stdin", io.StringIO("good nice\nbad awful poor day\n"))
    assert main(["predict", file]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["plus", "minus"]


def test_evaluate_reports_each_label_and_draws(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = folder / "confusion.png"
    assert main(["evaluate", str(folder / "m.safetensors"), str(folder / "data.csv"), "--confusion", str(picture)]) == 0
    printed = capsys.readouterr().out
    for word in ("accuracy 1.0000", "commonest label: accuracy 0.3333", "precision", "recall", "support", "minus", "plus", "zero"):
        assert word in printed
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_errors_are_one_line_and_a_status(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, csv = str(folder / "m.safetensors"), str(folder / "data.csv")
    for arguments, part in (
        (["train", csv, "--text", "txt", "--label", "label", "--out", file], "no column 'txt'; its columns are 'text', 'label'"),
        (["train", csv, "--text", "text", "--label", "label", "--out", str(folder / "no" / "m")], "does not exist"),
        (["predict", csv, "x"], "safetensors"),
        (["predict", str(folder / "missing"), "x"], "No such file"),
        (["evaluate", file, csv, "--label", "text"], "is not among the 3 known"),
    ):
        assert main(arguments) == 1
        error = capsys.readouterr().err
        assert part in error
        assert len(error.splitlines()) == 1


def test_info_tells_versions_blas_and_extras(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"]) == 0
    printed = capsys.readouterr().out
    for word in ("ls-engine", np.__version__, "BLAS", "CUDA device", "extra plots", "cores"):
        assert word in printed


def test_info_tells_what_holds_products_back(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    assert main(["info"]) == 0
    assert "CORETYPE" not in capsys.readouterr().out
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    assert main(["info"]) == 0
    assert "by OPENBLAS_CORETYPE=Haswell (unset, OpenBLAS takes those for this processor)" in capsys.readouterr().out


def test_info_knows_every_extra() -> None:
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parents[1] / "setup.cfg")
    told = {extra for names in EXTRAS for extra in names.split(", ")}
    assert told == set(setup["options.extras_require"]) - {"dev"}


def test_gradcheck_of_one_layer(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gradcheck", "Dense"]) == 0
    assert "Dense" in capsys.readouterr().out
    assert main(["gradcheck", "Dens"]) == 2


@pytest.mark.slow
def test_the_demo_does_all_that_the_readme_says(tmp_path: Path) -> None:
    finished = subprocess.run([sys.executable, "-m", "ls_cli.main", "demo", "--folder", str(tmp_path)], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    done = finished.stdout
    data = pd.read_csv(tmp_path / "data.csv")
    assert list(data.columns) == ["text", "label"]
    assert data["label"].nunique() == 10
    assert not set(data["text"]) & set(pd.read_csv(tmp_path / "data_test.csv")["text"])
    assert "the same bits" in done
    lines = {line.split("  ")[0]: line.split() for line in done.splitlines()}
    majority, listing, better = (
        float(lines[name][place]) for name, place in (("always the commonest", 3), ("the listing", 2), ("the improved variant", 3))
    )
    assert majority + 0.3 < listing < better
    for picture in ("curves.png", "curves_listing.png", "confusion.png"):
        assert (tmp_path / "demo" / picture).read_bytes().startswith(b"\x89PNG")


# --- odd files and odd wishes -------------------------------------------------------------------------


def write_rows(path: Path, separator: str, head: str = "text,label", encoding: str = "utf-8") -> Path:
    lines = [head, *(f"good day {i % 3},1" if i % 2 else f"bad night {i % 3},NA" for i in range(20))]
    path.write_text("\n".join(lines).replace(",", separator) + "\n", encoding=encoding)
    return path


@pytest.mark.parametrize(("separator", "encoding"), [(";", "utf-8"), ("\t", "utf-8"), (",", "utf-8-sig")])
def test_separators_marks_and_labels_that_look_like_numbers(
    separator: str, encoding: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = write_rows(tmp_path / "ä b.csv", separator, encoding=encoding), tmp_path / "model ü.safetensors"
    arguments = ["--text", "text", "--label", "label", "--epochs", "2", "--width", "4", "--filters", "4"]
    assert main(["train", str(data), *arguments, "--out", str(out)]) == 0
    assert main(["evaluate", str(out), str(data)]) == 0
    capsys.readouterr()
    assert main(["predict", str(out), "good day", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["probabilities"]) == {"1", "NA"}  # as they stand in the file


@pytest.mark.parametrize("content", [b"", b"text,label\ncaf\xe9,a\n", b'text,label\n"open,b\n', bytes(range(256))])
def test_a_file_that_is_no_table_is_named(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    assert main(["train", str(path), "--text", "text", "--label", "label", "--out", str(tmp_path / "m")]) == 1
    assert f"{path} is no CSV file in UTF-8" in capsys.readouterr().err


@pytest.mark.parametrize("wish", [["--epochs", "0"], ["--batch-size", "-1"], ["--width", "0"]])
def test_counts_below_one_are_refused(wish: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([*train_arguments(folder), "--out", str(folder / "never"), *wish])
    assert "is not 1 or more" in capsys.readouterr().err


def test_standard_input_by_its_sign(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import io

    monkeypatch.setattr(sys, "stdin", io.StringIO("good fine\nbad awful\n"))
    assert main(["predict", str(folder / "m.safetensors"), "-"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="a closed pipe is another error there")
def test_a_reader_that_leaves_is_no_error(folder: Path) -> None:
    command = [sys.executable, "-m", "ls_cli.main", "predict", str(folder / "m.safetensors"), *["good day"] * 3000]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(timeout=60) == 141
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
