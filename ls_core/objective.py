"""Objective: what a compiled model minimises and measures, for one output or several."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import numpy as np

from .backend import is_array
from .errors import ShapeError
from .layer import Layer
from .registry import deserialize, lookup
from .types import Array


class Output:
    """One output's loss, its weight, its metrics, and the activation that its loss takes in."""

    def __init__(self, name: str, loss: Any, weight: float, metrics: list[Any], weighted: list[Any]) -> None:
        self.name = name
        self.loss = deserialize("loss", loss)
        if self.loss is not None and not hasattr(self.loss, "value_and_grad"):
            raise TypeError(
                f"compile: {loss!r} is no loss that LS can train with, since it has no gradient; "
                "derive from ls_core.losses.Loss and write per_sample and per_sample_gradient"
            )
        self.weight = weight
        self.metric_specs = metrics
        self.weighted_specs = weighted
        for spec in (*metrics, *weighted):
            if isinstance(spec, str) and spec.lower() not in ("accuracy", "acc"):
                lookup("metric", spec)  # a wrong name is told now, not after the first batch
        self.metrics: list[Any] | None = None  # made with the first batch, whose shapes say what 'accuracy' means
        self.weighted: list[Any] = []
        self.joined: Any = None  # the closing softmax or sigmoid that was joined with the loss
        self.loss_on_output: Any = self.loss

    def resolve(self, y: Array, y_pred: Array) -> None:
        def make(spec: Any) -> Any:
            from .metrics import resolve_metric

            return resolve_metric(spec, self.loss, y.shape, y_pred.shape)

        self.metrics = [make(spec) for spec in self.metric_specs]
        self.weighted = [make(spec) for spec in self.weighted_specs]

    def all_metrics(self) -> list[Any]:
        """The plain metrics, then the weighted ones; none before the first batch."""
        return [*(self.metrics or []), *self.weighted]


