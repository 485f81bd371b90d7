"""Trainer: compile, fit, evaluate, predict. The whole of training is ``fit`` and ``train_step`` below."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from .backend import backend_of
from .callbacks.callback import Callback, CallbackList
from .callbacks.history import History
from .callbacks.interrupt import StopOnInterrupt
from .callbacks.progress import ProgressBar
from .errors import NonFiniteError, NotBuiltError
from .layer import collect_losses
from .objective import Objective
from .parameter import Parameter
from .predictor import Predictor
from .registry import deserialize
from .run import Run
from .tracking import LazyLogs, LossTracker, explain_non_finite, memory_kept
from .types import Array


class Trainer(Predictor):
    """What a model can do beside being a layer; ``Sequential`` and ``Model`` derive from it."""

    stop_training = False
    run: Run | None = None  # where fit stands, while it runs
    gradient_watchers: tuple[Callable[[list[Parameter]], None], ...] = ()  # called before each update; they read, never write
    optimizer: Any = None
    _objective: Objective | None = None

    # --- compile ---------------------------------------------------------------------------------

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        **keras_only: Any,
    ) -> None:
        """Say what is minimised, how, and what is measured.

        Parameters
        ----------
        optimizer : str or Optimizer
            'adam', or an object such as ``Adam(learning_rate=1e-4)``.
        loss : str or Loss; for several outputs a list, or a dict by output name
        loss_weights : list or dict of float, optional
        metrics, weighted_metrics : list of str or Metric; for several outputs a list of lists, or a dict
            'accuracy' becomes the accuracy that fits the loss. The weighted ones see the sample weights.

        Raises
        ------
        ValueError
            No loss, an unknown name, or a name that is no output.
        """
        unknown = set(keras_only) - {"run_eagerly", "steps_per_execution", "jit_compile", "auto_scale_loss"}
        if unknown:
            raise TypeError(f"compile() takes no argument {sorted(unknown)[0]!r}")
        self._compiled_with = {
            "optimizer": optimizer,
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
        }
        names: list[str] = getattr(self, "output_names", ["output"]) if getattr(self, "_symbols_out", None) else ["output"]
        self._objective = Objective(loss, loss_weights, metrics, weighted_metrics, names)
        self.optimizer = deserialize("optimizer", optimizer)

    # --- fit: the loop ---------------------------------------------------------------------------

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Iterable[Callback] | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: dict[Any, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int = 1,
    ) -> History:
        """Train for ``epochs`` passes over the data; returns the curves.

        Parameters
        ----------
        x : array, list of arrays, dict, pandas Series or DataFrame, list of str, generator, Dataset or DataLoader
            Texts that meet an Embedding first are turned into ids by a TextVectorization learned from the
            training part alone, which stays with the model.
        y : array, pandas Series or list
            Labels that are no class numbers (strings) get a label index, which stays with the model.
        batch_size : int
            Default 32.
        validation_split : float
            The last part of x and y, before shuffling, is kept for validation.
        validation_data : (x, y) or (x, y, sample_weight), or anything that x may be
        class_weight : dict
            Class number (or label) to weight.
        sample_weight : array

        Raises
        ------
        RuntimeError
            fit before compile.
        ValueError
            No Parameter is trainable.
        NonFiniteError
            The loss became NaN or infinite; the weights are those before that step.

        Ctrl-C ends the run after the current batch; the model stays usable and the History complete.
        """
        from .feeding import feed_fit

        self._require_compiled("fit")
        train, validation = feed_fit(
            self,
            x,
            y,
            sample_weight,
            class_weight,
            batch_size or 32,
            shuffle,
            steps_per_epoch,
            validation_split,
            validation_data,
            validation_batch_size or batch_size or 32,
            validation_steps,
        )
        self._prepare(train.first_rows(), training=True)
        history = History()
        verbosity = 1 if verbose == "auto" else int(verbose)
        shown = [ProgressBar(verbosity)] if verbosity else []
        moments = CallbackList([*(callbacks or ()), history, *shown], self, {"epochs": epochs, "steps": train.steps})
        run = self.run = Run(self, train, validation, moments, history, initial_epoch)
        self.stop_training = False
        moments.call("train_begin")  # BackupAndRestore may put the run to where it was when its process ended
        with StopOnInterrupt() as interrupt:
            while run.epoch < epochs and not (self.stop_training and train.step == 0):
                epoch = run.epoch
                moments.call("epoch_begin", epoch)
                run.begin_epoch()
                for step, batch in enumerate(train, train.step):
                    moments.call("train_batch_begin", step)
                    try:
                        self.train_step(*batch, run.tracker)
                    except NonFiniteError as problem:
                        moments.bear(problem)
                    moments.call("train_batch_end", step, LazyLogs(run.tracker.results))
                    if self.stop_training or interrupt.requested:
                        break
                if interrupt.requested:
                    history.interrupted = True
                    break
                logs = run.tracker.results()
                if not math.isfinite(logs["loss"]) and not self.stop_training:  # on a device nobody looked before
                    moments.bear(explain_non_finite(self, batch[0], logs["loss"]))
                if validation is not None and (epoch + 1) % validation_freq == 0:
                    logs.update({f"val_{k}": v for k, v in self._evaluate(validation, moments).items()})
                run.end_epoch()
                moments.call("epoch_end", epoch, logs)
            if getattr(self.optimizer, "use_ema", False):
                self.optimizer.finalize_variable_values(self._all_parameters)
            moments.call("train_end")
        self.history, self.run = history, None
        return history

    def train_step(self, x: tuple[Array, ...], y: Any, weights: Any, tracker: LossTracker) -> None:
        """One step: forward, loss, backward, update. No value is read back from the device."""
        objective = self._objective
        assert objective is not None
        y_pred, cache = objective.model.forward(*x, training=True)
        values, loss, dy = objective.value_and_grad(y, y_pred, weights, cache.mask)
        penalty = collect_losses(cache) if self._has_penalties else None
        objective.update_metrics(y, y_pred, weights, cache.mask)
        objective.model.backward(dy, cache, input_gradient=False)
        for parameter in self._regularized:
            parameter.accumulate(parameter.regularizer.gradient(parameter.value))
            term = parameter.regularizer(parameter.value)
            penalty = term if penalty is None else penalty + term
        if penalty is not None:
            loss = loss + penalty
        tracker.add(loss, values, len(x[0]))
        if backend_of(loss).name == "numpy" and not math.isfinite(loss):  # on a device: at the end of the epoch
            for parameter in self._all_parameters:
                parameter.drop_grad()
            raise explain_non_finite(self, x, loss)
        for watch in self.gradient_watchers:
            watch(self._all_parameters)
        self.optimizer.apply(self._all_parameters)

    # --- evaluate --------------------------------------------------------------------------------

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Iterable[Callback] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """The loss, or [loss, metrics ...], or a dict of them, over all the data."""
        from .feeding import feed

        self._require_compiled("evaluate")
        data = feed(self, x, y, sample_weight, batch_size or 32, steps=steps)
        self._prepare(data.first_rows())
        logs = self._evaluate(data, CallbackList(callbacks or (), self, {"steps": data.steps}))
        return logs if return_dict else _flat(logs)

    def _evaluate(self, data: Any, moments: CallbackList) -> dict[str, float]:
        objective = self._objective
        assert objective is not None
        objective.reset()
        tracker = LossTracker(objective)
        moments.call("test_begin")
        for step, (x, y, weights) in enumerate(data):
            moments.call("test_batch_begin", step)
            self.test_step(x, y, weights, tracker)
            moments.call("test_batch_end", step, LazyLogs(tracker.results))
        logs = tracker.results()
        moments.call("test_end", logs)
        return logs

    def test_step(self, x: tuple[Array, ...], y: Any, weights: Any, tracker: LossTracker) -> None:
        """One batch of ``evaluate``."""
        objective = self._objective
        assert objective is not None
        y_pred, cache = objective.model.forward(*x, training=False)
        values, loss = objective.values(y, y_pred, weights, cache.mask)
        if self._has_penalties:
            loss = loss + collect_losses(cache)
        for parameter in self._regularized:
            loss = loss + parameter.regularizer(parameter.value)
        objective.update_metrics(y, y_pred, weights, cache.mask)
        tracker.add(loss, values, len(x[0]))

    # --- one batch at a time ---------------------------------------------------------------------

    def train_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False) -> Any:
        """One step on this batch; returns this batch's loss, or [loss, metrics ...]."""
        from .feeding import feed_fit

        objective = self._require_compiled("train_on_batch")
        data, _ = feed_fit(self, x, y, sample_weight, class_weight, None, False, None, 0.0, None, 32, None)
        self._prepare(data.first_rows(), training=True)
        objective.reset()
        tracker = LossTracker(objective)
        for batch in data:
            self.train_step(*batch, tracker)
        return tracker.results() if return_dict else _flat(tracker.results())

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """This batch's loss, or [loss, metrics ...], without a step."""
        return self.evaluate(x, y, batch_size=2**62, verbose=0, sample_weight=sample_weight, return_dict=return_dict)

    # --- before the first batch ------------------------------------------------------------------

    def _require_compiled(self, what: str) -> Objective:
        if self._objective is None:
            raise RuntimeError(f"call compile before {what}: model.compile(optimizer='adam', loss='sparse_categorical_crossentropy')")
        return self._objective

    def _prepare(self, rows: tuple[Array, ...], training: bool = False) -> None:
        """Build on the first rows, then look up once what every step needs."""
        objective = self._objective
        assert objective is not None
        with memory_kept(self):
            self(*rows)  # builds what isn't built yet, and finds a wrong shape before the first step
        self._all_parameters = self.parameters()  # type: ignore[attr-defined]
        self._regularized = [p for p in self._all_parameters if p.regularizer is not None and p.trainable]
        self._has_penalties = any(layer.adds_loss for layer in self._flatten())  # type: ignore[attr-defined]
        if not self.built:  # type: ignore[attr-defined]
            raise NotBuiltError(f"{self} could not be built from the first batch")
        if training and not any(p.trainable for p in self._all_parameters):
            raise ValueError(
                f"{self} has no trainable Parameter ({len(self._all_parameters)} in all), so there is nothing to fit; "
                "set layer.trainable = True for what is to learn, or use evaluate"
            )
        objective.join(self)


def _flat(logs: dict[str, float]) -> Any:
    values = list(logs.values())
    return values[0] if len(values) == 1 else values


__all__ = ["Trainer"]
