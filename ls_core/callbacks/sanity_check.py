"""SanityCheck: three short experiments before a run that find the commonest mistakes, each explained."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backend import to_host
from ..errors import NonFiniteError
from ..feeds import ArrayFeed
from ..random import Stream
from ..tracking import LossTracker
from .callback import Callback, CallbackList


@dataclass(frozen=True)
class Finding:
    """What one experiment found; ``passed`` is None where it does not apply."""

    check: str
    passed: bool | None
    explanation: str

    def __str__(self) -> str:
        mark = {True: "passed", False: "FAILED", None: "left out"}[self.passed]
        return f"{self.check}: {mark}. {self.explanation}"


class SanityCheck(Callback):
    """Before the first epoch: is the first loss near ln C, can one batch be learned by heart, do shuffled labels teach nothing?

    Parameters
    ----------
    steps : int
        Steps of each experiment, default 100.
    raise_error : bool
        True: a check that fails ends the run with RuntimeError. Default: it is printed.

    Attributes
    ----------
    findings : list of Finding

    Notes
    -----
    Weights, optimiser, data and random streams are afterwards as they were: the run itself is the same with and without it.
    """

    def __init__(self, steps: int = 100, raise_error: bool = False) -> None:
        super().__init__()
        self.steps, self.raise_error = steps, raise_error
        self.findings: list[Finding] = []

    def on_train_begin(self, logs: Any = None) -> None:
        self.findings = []
        for check in (self.first_loss, self.one_batch, self.shuffled_labels):
            weights, state = self.model.get_weights(), self.model.run.get_state()
            try:
                finding = check()
            except NonFiniteError as problem:
                finding = Finding(check.__name__.replace("_", " "), False, str(problem))
            finally:
                self.model.set_weights(weights)
                self.model.run.set_state(state)
                self.model._objective.reset()
            self.findings.append(finding)
            print(finding)
        failed = [each for each in self.findings if each.passed is False]
        if failed and self.raise_error:
            raise RuntimeError("; ".join(map(str, failed)))

    # --- the experiments -----------------------------------------------------------------------------

    def first_loss(self) -> Finding:
        """A model that knows nothing gives each of C classes 1/C, so its loss is ln C."""
        name, objective = "first loss", self.model._objective
        x, y, weights = self.model.run.train.first_batch()
        output = objective.outputs[0]
        closing = getattr(output.loss, "closing_activation", None)
        if objective.several or closing is None:
            return Finding(name, None, "What a model that knows nothing gives is known for one cross-entropy only.")
        y_pred, cache = objective.model.forward(*x, training=False)
        loss = float(objective.values(y, y_pred, weights, cache.mask)[0][0]) / output.weight
        classes = y_pred.shape[-1] if closing == "softmax" else 2
        wanted = math.log(classes)
        if loss > 1.3 * wanted + 0.5:
            why = "Too high: inputs that are not scaled to about -1 ... 1, or a last layer that begins with large weights."
        elif loss < 0.7 * wanted:
            why = "Too low for a model that has seen nothing: it begins trained, or the target is among the inputs."
        else:
            why = "That is near it."
        near = why.startswith("That")
        return Finding(name, near, f"It is {loss:.3f}; ln {classes} = {wanted:.3f} would know nothing and claim nothing. {why}")

    def one_batch(self) -> Finding:
        """A model with enough weights can learn a few rows by heart."""
        batch = self.model.run.train.first_batch()
        losses = [self._step(batch) for _ in range(self.steps)]
        best, rows = min(losses[-10:]), len(batch[0][0])
        text = f"{self.steps} steps on the same {rows} rows bring the loss from {losses[0]:.3f} to {best:.3f}."
        if best < 0.2 * losses[0]:
            return Finding("one batch", True, f"{text} The gradients reach what they should.")
        why = "It should fall to nearly nothing: look at the learning rate, strong regularisation or dropout, a last layer or a loss that"
        return Finding("one batch", False, f"{text} {why} does not fit the targets, or frozen layers.")

    def shuffled_labels(self) -> Finding:
        """Labels that were dealt out anew say nothing about other rows; who predicts those well has seen them."""
        name, run, objective = "shuffled labels", self.model.run, self.model._objective
        closing = getattr(objective.outputs[0].loss, "closing_activation", None)
        if objective.several or closing is None or not isinstance(run.train, ArrayFeed) or not isinstance(run.validation, ArrayFeed):
            return Finding(name, None, "It needs one cross-entropy, arrays, and validation data.")
        generator = Stream("sanity", 0).generator
        rows = run.train.rows
        order = generator.permutation(rows)
        for _ in range(self.steps):
            part = generator.integers(0, rows, run.train.batch_size)
            x, _, weights = run.train._take(part)
            self._step((x, run.train._take(order[part])[1], weights))
        found = self.model._evaluate(run.validation, CallbackList([], self.model, {}))["loss"]
        floor = _entropy(to_host(run.validation.y))
        text = f"After {self.steps} steps on labels dealt out anew the validation loss is {found:.3f}; chance is {floor:.3f}."
        if found > 0.9 * floor:
            return Finding(name, True, f"{text} So what is learned from the true labels comes from them.")
        return Finding(name, False, f"{text} Better than chance without true labels: the validation data can't be what it seems.")

    def _step(self, batch: Any) -> float:
        tracker = LossTracker(self.model._objective)
        self.model.train_step(*batch, tracker)
        return tracker.results()["loss"]


def _entropy(labels: np.ndarray) -> float:
    """The loss of the best guess that looks at no input: the entropy of the labels' shares."""
    ids = labels.argmax(axis=-1) if labels.ndim > 1 and labels.shape[-1] > 1 else labels.reshape(-1)
    _, counts = np.unique(ids, return_counts=True)
    shares = counts / counts.sum()
    return float(-(shares * np.log(shares)).sum())
