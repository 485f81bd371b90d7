"""assert_resumable: a proof, on a model and data of one's own, that a run goes on bit for bit where it was broken off."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from .backend import to_host
from .callbacks.backup_and_restore import BackupAndRestore
from .callbacks.callback import Callback
from .callbacks.trigger import Trigger
from .checkpoint import load_model, save_model
from .data import as_arrays, count_rows, is_texts, tree_leaves
from .layer import Layer
from .random import get_random_state, same_random_numbers
from .tensorfile import sum_of

Notes = list[tuple[str, Any]]  # what was seen in a step, in the order in which it came to be

HINTS = {
    "batch": "the data give other batches: let a loader draw from ls_core.random_stream, and a generator begin anew when it is made again",
    "output": "this layer computes from something that is neither a Parameter nor a random stream of LS; make what lasts a state Parameter",
    "stream": "more or fewer random numbers were drawn",
    "weight": "the update differs: does a callback hold something that its get_state leaves out?",
    "optimizer": "the optimiser remembers something that its get_state leaves out",
}


def assert_resumable(
    model: Any,
    data: Any,
    steps: int = 4,
    batch_size: int | None = None,
    callbacks: Callable[[], Iterable[Callback]] = list,
) -> None:
    """Train a few steps, write a checkpoint, go on; resume in a copy from the checkpoint; compare every bit.

    Parameters
    ----------
    model : compiled model, or callable that makes one
        A model itself is not changed: copies of it are trained, made by way of a file, for which its classes must be
        registered. A function that makes it, as a script does, needs no such thing.
    data : (x, y) or (x, y, sample_weight), DataLoader, or callable that makes one of these or a generator
    steps : int
        So many before and after the checkpoint.
    batch_size : int, optional
        Of arrays; default: so small that the checkpoint falls within an epoch.
    callbacks : callable
        Returns the callbacks of a run, new ones each time.

    Raises
    ------
    AssertionError
        Something differs; the message names what differs first, and in which step.
    TypeError
        ``data`` is an iterator, which can be run through once only: pass the function that makes it.

    Examples
    --------
    >>> import ls_core
    >>> from ls_layers import Dense, Dropout
    >>> model = ls_core.Sequential([Dense(8, activation='relu'), Dropout(0.5), Dense(2, activation='softmax')])
    >>> model.compile('adam', 'sparse_categorical_crossentropy')
    >>> ls_core.assert_resumable(model, (np.ones((40, 3)), np.arange(40) % 2))
    """
    if not callable(data) and hasattr(data, "__next__"):
        raise TypeError("a generator can be run through once only, and this needs its data twice: pass the function that makes it")
    with tempfile.TemporaryDirectory() as folder:
        seen = []
        make = _copies_of(model, data, Path(folder) / "model") if isinstance(model, Layer) else model
        for first in (True, False):
            with same_random_numbers():
                witness = _Witness(steps, 0 if first else steps)
                trained = make()
                backup = BackupAndRestore(Path(folder) / "run.ckpt", Trigger(at=steps, unit="step"), delete_checkpoint=False)
                _fit(trained, data, batch_size, 2 * steps, [*callbacks(), backup, witness])
            seen.append(witness.notes)
        _compare(trained, steps, *seen)


def _copies_of(model: Any, data: Any, path: Path) -> Callable[[], Any]:
    model._require_compiled("assert_resumable")
    with same_random_numbers():
        if not model.built:
            _feed(model, data)
        save_model(model, path)
    return lambda: load_model(path)


def _parts(data: Any) -> tuple[Any, Any, Any]:
    found = data() if callable(data) else data
    x, y, weights = [*found, None, None][:3] if isinstance(found, tuple) else (found, None, None)
    return x, y, weights


def _feed(model: Any, data: Any) -> None:
    """Build the model on the first rows."""
    from .feeding import feed_fit

    x, y, weights = _parts(data)
    model._prepare(feed_fit(model, x, y, weights, None, 32, False, None, 0.0, None, 32, None)[0].first_rows())


def _fit(model: Any, data: Any, batch_size: int | None, steps: int, callbacks: list[Callback]) -> None:
    x, y, weights = _parts(data)
    if y is not None and batch_size is None:
        batch_size = max(1, min(32, count_rows(y=as_arrays(y)) // steps))
    model.fit(x, y, batch_size=batch_size, sample_weight=weights, epochs=steps + 1, verbose=0, callbacks=callbacks)


class _Witness(Callback):
    """Notes checksums of all that happens in each step after the checkpoint."""

    place = 4

    def __init__(self, steps: int, done: int) -> None:
        super().__init__()
        self.steps, self.done = steps, done
        self.notes: dict[int, Notes] = {}

    def on_train_begin(self, logs: Any = None) -> None:
        self._train_step = self.model.train_step
        self.model.__dict__["train_step"] = self._step
        for layer in self.model._flatten():
            if not layer._sublayers:
                layer.__dict__["forward"] = self._listening(layer, layer.forward)

    def _listening(self, layer: Any, forward: Any) -> Any:
        def listening(*inputs: Any, **options: Any) -> Any:
            y, cache = forward(*inputs, **options)
            if options.get("training"):
                self._note(f"output of {layer}", y)
            return y, cache

        return listening

    def _step(self, x: Any, y: Any, weights: Any, tracker: Any) -> None:
        self._note("batch", [x, y, weights])
        self._train_step(x, y, weights, tracker)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self.done == self.steps:  # right after the checkpoint: is all of it there again?
            self._note_state()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._note_state()
        for name, inner in get_random_state()["streams"].items():
            self._note(f"stream '{name}'", str(inner))
        self.done += 1
        self.model.stop_training = self.model.stop_training or self.done == 2 * self.steps

    def _note_state(self) -> None:
        for parameter in self.model.parameters():
            self._note(f"weight '{parameter.path}'", parameter.value)
        for name, value in sorted(self.model.optimizer.get_state().items()):
            self._note(f"optimizer state '{name}'", value)

    def _note(self, what: str, value: Any) -> None:
        if self.done >= self.steps:
            self.notes.setdefault(self.done - self.steps + 1, []).append((what, value if isinstance(value, str) else _sums(value)))

    def on_train_end(self, logs: Any = None) -> None:
        for layer in self.model._flatten():
            layer.__dict__.pop("forward", None)
        self.model.__dict__.pop("train_step", None)


def _sums(value: Any) -> list[Any]:
    leaves = [leaf for leaf in tree_leaves(value) if leaf is not None]
    return [list(leaf) if is_texts(leaf) else sum_of(np.asarray(to_host(leaf))) for leaf in leaves]


def _compare(model: Any, steps: int, whole: dict[int, Notes], resumed: dict[int, Notes]) -> None:
    for step in range(1, steps + 1):
        ours, theirs = whole.get(step, []), resumed.get(step, [])
        for (what, a), (other, b) in zip(ours, theirs, strict=False):
            if what != other or a != b:
                hint = HINTS.get(what.split()[0], "")
                raise AssertionError(f"{model} is not resumable: in step {step} after the checkpoint the {what} differs first; {hint}")
        if len(ours) != len(theirs):
            raise AssertionError(f"{model} is not resumable: in step {step} after the checkpoint one run did more than the other")
    if not whole:
        raise AssertionError(f"the data gave too few batches: {2 * steps} steps are needed")
