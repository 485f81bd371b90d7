"""Trainer: compile, fit, evaluate, predict. The whole of training is ``fit`` and ``train_step`` below."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from .backend import backend_of, to_device, to_host
from .callbacks.callback import Callback, CallbackList
from .callbacks.history import History
from .callbacks.interrupt import StopOnInterrupt
from .callbacks.progress import ProgressBar
from .errors import NotBuiltError
from .layer import collect_losses
from .objective import Objective
from .registry import deserialize
from .tracking import LazyLogs, LossTracker, explain_non_finite
from .types import Array


class Trainer:
    """What a model can do beside being a layer; ``Sequential`` and ``Model`` derive from it."""

    stop_training = False
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
        NonFiniteError
            The loss became NaN or infinite; the weights are those before that step.

        Ctrl-C ends the run after the current batch; the model stays usable and the History complete.
        """
        from .feeding import feed_fit

        objective = self._require_compiled("fit")
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
        self._prepare(train.first_rows())
        history = History()
        verbosity = 1 if verbose == "auto" else int(verbose)
        shown = [ProgressBar(verbosity)] if verbosity else []
        moments = CallbackList([history, *(callbacks or ()), *shown], self, {"epochs": epochs, "steps": train.steps})
        self.stop_training = False
        moments.call("train_begin")
        with StopOnInterrupt() as interrupt:
            for epoch in range(initial_epoch, epochs):
                moments.call("epoch_begin", epoch)
                objective.reset()
                tracker = LossTracker(objective)
                for step, (bx, by, bw) in enumerate(train):
                    moments.call("train_batch_begin", step)
                    self.train_step(bx, by, bw, tracker)
                    moments.call("train_batch_end", step, LazyLogs(tracker.results))
                    if self.stop_training or interrupt.requested:
                        break
                if interrupt.requested:
                    history.interrupted = True
                    break
                logs = tracker.results()
                if validation is not None and (epoch + 1) % validation_freq == 0:
                    logs.update({f"val_{k}": v for k, v in self._evaluate(validation, moments).items()})
                moments.call("epoch_end", epoch, logs)
                if self.stop_training:
                    break
            moments.call("train_end")
        self.history = history
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
        self.optimizer.apply(self._all_parameters)

    # --- evaluate and predict --------------------------------------------------------------------

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

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Iterable[Callback] | None = None,
    ) -> Any:
        """The outputs for all of ``x``, as NumPy arrays (a list or a dict of them for several outputs)."""
        from .feeding import feed

        data = feed(self, x, None, None, batch_size or 32, steps=steps)
        moments = CallbackList(callbacks or (), self, {"steps": data.steps})
        moments.call("predict_begin")
        parts: list[Any] = []
        for step, (bx, _, _) in enumerate(data):
            moments.call("predict_batch_begin", step)
            parts.append(_to_host(self(*bx)))
            moments.call("predict_batch_end", step)
        moments.call("predict_end")
        if not parts:
            raise ValueError("predict got no rows")
        return _join(parts)

    def predict_labels(self, x: Any, batch_size: int | None = None) -> list[Any]:
        """The most probable label of every row, by the label index that ``fit`` learned."""
        index = getattr(self, "label_index", None)
        scores = self.predict(x, batch_size=batch_size)
        ids = (scores.reshape(len(scores)) > 0.5).astype(int) if scores.shape[-1] == 1 else scores.argmax(axis=-1)
        return list(index.decode(ids)) if index is not None else ids.tolist()

    # --- one batch at a time ---------------------------------------------------------------------

    def train_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False) -> Any:
        """One step on this batch; returns this batch's loss, or [loss, metrics ...]."""
        from .feeding import feed_fit

        objective = self._require_compiled("train_on_batch")
        data, _ = feed_fit(self, x, y, sample_weight, class_weight, None, False, None, 0.0, None, 32, None)
        self._prepare(data.first_rows())
        objective.reset()
        tracker = LossTracker(objective)
        for batch in data:
            self.train_step(*batch, tracker)
        return tracker.results() if return_dict else _flat(tracker.results())

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """This batch's loss, or [loss, metrics ...], without a step."""
        return self.evaluate(x, y, batch_size=2**62, verbose=0, sample_weight=sample_weight, return_dict=return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for this batch."""
        return self.predict(x, batch_size=2**62, verbose=0)

    # --- files and pictures ----------------------------------------------------------------------

    def save(self, path: Any, include_optimizer: bool = True) -> None:
        """Write the model, its vocabulary and labels (and the optimiser's state) to one file; see checkpoint.py."""
        from .checkpoint import save_model

        save_model(self, path, include_optimizer=include_optimizer)

    def save_weights(self, path: Any) -> None:
        """Write the Parameters alone."""
        from .checkpoint import save_weights

        save_weights(self, path)

    def load_weights(self, path: Any) -> None:
        """Read Parameters that ``save_weights`` (or ``save``) wrote into this model."""
        from .checkpoint import load_weights

        load_weights(self, path)

    def summary(self, print_fn: Any = print) -> None:
        """Print each layer's output shape, Parameters, and the bytes that it keeps for its backward."""
        from .summary import summarize

        print_fn(summarize(self))

    # --- before the first batch ------------------------------------------------------------------

    def _require_compiled(self, what: str) -> Objective:
        if self._objective is None:
            raise RuntimeError(f"call compile before {what}: model.compile(optimizer='adam', loss='sparse_categorical_crossentropy')")
        return self._objective

    def _prepare(self, rows: tuple[Array, ...]) -> None:
        """Build on the first rows, then look up once what every step needs."""
        objective = self._objective
        assert objective is not None
        self(*rows)  # builds what isn't built yet, and finds a wrong shape before the first step
        self._all_parameters = self.parameters()  # type: ignore[attr-defined]
        self._regularized = [p for p in self._all_parameters if p.regularizer is not None and p.trainable]
        self._has_penalties = any(layer.adds_loss for layer in self._flatten())  # type: ignore[attr-defined]
        if not self.built:  # type: ignore[attr-defined]
            raise NotBuiltError(f"{self} could not be built from the first batch")
        objective.join(self)

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        return super().__call__(*inputs, **options)  # type: ignore[misc]


def _flat(logs: dict[str, float]) -> Any:
    values = list(logs.values())
    return values[0] if len(values) == 1 else values


def _to_host(y: Any) -> Any:
    if isinstance(y, dict):
        return {k: to_host(v) for k, v in y.items()}
    return [to_host(v) for v in y] if isinstance(y, (list, tuple)) else to_host(y)


def _join(parts: list[Any]) -> Any:
    first = parts[0]
    if isinstance(first, dict):
        return {k: np.concatenate([p[k] for p in parts]) for k in first}
    if isinstance(first, list):
        return [np.concatenate([p[i] for p in parts]) for i in range(len(first))]
    return np.concatenate(parts)


__all__ = ["Trainer", "to_device"]
