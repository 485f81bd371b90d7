"""ls_core.search: what it tries, prunes, keeps and draws; killed, torn and interrupted searches go on; several processes."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ls_core
from ls_cli.main import main
from ls_core import Sequential, load_model
from ls_core.callbacks import LambdaCallback
from ls_core.random import get_random_state
from ls_core.search import PruningCallback, open_study, search
from ls_layers import Dense
from ls_optim import SGD
from tests import search_script

optuna = pytest.importorskip("optuna")
SCRIPT = Path(search_script.__file__)


def told(result: Any) -> list[Any]:
    """What each finished trial tried, how it ended, and every epoch's number, to the bit."""
    return [(t.params, t.state.name, t.value, t.intermediate_values) for t in result.trials]


def start(storage: Path, trials: int, workers: int, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), str(storage), str(trials), str(workers)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=dict(os.environ, **environment))


# --- one process -------------------------------------------------------------------------------------


def line(trial: Any, rates: tuple[float, float] = (1e-6, 1.0)) -> Any:
    """A model that learns a line, at a suggested rate."""
    model = Sequential([Dense(1)])
    model.compile(SGD(trial.suggest_float("rate", *rates, log=True)), "mse")
    return model


X = np.random.default_rng(1).normal(size=(80, 2))
Y = X @ np.array([[1.0], [-2.0]]) + 0.5


def test_it_finds_a_good_rate_and_keeps_its_model() -> None:
    before = get_random_state()
    found = search(line, X, Y, trials=15, metric="val_loss", validation_split=0.25, epochs=5, verbose=0)
    values = [trial.value for trial in found.trials if trial.state.name == "COMPLETE"]
    assert found.best_value == min(values) < 1e-3 < max(values)
    assert 0.01 < found.best_params["rate"] < 1
    assert found.model.evaluate(X[60:], Y[60:]) == pytest.approx(found.best_value, rel=1e-6)
    assert get_random_state() == before


def test_the_value_is_that_of_the_best_epoch_and_so_are_the_weights() -> None:
    def turning(trial: Any) -> Any:
        model = line(trial, (0.3, 0.31))

        def spoil(epoch: int, logs: Any) -> None:
            if epoch == 3:
                model.optimizer.learning_rate = 5.0  # from the fifth epoch on it gets worse

        return model, {"callbacks": [LambdaCallback(on_epoch_end=spoil)], "epochs": 6}

    found = search(turning, X, Y, trials=1, validation_data=(X, Y), verbose=0)
    values = list(found.trials[0].intermediate_values.values())
    assert len(values) == 6
    assert found.best_value == values[3] == min(values) < values[5] / 100
    assert found.model.evaluate(X, Y) == pytest.approx(found.best_value, rel=1e-6)


def test_patience_ends_a_trial() -> None:
    found = search(functools.partial(line, rates=(0.9, 1.0)), X, Y, trials=1, validation_data=(X, Y), epochs=50, patience=2, verbose=0)
    assert len(found.trials[0].intermediate_values) < 50


def test_hopeless_trials_are_pruned_and_diverged_ones_count_as_pruned() -> None:
    pruner = optuna.pruners.ThresholdPruner(upper=0.5, n_warmup_steps=2)
    found = search(line, X, Y, trials=8, validation_split=0.25, epochs=6, batch_size=8, pruner=pruner, verbose=0)
    pruned = [trial for trial in found.trials if trial.state.name == "PRUNED"]
    assert 0 < len(pruned) < 8
    assert {len(trial.intermediate_values) for trial in pruned} == {3}
    assert all(trial.value < 0.5 for trial in found.trials if trial.state.name == "COMPLETE")
    found = search(functools.partial(line, rates=(1e30, 1e31)), X, Y, trials=2, validation_split=0.25, epochs=3, verbose=0)
    assert [trial.state.name for trial in found.trials] == ["PRUNED"] * 2
    assert all("the loss is" in trial.user_attrs["diverged"] for trial in found.trials)
    with pytest.raises(ValueError, match="no trial was completed"):
        found.best_params  # noqa: B018


