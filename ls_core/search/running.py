"""search: ask for parameters, train, tell the value; in this process or in several."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import current_backend, floatx, set_floatx, use_backend
from ..blas import blas_threads
from ..callbacks.early_stopping import EarlyStopping
from ..checkpoint import load_model
from ..errors import NonFiniteError
from ..random import same_random_numbers, set_seed
from ..threads import set_thread_count, thread_count
from .pruning import PruningCallback
from .result import SearchResult, format_value, seconds
from .study import finished_trials, import_optuna, joined, open_study, running_trials


@dataclass
class Job:
    """All that a process needs to run trials."""

    build: Callable[[Any], Any]
    x: Any
    y: Any
    fit: dict[str, Any]
    storage: str
    metric: str
    mode: str
    patience: int | None
    sampler: Any
    pruner: Any
    seed: int
    keep_best: bool

    def open(self) -> Any:
        return open_study(self.storage, self.metric, self.mode, self.sampler, self.pruner, self.seed)

    def model_file(self, number: int) -> Path:
        """Where the model of trial ``number`` is kept while it is the best."""
        return Path(f"{self.storage}.trial{number}.safetensors")


def search(
    build: Callable[[Any], Any],
    x: Any = None,
    y: Any = None,
    *,
    trials: int = 20,
    metric: str = "val_loss",
    mode: str = "auto",
    storage: Any = None,
    workers: int = 1,
    patience: int | None = None,
    sampler: Callable[..., Any] | None = None,
    pruner: Any = None,
    seed: int = 0,
    keep_best: bool = True,
    verbose: int = 1,
    **fit: Any,
) -> SearchResult:
    """Train ``build(trial)`` on the data again and again, each time with parameters that the trials before make promising.

    A trial's value is the metric at its best epoch, and its model has the weights of that epoch. Trials that do worse than the
    others did at the same epoch are pruned; a trial whose loss becomes NaN or infinite counts as pruned.

    Parameters
    ----------
    build : callable
        ``build(trial)`` returns a compiled model, or (model, dict of further arguments of ``fit``). It asks
        ``trial.suggest_float``, ``suggest_int`` and ``suggest_categorical`` for its parameters.
    x, y
        What ``fit`` takes, except a generator, which could be read once only.
    trials : int
        How many trials the storage is to hold in the end, those of earlier runs included.
    metric : str
        A name of the logs; ``mode`` 'auto' reads off the name whether more is better.
    mode : {'auto', 'min', 'max'}
    storage : str or path, optional
        A journal file. A search that is called again with it goes on, also after ``kill -9``: trials that ran at that
        moment are run anew. Several processes may be started on one file, by hand too. The best model is kept beside it.
    workers : int
        Processes. With more than one, ``build`` must stand at the top level of a module, and a script needs
        ``if __name__ == '__main__':``. They share the threads that this process has.
    patience : int, optional
        Epochs without improvement after which a trial ends.
    sampler, pruner
        As in ``open_study``.
    seed : int
        Of the sampler, and of every trial's random streams. With one worker the same seed gives the same search, resumed or not.
    keep_best : bool
        False: write no model file (the model has classes of yours that are not registered).
    verbose : int
        1: a line for each trial.
    **fit
        Further arguments of ``fit``: epochs, batch_size, validation_split ...

    Raises
    ------
    ImportError
        Optuna is not installed.
    ValueError
        The storage holds a search for another metric, or the data is a generator.
    TypeError
        Another process can't import ``build``.
    RuntimeError
        A worker was killed. Search again to go on.

    Ctrl-C ends the search; with a storage it can go on later. The random streams of this process are afterwards as they were.

    Examples
    --------
    >>> import numpy as np
    >>> from ls_core import Sequential
    >>> from ls_layers import Dense
    >>> x = np.random.default_rng(0).normal(size=(60, 2))
    >>> def build(trial):
    ...     model = Sequential([Dense(trial.suggest_int('units', 2, 16), activation='tanh'), Dense(1)])
    ...     model.compile('adam', 'mse')
    ...     return model
    >>> found = search(build, x, x[:, 0] * x[:, 1], trials=3, validation_split=0.2, epochs=2, verbose=0)
    >>> len(found.trials), list(found.best_params), found.model.predict(x).shape
    (3, ['units'], (60, 1))
    """
    import_optuna()
    if trials < 1 or workers < 1:
        raise ValueError(f"search wants one trial and one worker or more, not trials={trials} and workers={workers}")
    if hasattr(x, "__next__"):
        raise ValueError("a generator gives its data once, and every trial wants it; pass arrays, a Dataset or a DataLoader")
    if workers > 1:
        _require_importable(build)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "journal") if storage is None else os.fspath(storage)
        job = Job(build, x, y, fit, path, metric, mode, patience, sampler, pruner, seed, keep_best)
        with joined(path, job.open) as study:
            if workers == 1:
                with same_random_numbers():
                    while len(finished_trials(study)) < trials:
                        _report(study, _run_trial(job, study), metric, verbose)
            else:
                _run_in_processes(job, study, trials, workers, verbose)
        return _result(job, study, storage is None)


def _result(job: Job, study: Any, passing: bool) -> SearchResult:
    """``passing``: the study's file is about to go."""
    if passing:
        kept = open_study(None, job.metric, job.mode)
        kept.add_trials(study.get_trials())
        study = kept
    result = SearchResult(study, job.metric, None)
    if job.keep_best and any(trial.state.name == "COMPLETE" for trial in result.trials):
        result.model = load_model(job.model_file(result.best_trial.number))
    return result