class Objective:
    """The losses, weights and metrics of a compiled model.

    ``forward`` and ``evaluate`` of the training loop call ``measure``; the step calls ``value_and_grad``.
    """

    def __init__(self, loss: Any, loss_weights: Any, metrics: Any, weighted_metrics: Any, names: list[str]) -> None:
        losses = _per_output(loss, names, "loss", single=True)
        weights = _per_output(loss_weights, names, "loss_weights", single=True)
        plain = _per_output(metrics, names, "metrics")
        weighted = _per_output(weighted_metrics, names, "weighted_metrics")
        self.outputs = [
            Output(name, losses[i], 1.0 if weights[i] is None else float(weights[i]), _as_list(plain[i]), _as_list(weighted[i]))
            for i, name in enumerate(names)
        ]
        if all(output.loss is None for output in self.outputs):
            raise ValueError("compile needs a loss: compile(optimizer=..., loss='sparse_categorical_crossentropy')")
        self.several = len(names) > 1
        self.model: Any = None  # the model, or its view that ends before a joined activation

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "model": None}  # a copy or a pickle joins its own model before its next batch

    def join(self, model: Any) -> None:
        """Join closing softmaxes and sigmoids with their cross-entropies; check that each loss fits its output."""
        self.model = model
        for i, output in enumerate(self.outputs):
            wanted = getattr(output.loss, "closing_activation", None)
            if wanted is None:
                continue
            closing = closing_activation(model, i)
            check_fit(output.loss, wanted, closing, closing_layer(model, i))
            if output.loss.from_logits or closing is None or closing != wanted:
                continue
            if self.several:
                found = self.model.without_closing_activation_of(model._out_slots[i])
            else:
                found = self.model.without_closing_activation()
            if found is not None:
                self.model, output.joined = found
                output.loss_on_output = output.loss.with_logits()

    # --- one batch -------------------------------------------------------------------------------

    def value_and_grad(self, y: Any, y_pred: Any, weights: Any, masks: Any) -> tuple[list[Array], Array, Any]:
        """-> each output's own loss, their weighted sum, and the gradient in the form of ``y_pred``."""
        values: list[Array] = []
        gradients: list[Array] = []
        total = None
        for output, target, predicted, weight, mask in self._zip(y, y_pred, weights, masks):
            if output.loss is None:
                gradients.append(None)
                continue
            value, gradient = output.loss_on_output.value_and_grad(target, predicted, weight, mask)
            values.append(value)
            if output.weight != 1.0:
                value, gradient = value * output.weight, gradient * output.weight
            gradients.append(gradient)
            total = value if total is None else total + value
        return values, total, gradients if self.several else gradients[0]

    def values(self, y: Any, y_pred: Any, weights: Any, masks: Any) -> tuple[list[Array], Array]:
        """-> each output's own loss and their weighted sum, without gradients."""
        values, total = [], None
        for output, target, predicted, weight, mask in self._zip(y, y_pred, weights, masks):
            if output.loss is None:
                continue
            value = output.loss_on_output(target, predicted, weight, mask)
            values.append(value)
            if output.weight != 1.0:
                value = value * output.weight
            total = value if total is None else total + value
        return values, total

    def update_metrics(self, y: Any, y_pred: Any, weights: Any, masks: Any) -> None:
        """Show the batch to every metric; a joined activation is applied first."""
        for output, target, predicted, weight, mask in self._zip(y, y_pred, weights, masks):
            if output.metrics is None:
                output.resolve(target, predicted)
            if output.metrics or output.weighted:
                if output.joined is not None:
                    predicted = output.joined(predicted)
                for metric in output.metrics or ():
                    metric.update_state(target, predicted, mask)
                for metric in output.weighted:
                    metric.update_state(target, predicted, masked_weight(weight, mask))

    def results(self) -> dict[str, Any]:
        """Every metric's result so far, under the names that History uses."""
        found: dict[str, Any] = {}
        for output in self.outputs:
            for metric in output.all_metrics():
                prefix = f"{output.name}_" if self.several else ""
                name = prefix + metric.name
                if name in found and any(metric is each for each in output.weighted):
                    name = f"{prefix}weighted_{metric.name}"
                name = unused(name, found)
                result = metric.result()
                if isinstance(result, dict):
                    found.update(result)
                else:
                    found[name] = result
        return found

    def reset(self) -> None:
        """Start every metric anew."""
        for output in self.outputs:
            for metric in output.all_metrics():
                metric.reset_state()

    def get_state(self) -> list[Any]:
        """What the metrics of each output have gathered so far; None where they aren't made yet."""
        return [None if output.metrics is None else [_gathered(m) for m in output.all_metrics()] for output in self.outputs]

    def set_state(self, state: list[Any]) -> None:
        """Take up what ``get_state`` gave; the metrics are made before, by ``make_metrics``."""
        for output, gathered in zip(self.outputs, state, strict=True):
            for metric, found in zip(output.all_metrics(), gathered or [], strict=gathered is not None):
                vars(metric).update(found)

    def make_metrics(self, y: Any, y_pred: Any) -> None:
        """Make the metrics that this batch's shapes mean, without showing it to them."""
        for output, target, predicted, _, _ in self._zip(y, y_pred, None, None):
            if output.metrics is None:
                output.resolve(target, predicted)

    def _zip(self, y: Any, y_pred: Any, weights: Any, masks: Any) -> Any:
        n = len(self.outputs)
        if not self.several:
            yield self.outputs[0], _single(y), _single(y_pred), _single(weights), _single(masks)
            return
        names = [output.name for output in self.outputs]
        columns = [_columns(part, names, n) for part in (y, y_pred, weights, masks)]
        yield from zip(self.outputs, *columns, strict=True)


def _gathered(metric: Any) -> dict[str, Any]:
    """Every number and array that a metric holds."""

    def counts(value: Any) -> bool:
        if isinstance(value, list):
            return all(map(counts, value))
        return is_array(value) or isinstance(value, (int, float, np.generic))

    return {name: value for name, value in vars(metric).items() if counts(value)}