def test_the_same_seed_tries_the_same_and_another_seed_does_not(tmp_path: Path) -> None:
    first, again, other = (search_script.run(None, 4, 1, seed=seed) for seed in (3, 3, 4))
    assert told(first) == told(again)
    assert not {t.params["rate"] for t in first.trials} & {t.params["rate"] for t in other.trials}


def test_an_error_in_build_ends_the_search_which_can_go_on(tmp_path: Path) -> None:
    def broken(trial: Any) -> Any:
        if trial.number == 2:
            trial.suggest_float("rate", 1e-6, 1.0, log=True)
            raise ZeroDivisionError("a mistake of mine")
        return line(trial)

    options: dict[str, Any] = {"trials": 5, "validation_split": 0.25, "epochs": 2, "verbose": 0}
    with pytest.raises(ZeroDivisionError, match="a mistake of mine"):
        search(broken, X, Y, storage=tmp_path / "s", **options)
    found = search(line, X, Y, storage=tmp_path / "s", **options)
    assert told(found) == told(search(line, X, Y, **options))


def test_ctrl_c_ends_the_search_which_can_go_on(tmp_path: Path) -> None:
    def interrupted(trial: Any) -> Any:
        def press(epoch: int, logs: Any) -> None:
            if trial.number == 1:
                signal.raise_signal(signal.SIGINT)

        return line(trial), {"callbacks": [LambdaCallback(on_epoch_end=press)]}

    options: dict[str, Any] = {"trials": 3, "validation_split": 0.25, "epochs": 2, "verbose": 0}
    with pytest.raises(KeyboardInterrupt):
        search(interrupted, X, Y, storage=tmp_path / "s", **options)
    assert told(search(line, X, Y, storage=tmp_path / "s", **options)) == told(search(line, X, Y, **options))


def test_what_cannot_be_searched_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {"validation_split": 0.25, "verbose": 0}
    with pytest.raises(ValueError, match="this run gives loss"):
        search(line, X, Y, trials=1, verbose=0)
    with pytest.raises(ValueError, match="a generator gives its data once"):
        search(line, iter([(X, Y)]), trials=2, **options)
    with pytest.raises(ValueError, match="one trial and one worker or more"):
        search(line, X, Y, trials=0, **options)
    with pytest.raises(TypeError, match="top level of a module"):
        search(lambda trial: line(trial), X, Y, trials=2, workers=2, **options)
    search(line, X, Y, trials=1, storage=tmp_path / "s", **options)
    with pytest.raises(ValueError, match="a search for the min of 'val_loss', not for the max of 'val_accuracy'"):
        search(line, X, Y, trials=2, storage=tmp_path / "s", metric="val_accuracy", **options)
    with pytest.raises(FileNotFoundError, match="mkdir -p"):
        search(line, X, Y, trials=1, storage=tmp_path / "no" / "s", **options)
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r"pip install 'ls-engine\[tune\]'"):
        search(line, X, Y, trials=1, **options)


def test_a_model_that_cannot_be_saved_is_searched_without_keeping_it() -> None:
    class Mine(Dense):
        pass

    def build(trial: Any) -> Any:
        model = Sequential([Mine(1)])
        model.compile("sgd", "mse")
        return model

    with pytest.raises(TypeError, match="Mine is not registered"):
        search(build, X, Y, trials=1, validation_split=0.25, verbose=0)
    found = search(build, X, Y, trials=1, validation_split=0.25, verbose=0, keep_best=False)
    assert found.model is None
    assert found.best_value > 0