# --- one trial ---------------------------------------------------------------------------------------


def _run_trial(job: Job, study: Any) -> int:
    """Ask, train, tell; returns the trial's number."""
    optuna = import_optuna()
    states = optuna.trial.TrialState
    trial = study.ask()
    set_seed(job.seed)
    try:
        built = job.build(trial)
        model, options = built if isinstance(built, tuple) else (built, {})
        options = {"verbose": 0, **job.fit, **options}
        patience = sys.maxsize if job.patience is None else job.patience
        best = EarlyStopping(job.metric, patience=patience, mode=job.mode, restore_best_weights=True)
        options["callbacks"] = [*(options.get("callbacks") or ()), best, PruningCallback(trial, job.metric)]
        with np.errstate(over="ignore", invalid="ignore"):  # a trial that diverges says so itself
            history = model.fit(job.x, job.y, **options)
        if history.interrupted:
            raise KeyboardInterrupt
        value = float(best.watch.best)
        if job.keep_best and _leads(study, value):
            model.save(job.model_file(trial.number))  # before it is told, so that a best trial has its file
    except optuna.TrialPruned:
        study.tell(trial, state=states.PRUNED)
    except NonFiniteError as problem:
        trial.set_user_attr("diverged", str(problem))
        study.tell(trial, state=states.PRUNED)
    except BaseException:
        study.tell(trial, state=states.FAIL)
        raise
    else:
        study.tell(trial, value)
        _drop_models(job, study)
    return int(trial.number)


def _leads(study: Any, value: float) -> bool:
    """Whether no completed trial is better."""
    known = [trial.value for trial in study.get_trials(deepcopy=False) if trial.state.name == "COMPLETE"]
    if not known:
        return True
    return value >= max(known) if study.direction.name == "MAXIMIZE" else value <= min(known)


def _drop_models(job: Job, study: Any) -> None:
    """Remove the models of trials that have ended and are not the best."""
    running = {trial.number for trial in running_trials(study)}
    for trial in study.get_trials(deepcopy=False):
        if trial.number != study.best_trial.number and trial.number not in running:
            job.model_file(trial.number).unlink(missing_ok=True)


def _report(study: Any, number: int, metric: str, verbose: int) -> None:
    if not verbose:
        return
    trial = study.get_trials(deepcopy=False)[number]
    epochs = len(trial.intermediate_values)
    value = "" if trial.value is None else f"  {metric} {trial.value:.4f}"
    end = "diverged" if "diverged" in trial.user_attrs else "pruned" if trial.state.name == "PRUNED" else ""
    if not end and study.best_trial.number == number:
        end = "the best so far"
    parameters = "  ".join(f"{name} {format_value(each)}" for name, each in trial.params.items())
    print(f"trial {number}{value}  {epochs} epochs  {seconds(trial):.1f} s  {parameters}{'  ' + end if end else ''}", flush=True)


# --- several processes -------------------------------------------------------------------------------

_worker: tuple[Job, Any, int]  # in a worker: what to do, the study, and with how many threads


def _run_in_processes(job: Job, study: Any, trials: int, workers: int, verbose: int) -> None:
    share = max(1, thread_count() // workers)
    settings = (job, share, current_backend().name, floatx())
    spawn = multiprocessing.get_context("spawn")  # forked, a process would have half of what CUDA and the threads need
    pool = concurrent.futures.ProcessPoolExecutor(workers, spawn, _begin_worker, settings)
    running: set[concurrent.futures.Future[int]] = set()
    with pool:
        try:
            while True:
                while len(running) < min(workers, trials - len(finished_trials(study))):
                    running.add(pool.submit(_run_in_worker))
                if not running:
                    return
                done, running = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
                for future in done:
                    _report(study, future.result(), job.metric, verbose)
        except concurrent.futures.process.BrokenProcessPool as problem:
            raise RuntimeError(
                "a worker process ended before its trial (killed, or out of memory); search again with the same storage to go on"
            ) from problem


def _begin_worker(job: Job, threads: int, backend: str, dtype: str) -> None:
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # between trials; within one, fit stops after its batch
    threading.Thread(target=_end_with_parent, daemon=True).start()
    set_thread_count(threads)
    use_backend(backend)
    set_floatx(dtype)
    _worker = (job, job.open(), threads)


def _end_with_parent() -> None:
    """A killed parent leaves nobody to tell; its workers end at once, and their trials are run anew."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _run_in_worker() -> int:
    job, study, threads = _worker
    with blas_threads(threads):
        return _run_trial(job, study)


def _require_importable(build: Any) -> None:
    """Refuse a function that a new process would not find."""
    try:
        ForkingPickler.dumps(build)
        found = getattr(build, "__module__", "") != "__main__" or hasattr(sys.modules["__main__"], "__file__")
    except Exception:  # pickling raises whatever it likes
        found = False
    if not found:
        raise TypeError(
            f"with several workers new processes import {build!r} by its name, and can't: "
            "put it at the top level of a module (a .py file, not a notebook's cell), or search with workers=1"
        )
