"""Predictor: what a model does beside training: predict, save, load weights, summary."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .backend import to_host
from .callbacks.callback import Callback, CallbackList


class Predictor:
    """The part of ``Trainer`` that needs no ``compile``."""

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        return super().__call__(*inputs, **options)  # type: ignore[misc]

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Iterable[Callback] | None = None,
    ) -> Any:
        """The outputs for all of ``x``, as NumPy arrays (a list or a dict of them for several outputs)."""
        from .feeding import feed, rows_per_batch

        data = feed(self, x, None, None, rows_per_batch(batch_size), steps=steps)
        moments = CallbackList(callbacks or (), self, {"steps": data.steps})
        moments.call("predict_begin")
        parts: list[Any] = []
        for step, (bx, _, _) in enumerate(data):
            moments.call("predict_batch_begin", step)
            parts.append(_to_host(self(*bx)))
            moments.call("predict_batch_end", step, {"outputs": parts[-1]})
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
