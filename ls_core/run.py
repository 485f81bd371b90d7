"""Run: a fit on its way, and the one file from which it goes on bit for bit.

The file is a model file (``load_model`` reads it) with an entry ``run`` in its header: epoch, position in the data,
the random streams, what losses and metrics have gathered in the running epoch, the History and the other callbacks'
states. The optimiser's tensors hold its schedules' step, its averages and half-accumulated gradients.

The same machine, libraries and number of threads give the same bits; elsewhere a resumed run is as good, not equal.
"""

from __future__ import annotations

from typing import Any

from .backend import to_device
from .callbacks.callback import Callback, CallbackList
from .checkpoint import FORMAT, describe, read_header, read_weights, weight_tensors, write_tensors
from .errors import FileError
from .feeds import Feed, backend_of_model
from .packing import pack, unpack
from .parameter import Parameter
from .probe import make_probe, run_probe
from .random import get_random_state, set_random_state
from .tensorfile import TensorFile
from .tracking import LossTracker, memory_kept, stateful_layers
from .version import __version__


class Run:
    """Where a fit stands. ``model.run`` is it while fit runs.

    Attributes
    ----------
    epoch : int
        The epoch that runs, or the one that comes next.
    train, validation : feeds
        ``train.step`` counts the batches of this epoch that are done, ``train.batch_size`` may be changed.
    tracker : LossTracker
    callbacks : CallbackList
    history : History
    """

    def __init__(self, model: Any, train: Feed, validation: Feed | None, callbacks: CallbackList, history: Any, epoch: int) -> None:
        self.model, self.train, self.validation = model, train, validation
        self.callbacks, self.history, self.epoch = callbacks, history, epoch
        self.tracker = LossTracker(model._objective)
        self._waiting: Any = None  # a state within an epoch, until that epoch's beginning has been announced

    def begin_epoch(self) -> None:
        """Start losses and metrics anew; or, after ``restore``, put everything where the checkpoint had it."""
        self.model._objective.reset()
        self.tracker = LossTracker(self.model._objective)
        if self._waiting is not None:
            state, self._waiting = self._waiting, None
            self.set_state(state)

    def end_epoch(self) -> None:
        """Stand before the next epoch."""
        self.epoch += 1
        self.train.end_epoch()

    # --- the state -----------------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Everything but the weights; a tree that ``pack`` takes."""
        return {
            "name": self.model.path,
            "optimizer": self.model.optimizer.get_state(),
            "states": [[state.value for state in layer.states] for layer in stateful_layers(self.model)],
            "epoch": self.epoch,
            "train": self.train.get_state(),
            "validation": None if self.validation is None else self.validation.get_state(),
            "random": get_random_state(),
            "losses": self.tracker.get_state(),
            "metrics": self.model._objective.get_state(),
            "callbacks": [[type(each).__name__, each.get_state()] for each in self._remembering()],
            "precision": None if self.model._precision is None else self.model._precision.get_state(),
            "stop_training": self.model.stop_training,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Stand where ``get_state`` stood.

        Raises
        ------
        ValueError
            The data or the callbacks are not those of that run.
        """
        callbacks = self._remembering()
        ours, theirs = [type(each).__name__ for each in callbacks], [name for name, _ in state["callbacks"]]
        if ours != theirs:
            raise ValueError(
                f"the checkpoint's run had the callbacks {', '.join(theirs)}, this one has {', '.join(ours)}; resume it with the same ones"
            )
        old, new = state["name"], self.model.path
        random = {**state["random"], "streams": _renamed(state["random"]["streams"], old, new)}
        self.model.optimizer.set_state(_renamed(state["optimizer"], old, new))
        for layer, states in zip(stateful_layers(self.model), state["states"], strict=True):
            layer.states = [Parameter(value, f"state_{i}", state=True) for i, value in enumerate(states)]
        leave = list(self.train.set_state(state["train"]))
        if self.validation is not None and state["validation"] is not None:
            leave += self.validation.set_state(state["validation"])
        self.epoch = state["epoch"]
        self.tracker.set_state(state["losses"])
        self.model._objective.set_state(state["metrics"])
        for callback, (_, inner) in zip(callbacks, state["callbacks"], strict=True):
            callback.set_state(inner)
        if self.model._precision is not None and state["precision"] is not None:
            self.model._precision.set_state(state["precision"])
        self.model.stop_training = state["stop_training"]
        set_random_state(random, leave)

    def _remembering(self) -> list[Callback]:
        return [each for each in self.callbacks.callbacks if type(each).get_state is not Callback.get_state]

    # --- the file ------------------------------------------------------------------------------------

    def save(self, path: Any) -> None:
        """Write a checkpoint; whenever the process ends, ``path`` is the old file or the new one, whole."""
        tensors, state = weight_tensors(self.model), self.get_state()
        try:
            header = describe(self.model)
        except TypeError:  # a class of the user's that is not registered: no model file, but a checkpoint all the same
            header = {"format": FORMAT, "version": __version__}
        header["probe"] = make_probe(self.model, tensors)
        tensors.update({f"optimizer/{name}": value for name, value in state.pop("optimizer").items()})
        header["run"] = pack(state, "run", tensors)
        write_tensors(path, tensors, header)

    def restore(self, path: Any) -> None:
        """Go on from a checkpoint: called before the first epoch.

        ``model.loaded_as`` then says how the model repeats the outputs that it had in the checkpoint, as after ``load_model``:
        'identical' where the run goes on bit for bit.

        Raises
        ------
        FileError
            The file is none, or is corrupted, or holds another model.
        ValueError
            It was written by a run over other data or with other callbacks.
        """
        backend, objective = backend_of_model(self.model), self.model._objective
        x, y, _ = self.train.first_batch()
        with memory_kept(self.model):
            objective.make_metrics(y, objective.model(*x))  # which are to take up what they had gathered
        with TensorFile(path) as file:
            header = read_header(file)
            packed = header.get("run")
            if not isinstance(packed, dict):
                raise FileError(f"{path} holds a model, but no run that could be continued; load_model reads it")
            try:
                state = unpack(packed, file.read, lambda array: to_device(array, backend))
                optimizer = [name for name in file.names() if name.startswith("optimizer/")]
                state["optimizer"] = {name.removeprefix("optimizer/"): file.read(name) for name in optimizer}
            except (KeyError, TypeError) as problem:
                raise FileError(f"{path}: its entry 'run' is none of LS ({type(problem).__name__}: {problem})") from problem
            read_weights(self.model, file)
            self.model.loaded_as = run_probe(self.model, header.get("probe"), file)
        if state["train"]["step"]:
            self.epoch, self._waiting = state["epoch"], state
        else:
            self.set_state(state)


def _renamed(found: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    """What stands under names of the model ``old``, under those of the model ``new``."""
    return {f"{new}/{name[len(old) + 1 :]}" if name.startswith(f"{old}/") else name: each for name, each in found.items()}
