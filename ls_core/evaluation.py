"""Evaluator: compile a model, and measure it without changing it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .callbacks.callback import Callback, CallbackList
from .errors import NotBuiltError
from .freed_memory import keep_freed_memory
from .layer import collect_losses
from .mixed_precision import MixedPrecision
from .objective import Objective
from .predictor import Predictor
from .registry import deserialize
from .tracking import LazyLogs, LossTracker, memory_kept
from .types import Array

if TYPE_CHECKING:
    from .cuda.graph import CapturedSteps
    from .run import Run

Found = tuple[Any, Any, list[Array], Array]  # of a step: outputs, mask, each output's loss, loss


class Evaluator(Predictor):
    """What a compiled model can do beside training; ``Trainer`` derives from it."""

    optimizer: Any = None
    run: Run | None = None  # where fit stands, while it runs
    _objective: Objective | None = None
    _precision: MixedPrecision | None = None
    _graphs: CapturedSteps | None = None

    # --- compile ---------------------------------------------------------------------------------

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        mixed_precision: str | None = None,
        jit_compile: bool | str | None = "auto",
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
        mixed_precision : {'float16', 'bfloat16'}, optional
            Train in half precision with float32 Parameters, for speed and memory on CUDA; see ``MixedPrecision``.
        jit_compile : bool or 'auto'
            True: on CuPy a training step's forward and backward are captured in a CUDA graph, whose launch takes the place of
            hundreds of calls; the same bits. Not with 'float16'. 'auto', the default, and False: they are not. No effect on NumPy.
            What can't be captured, such as a layer that multiplies by ``@`` in place of ``ls_core.matmul``, runs as without, and
            a warning says why.

        Raises
        ------
        ValueError
            No loss, an unknown name, or a name that is no output.
        """
        if jit_compile not in (True, False, "auto", None):
            raise ValueError(f"jit_compile is True, False or 'auto', not {jit_compile!r}")
        unknown = set(keras_only) - {"run_eagerly", "steps_per_execution", "auto_scale_loss"}
        if unknown:
            raise TypeError(f"compile() takes no argument {sorted(unknown)[0]!r}")
        self._compiled_with = {
            "optimizer": optimizer,
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
            "mixed_precision": mixed_precision,
            "jit_compile": jit_compile,
        }
        names: list[str] = getattr(self, "output_names", ["output"]) if getattr(self, "_symbols_out", None) else ["output"]
        self._objective = Objective(loss, loss_weights, metrics, weighted_metrics, names)
        self.optimizer = deserialize("optimizer", optimizer)
        self._precision = None if mixed_precision is None else MixedPrecision(mixed_precision)
        self._graphs = None
        if jit_compile is True and (self._precision is None or not self._precision.scales):  # a scale on the host would be captured
            from .cuda.graph import CapturedSteps

            self._graphs = CapturedSteps()

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
        from .feeding import feed, rows_per_batch

        self._require_compiled("evaluate")
        data = feed(self, x, y, sample_weight, rows_per_batch(batch_size), steps=steps)
        self._prepare(data.first_rows())
        logs = self._evaluate(data, CallbackList(callbacks or (), self, {"steps": data.steps}))
        return logs if return_dict else flat_logs(logs)

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
        data.rewind()
        if tracker.rows == 0:
            raise ValueError("there was no batch to evaluate: a generator can be read once; give a DataLoader or a list of batches")
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
        keep_freed_memory()
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
        if training and self._precision is not None:
            self._precision.check(self)
        objective.join(self)


def flat_logs(logs: dict[str, float]) -> Any:
    """The loss alone, or a list of the loss and the metrics."""
    values = list(logs.values())
    return values[0] if len(values) == 1 else values
