"""A search that a test starts as a process of its own: ``python tests/search_script.py STORAGE TRIALS WORKERS``.

KILL names what is killed, 'self' or 'parent', in the second epoch of the trial numbered KILL_AT.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from ls_core import Sequential
from ls_core.callbacks import LambdaCallback
from ls_core.search import SearchResult, search
from ls_layers import Dense, Dropout
from ls_optim import Adam

X = np.random.default_rng(0).normal(size=(64, 3))
Y = (X[:, 0] * X[:, 1] > 0).astype(int)


def build(trial: Any) -> Any:
    kind = trial.suggest_categorical("activation", ["tanh", "relu"])
    dropout = trial.suggest_float("dropout", 0, 0.5)

    def kill(epoch: int, logs: Any) -> None:
        if epoch == 1 and trial.number == int(os.environ.get("KILL_AT", -1)):
            os.kill(os.getpid() if os.environ["KILL"] == "self" else os.getppid(), signal.SIGKILL)

    units = trial.suggest_int("units", 2, 32, log=True)
    model = Sequential([Dense(units, activation=kind), Dropout(dropout), Dense(2, activation="softmax")])
    model.compile(Adam(trial.suggest_float("rate", 1e-4, 1e-1, log=True)), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, {"callbacks": [LambdaCallback(on_epoch_end=kill)]}


def run(storage: Any, trials: int, workers: int, **options: Any) -> SearchResult:
    options = {"epochs": 5, "validation_split": 0.25, "verbose": 0, **options}
    return search(build, X, Y, trials=trials, storage=storage, workers=workers, **options)


if __name__ == "__main__":
    run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), verbose=1)