def test_the_callback_prunes_in_a_loop_of_ones_own() -> None:
    study = open_study(metric="loss", pruner=optuna.pruners.ThresholdPruner(upper=1.0, n_warmup_steps=1))
    ended = []

    def objective(trial: Any) -> float:
        model = line(trial)
        ending = LambdaCallback(on_train_end=lambda logs: ended.append(trial.number))
        history = model.fit(X, Y, epochs=4, verbose=0, callbacks=[PruningCallback(trial, "loss"), ending])
        return float(history.history["loss"][-1])

    study.optimize(objective, n_trials=8)
    assert {trial.state.name for trial in study.trials} == {"COMPLETE", "PRUNED"}
    assert all(len(trial.intermediate_values) == (2 if trial.state.name == "PRUNED" else 4) for trial in study.trials)
    assert ended == list(range(8))


# --- table and picture -------------------------------------------------------------------------------


def test_table_importances_and_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = search_script.run(None, 12, 1, metric="val_accuracy", verbose=1)
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 12
    assert printed[0].startswith("trial 0  val_accuracy 0.")
    assert printed[0].endswith("the best so far")
    lines = str(found).splitlines()
    assert lines[0].split() == ["trial", "val_accuracy", "epochs", "seconds", "activation", "dropout", "units", "rate"]
    shown = [float(each.split()[1]) for each in lines[1:-1]]
    assert shown == sorted(shown, reverse=True)
    assert shown[0] == pytest.approx(found.best_value, abs=1e-4)
    assert (
        lines[-1]
        == f"{len([t for t in told(found) if t[1] == 'COMPLETE'])} trials completed, {12 - len(found.table(99).splitlines()) + 2} pruned"
    )
    importances = found.importances()
    assert set(importances) == {"activation", "dropout", "units", "rate"}
    assert sum(importances.values()) == pytest.approx(1)
    found.plot(tmp_path / "search.png")
    assert (tmp_path / "search.png").read_bytes().startswith(b"\x89PNG")
    single = search_script.run(None, 1, 1)
    assert single.importances() == {}
    single.plot(tmp_path / "one.png")


# --- killed, torn, resumed ---------------------------------------------------------------------------

can_be_killed = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")


@can_be_killed
@pytest.mark.slow
def test_a_killed_search_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    storage = tmp_path / "s"
    assert start(storage, 12, 1, KILL="self", KILL_AT="2").returncode == -signal.SIGKILL
    assert [t.state.name for t in open_study(storage).trials] == ["COMPLETE", "COMPLETE", "RUNNING"]
    done = start(storage, 12, 1, KILL="self", KILL_AT="11")  # past the random trials, which don't depend on the others
    assert done.returncode == -signal.SIGKILL
    assert [row.split()[1] for row in done.stdout.splitlines()] == [str(n) for n in range(3, 11)]
    resumed, whole = search_script.run(storage, 14, 1), search_script.run(None, 14, 1)
    assert told(resumed) == told(whole)
    assert [t.state.name for t in resumed.study.trials].count("FAIL") == 2
    for a, b in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    kept = sorted(each.name for each in tmp_path.iterdir())
    assert kept == ["s", f"s.trial{resumed.best_trial.number}.safetensors"]


def test_a_torn_line_and_a_lock_left_behind_do_no_harm(tmp_path: Path) -> None:
    storage = tmp_path / "s"
    search_script.run(storage, 2, 1)
    with open(storage, "ab") as file:
        file.write(b'{"op_code":4,"worker_id":"x')
    os.symlink(storage, f"{storage}.lock")
    began = time.perf_counter()
    assert told(search_script.run(storage, 4, 1)) == told(search_script.run(None, 4, 1))
    assert time.perf_counter() - began < 10  # Optuna alone waits half a minute for such a lock