def unused(name: str, taken: Container[str]) -> str:
    """``name``, or ``name_1``, ``name_2`` ...: two metrics may have one name.

    >>> unused('precision', {'precision': 0.5})
    'precision_1'
    """
    number, found = 0, name
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    return found


def masked_weight(weight: Any, mask: Any) -> Any:
    """The sample weight with the mask in it."""
    if mask is None or weight is None:
        return mask if weight is None else weight
    return mask * weight.reshape(weight.shape + (1,) * (mask.ndim - weight.ndim))


def closing_activation(model: Any, i: int) -> str | None:
    """The name of the activation that closes output ``i``; None where that isn't known."""
    layer: Layer | None = closing_layer(model, i)
    return getattr(getattr(layer, "activation", None), "name", None)


def closing_layer(model: Any, i: int = 0) -> Layer | None:
    """The layer that makes output ``i``."""
    while hasattr(model, "_layers") or getattr(model, "_symbols_out", None):
        if hasattr(model, "_layers"):
            if not model._layers:
                return None
            model = model._layers[-1]
        else:
            node = model._symbols_out[i].node
            if node is None:
                return None
            model, i = node.layer, model._symbols_out[i].index
    return model if isinstance(model, Layer) else None


def check_fit(loss: Any, wanted: str, closing: str | None, layer: Layer | None) -> None:
    """Refuse a cross-entropy that can't be right for ``layer``, which closes its output with the activation ``closing``."""
    if loss.from_logits and closing in ("softmax", "sigmoid"):
        raise ValueError(
            f"{loss.name} with from_logits=True applies {wanted} itself, but {layer} ends with {closing} already. "
            f"Take the activation away, or from_logits=True."
        )
    if not loss.from_logits and closing not in (None, "softmax", "sigmoid", "hard_sigmoid", "exponential", "sparsemax"):
        raise ValueError(
            f"{loss.name} wants probabilities, but {layer} ends with {closing}. "
            f"Give it activation='{wanted}', or give the loss from_logits=True."
        )
    units = getattr(layer, "units", None)
    if closing == "softmax" and units == 1 and wanted == "sigmoid":
        raise ValueError(f"{layer} ends with softmax over 1 unit, which is 1 whatever comes in. Give it activation='sigmoid'.")
    if wanted == "softmax" and units == 1:
        raise ValueError(
            f"{loss.name} needs one unit per class, but {layer} has 1 unit. "
            f"Use binary_crossentropy with activation='sigmoid', or as many units as classes."
        )


def _as_list(value: Any) -> list[Any]:
    return [] if value is None else list(value) if isinstance(value, (list, tuple)) else [value]


def _single(value: Any) -> Any:
    if isinstance(value, dict) and "class_name" not in value:  # by name; not a loss's configuration
        value = list(value.values())
    return value[0] if isinstance(value, (list, tuple)) and len(value) == 1 else value


def _columns(value: Any, names: list[str], n: int) -> list[Any]:
    if value is None:
        return [None] * n
    if isinstance(value, dict):
        return [value.get(name) for name in names]
    if isinstance(value, (list, tuple)):
        if len(value) != n:
            raise ShapeError(f"the model has {n} outputs ({', '.join(names)}), {len(value)} targets came")
        return list(value)
    return [value] * n


def _per_output(value: Any, names: list[str], what: str, single: bool = False) -> list[Any]:
    n = len(names)
    if isinstance(value, dict) and "class_name" not in value:
        unknown = [key for key in value if key not in names]
        if unknown:
            raise ValueError(f"compile: {what} names {unknown[0]!r}, but the outputs are {', '.join(names)}")
        return [value.get(name) for name in names]
    if n == 1:
        return [_single(value) if single else value]
    if isinstance(value, (list, tuple)):
        if len(value) != n:
            if not single:
                return [list(value)] * n
            raise ValueError(f"compile: {len(value)} {what} for {n} outputs ({', '.join(names)})")
        return list(value)
    return [value] * n
