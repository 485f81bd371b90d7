"""Trainer: the whole of training is ``fit`` and ``train_step`` below."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from contextlib import closing
from typing import Any

from .backend import backend_of
from .callbacks.callback import Callback, CallbackList
from .callbacks.history import History
from .callbacks.interrupt import StopOnInterrupt
from .callbacks.progress import ProgressBar
from .errors import NonFiniteError
from .evaluation import Evaluator, Found, flat_logs
from .layer import collect_losses
from .parameter import Parameter
from .run import Run
from .tracking import LazyLogs, LossTracker, explain_non_finite
from .types import Array


class Trainer(Evaluator):
    """What a model can do beside being a layer; ``Sequential`` and ``Model`` derive from it."""

    stop_training = False
    gradient_watchers: tuple[Callable[[list[Parameter]], None], ...] = ()  # called before each update; they read, never write

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
        validation_freq: int | Collection[int] = 1,
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
        validation_freq : int or list of int
            Validate after every so many epochs, or after those epochs, counted from 1.
        class_weight : dict
            Class number (or label) to weight.
        sample_weight : array
        steps_per_epoch : int
            End an epoch after so many batches; the next one goes on behind them, and the data begin anew when they are used up.

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
        from .feeding import check_counts, feed_fit, rows_per_batch

        self._require_compiled("fit")
        check_counts(0, epochs=epochs, initial_epoch=initial_epoch)
        check_counts(steps_per_epoch=steps_per_epoch, validation_steps=validation_steps)
        if not isinstance(validation_freq, Collection):
            check_counts(validation_freq=validation_freq)
        train, validation = feed_fit(
            self,
            x,
            y,
            sample_weight,
            class_weight,
            rows_per_batch(batch_size),
            shuffle,
            steps_per_epoch,
            validation_split,
            validation_data,
            rows_per_batch(batch_size if validation_batch_size is None else validation_batch_size),
            validation_steps,
        )
        self._prepare(train.first_rows(), training=True)
        history = History()
        verbosity = 1 if verbose == "auto" else int(verbose)
        shown = [ProgressBar(verbosity)] if verbosity else []
        given = [callbacks] if isinstance(callbacks, Callback) else callbacks or ()
        moments = CallbackList([*given, history, *shown], self, {"epochs": epochs, "steps": train.steps, "verbose": verbosity})
        run = self.run = Run(self, train, validation, moments, history, initial_epoch)
        self.stop_training = False
        logs: dict[str, float] = {}  # of the last epoch
        moments.call("train_begin")  # BackupAndRestore may put the run to where it was when its process ended
        with StopOnInterrupt() as interrupt, closing(train):
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
                if train.exhausted:
                    self.stop_training = True
                    if run.tracker.rows == 0:
                        break
                if interrupt.requested:
                    history.interrupted = True
                    break
                logs = run.tracker.results()
                if not math.isfinite(logs["loss"]) and not self.stop_training:  # on a device nobody looked before
                    moments.bear(explain_non_finite(self, batch[0], logs["loss"]))
                if validation is not None and _is_due(epoch + 1, validation_freq):
                    logs.update({f"val_{k}": v for k, v in self._evaluate(validation, moments).items()})
                run.end_epoch()
                moments.call("epoch_end", epoch, logs)
            if getattr(self.optimizer, "use_ema", False):
                self.optimizer.finalize_variable_values(self._all_parameters)
            moments.call("train_end", logs)
        self.history, self.run = history, None
        return history

    def train_step(self, x: tuple[Array, ...], y: Any, weights: Any, tracker: LossTracker) -> None:
        """One step: forward, loss, backward, update. No value is read back from the device."""
        objective, precision = self._objective, self._precision
        assert objective is not None
        try:
            found = self.find_gradients(x, y, weights) if self._graphs is None else self._graphs.find_gradients(self, x, y, weights)
            y_pred, mask, values, loss = found
            if precision is not None and precision.overflowed(self, x, loss):
                return
            objective.update_metrics(y, y_pred, weights, mask)
            tracker.add(loss, values, len(x[0]))
            may_overflow = precision is not None and precision.scales
            if backend_of(loss).name == "numpy" and not may_overflow and not math.isfinite(loss):  # on a device: at the end of the epoch
                raise explain_non_finite(self, x, loss)
        except BaseException:
            for parameter in self._all_parameters:
                parameter.drop_grad()
            raise
        for watch in self.gradient_watchers:
            watch(self._all_parameters)
        self.optimizer.apply(self._all_parameters)

    def find_gradients(self, x: tuple[Array, ...], y: Any, weights: Any) -> Found:
        """Forward, loss and backward: leaves the gradients in the Parameters, -> outputs, mask, each output's loss, loss.

        A function of the batch, the Parameters and random numbers alone: what ``jit_compile`` captures in a CUDA graph.
        """
        objective = self._objective
        assert objective is not None
        if self._precision is not None:
            return self._precision.find_gradients(self, x, y, weights)
        y_pred, cache = objective.model.forward(*x, training=True)
        mask = cache.mask
        values, loss, dy = objective.value_and_grad(y, y_pred, weights, mask)
        penalty = collect_losses(cache) if self._has_penalties else None
        objective.model.backward(dy, cache, input_gradient=False)
        for parameter in self._regularized:
            parameter.accumulate(parameter.regularizer.gradient(parameter.value))
            term = parameter.regularizer(parameter.value)
            penalty = term if penalty is None else penalty + term
        return y_pred, mask, values, loss if penalty is None else loss + penalty

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
        return tracker.results() if return_dict else flat_logs(tracker.results())


def _is_due(epoch: int, frequency: int | Collection[int]) -> bool:
    return epoch in frequency if isinstance(frequency, Collection) else epoch % frequency == 0


__all__ = ["Trainer"]