@pytest.mark.slow
def test_a_search_beside_another_leaves_its_trials_alone(tmp_path: Path) -> None:
    storage = tmp_path / "s"
    script = "import sys, time\nfrom ls_core.search.study import joined, open_study\n"
    script += (
        "with joined(sys.argv[1], lambda: open_study(sys.argv[1])) as study:\n    study.ask(); print('asked', flush=True); time.sleep(60)"
    )

    def other() -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-c", script, str(storage)], stdout=subprocess.PIPE, cwd=SCRIPT.parent.parent)
        assert process.stdout is not None
        assert process.stdout.readline() == b"asked\n"
        return process

    def states(trials: int) -> list[str]:
        return [t.state.name for t in search_script.run(storage, trials, 1).study.trials]

    with other() as first, other() as second:
        assert states(1) == ["RUNNING", "RUNNING", "COMPLETE"]
        first.kill()
        first.wait()
        assert states(2) == ["RUNNING", "RUNNING", "COMPLETE", "COMPLETE"]
        second.kill()
    assert states(3) == ["FAIL", "FAIL", *["COMPLETE"] * 3]


# --- several processes -------------------------------------------------------------------------------


@pytest.mark.slow
def test_workers_share_the_trials(tmp_path: Path) -> None:
    ls_core.set_floatx("float64")
    never = optuna.pruners.NopPruner()  # a slow first trial could be cut short by what the others have found
    found = search_script.run(tmp_path / "s", 6, 2, pruner=never)
    assert len(found.trials) == 6
    assert len({t.params["rate"] for t in found.trials}) == 6
    assert found.model.get_weights()[0].dtype == np.float64
    single = search_script.run(None, 1, 1, pruner=never)  # what the first trial tries depends on no other
    assert found.trials[0].params == single.trials[0].params
    assert found.trials[0].value == pytest.approx(single.trials[0].value, rel=1e-9)


@can_be_killed
@pytest.mark.slow
def test_killed_workers_and_killed_parents(tmp_path: Path) -> None:
    storage = tmp_path / "s"
    lost = start(storage, 6, 2, KILL="self", KILL_AT="2")
    assert lost.returncode == 1
    assert "search again with the same storage to go on" in lost.stderr
    killed = start(storage, 8, 2, KILL="parent", KILL_AT="5")  # returns when the last worker has closed its output, too
    assert killed.returncode == -signal.SIGKILL
    found = search_script.run(storage, 8, 1)
    assert len(found.trials) == 8
    states = [t.state.name for t in found.study.trials]
    assert states.count("RUNNING") == 0
    assert states.count("FAIL") >= 2
    assert load_model(f"{storage}.trial{found.best_trial.number}.safetensors").get_weights()[0].shape[0] == 3


# --- the command -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_ls_engine_tune(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import pandas as pd

    rows = [("good fine nice day", "plus"), ("bad awful poor day", "minus"), ("so and so", "zero")] * 20
    pd.DataFrame(rows, columns=["text", "label"]).to_csv(tmp_path / "data.csv", index=False)
    out, storage, picture = (str(tmp_path / name) for name in ("best.safetensors", "journal", "search.png"))
    command = ["tune", str(tmp_path / "data.csv"), "--text", "text", "--label", "label", "--out", out, "--storage", storage]
    command += ["--width", "4", "8", "--filters", "4", "8", "--learning-rate", "1e-3", "1e-1", "--epochs", "4", "--picture", picture]
    assert main([*command, "--trials", "3"]) == 0
    printed = capsys.readouterr().out
    assert "60 rows, 3 labels" in printed
    assert printed.count("\ntrial ") == 3 + 1
    assert Path(picture).read_bytes().startswith(b"\x89PNG")
    assert main([*command, "--trials", "4", "--workers", "2"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("\ntrial ") == 1 + 1
    best = float(printed.split("the best is trial ")[1].split("val_accuracy ")[1].split()[0])
    frame = pd.read_csv(tmp_path / "data.csv").iloc[48:]
    accuracy = load_model(out).evaluate(frame["text"], frame["label"])[1]
    assert accuracy == pytest.approx(best, abs=1e-4)
    assert main([*command, "--trials", "4", "--metric", "val_loss"]) == 1
    assert "not for the min of 'val_loss'" in capsys.readouterr().err
