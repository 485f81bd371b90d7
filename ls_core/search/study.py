"""The study behind a search: one journal file, which several processes may write and from which a search goes on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..callbacks.monitor import Monitor

NAME = "search"  # a file holds one study


def import_optuna() -> Any:
    """Optuna, or an error that names the extra."""
    try:
        import optuna
    except ImportError as problem:
        raise ImportError("ls_core.search needs Optuna: pip install 'ls-engine[tune]'") from problem
    return optuna


def open_study(
    storage: Any = None,
    metric: str = "val_loss",
    mode: str = "auto",
    sampler: Callable[..., Any] | None = None,
    pruner: Any = None,
    seed: int = 0,
) -> Any:
    """An Optuna study, for a loop of one's own: ``trial = study.ask()``, train, ``study.tell(trial, value)``.

    Parameters
    ----------
    storage : str or path, optional
        The journal file; made if it isn't there, else the study in it is continued. Default: in memory.
    metric : str
        What the values are; with ``mode`` 'auto' its name says whether more is better.
    mode : {'auto', 'min', 'max'}
    sampler : callable
        An Optuna sampler's class, or what takes ``seed=`` and returns a sampler; default TPESampler.
    pruner : optuna.pruners.BasePruner
        Default: MedianPruner, which ends a trial that is worse than half of the others were at the same epoch, from the
        sixth trial and its fourth epoch on.
    seed : int
        With one process the same seed tries the same, also where a search goes on after its process ended.

    Raises
    ------
    ImportError
        Optuna is not installed.
    ValueError
        The file holds a study of another metric.

    Examples
    --------
    >>> study = open_study(metric='accuracy')
    >>> for _ in range(20):
    ...     trial = study.ask()
    ...     x = trial.suggest_float('x', -1, 1)
    ...     _ = study.tell(trial, 1 - x * x)
    >>> study.best_value > 0.99, study.direction.name
    (True, 'MAXIMIZE')
    """
    optuna = import_optuna()
    from .sampler import RepeatableSampler

    direction = "maximize" if Monitor(metric, mode).sign > 0 else "minimize"
    with _quiet(optuna):
        study = optuna.create_study(
            storage=None if storage is None else _journal(optuna, _path(storage)),
            sampler=RepeatableSampler(sampler or optuna.samplers.TPESampler, seed),
            pruner=optuna.pruners.MedianPruner(n_warmup_steps=3) if pruner is None else pruner,
            study_name=NAME,
            direction=direction,
            load_if_exists=True,
        )
    known = study.user_attrs.get("metric", metric)
    if known != metric or study.direction.name.lower() != direction:
        raise ValueError(
            f"{storage} holds a search for the {study.direction.name.lower()[:3]} of {known!r}, not for the {direction[:3]} of {metric!r}; "
            "give another storage"
        )
    if "metric" not in study.user_attrs:
        study.set_user_attr("metric", metric)
    return study


@contextlib.contextmanager
def joined(storage: Any, open_it: Callable[[], Any]) -> Iterator[Any]:
    """Within, this process counts as one that searches in ``storage``; gives the study that ``open_it()`` opens.

    Whoever finds no other process there first tidies up after those that were killed: a half-written last line, a lock,
    and trials that still count as running, which become failed ones. Where files can't be locked (Windows) such trials stay as they are.
    """
    path = _path(storage)
    with open(path, "ab+") as file:
        alone = _lock(file, exclusive=True)  # the lock ends with the process, however that ends
        if alone:
            _tidy(file, path)
        study = open_it()
        if alone:
            failed = import_optuna().trial.TrialState.FAIL
            for trial in running_trials(study):
                study.tell(trial.number, state=failed)
        _lock(file, exclusive=False)
        yield study


def finished_trials(study: Any) -> list[Any]:
    """The trials that came to an end: completed or pruned ones, in the order of their numbers."""
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state.name in ("COMPLETE", "PRUNED")]


def running_trials(study: Any) -> list[Any]:
    """The trials that run, or ran when their process was killed."""
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state.name == "RUNNING"]


def _path(storage: Any) -> str:
    folder = Path(storage).absolute().parent
    if not folder.is_dir():
        raise FileNotFoundError(f"the folder {folder} of the storage does not exist; make it first (mkdir -p {folder})")
    return os.fspath(storage)


def _journal(optuna: Any, path: str) -> Any:
    backend = optuna.storages.journal.JournalFileBackend(path, lock_obj=_journal_lock(optuna, path))
    return optuna.storages.JournalStorage(backend)


def _journal_lock(optuna: Any, path: str) -> Any:
    journal = optuna.storages.journal
    return journal.JournalFileOpenLock(path) if os.name == "nt" else journal.JournalFileSymlinkLock(path)


def _lock(file: Any, exclusive: bool) -> bool:
    """Lock a file: alone, if no other process has it, or with others. False where that can't be."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB if exclusive else fcntl.LOCK_SH)
    except (ImportError, OSError):
        return False
    return True


def _tidy(file: Any, path: str) -> None:
    with contextlib.suppress(RuntimeError):  # there is none
        _journal_lock(import_optuna(), path).release()
    file.seek(0)
    written = file.read()
    whole = written.rfind(b"\n") + 1
    if whole < len(written):
        file.truncate(whole)


@contextlib.contextmanager
def _quiet(optuna: Any) -> Iterator[None]:
    """Without Optuna's line about every study that is opened."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(level, optuna.logging.WARNING))
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)
