"""Callback: what may happen at the moments of a training run; names and moments are Keras 3's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..errors import NonFiniteError
from ..registry import Configurable

MOMENTS = (
    "train_begin",
    "train_end",
    "epoch_begin",
    "epoch_end",
    "train_batch_begin",
    "train_batch_end",
    "test_begin",
    "test_end",
    "test_batch_begin",
    "test_batch_end",
    "predict_begin",
    "predict_end",
    "predict_batch_begin",
    "predict_batch_end",
)


class Callback(Configurable):
    """Derive from it and write the moments that you need; ``self.model`` is the model.

    ``logs`` maps names to numbers. Within a batch they are computed when they are read, so a callback that
    doesn't look costs nothing and forces no wait for the device.

    >>> class Say(Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(epoch, logs['loss'])
    """

    registry_kind = "callback"
    place = 0  # callbacks with a higher one are called later: 1 the History, 2 what shows it, 3 what writes checkpoints

    def __init__(self) -> None:
        self.model: Any = None
        self.params: dict[str, Any] = {}

    def set_model(self, model: Any) -> None:
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params

    def get_state(self) -> dict[str, Any]:
        """What a resumed run needs of this callback: numbers, strings, arrays, lists and dicts of such."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take up what ``get_state`` gave."""

    def on_non_finite(self, problem: NonFiniteError) -> bool:
        """A loss became NaN or infinite, and the weights are those before that step. True: the run goes on."""
        return False

    def on_train_begin(self, logs: Any = None) -> None: ...
    def on_train_end(self, logs: Any = None) -> None: ...
    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None: ...
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None: ...
    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None: ...
    def on_train_batch_end(self, batch: int, logs: Any = None) -> None: ...
    def on_test_begin(self, logs: Any = None) -> None: ...
    def on_test_end(self, logs: Any = None) -> None: ...
    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None: ...
    def on_test_batch_end(self, batch: int, logs: Any = None) -> None: ...
    def on_predict_begin(self, logs: Any = None) -> None: ...
    def on_predict_end(self, logs: Any = None) -> None: ...
    def on_predict_batch_begin(self, batch: int, logs: Any = None) -> None: ...
    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None: ...


class CallbackList:
    """The callbacks of one run; ``call('epoch_end', 3, logs)`` reaches those that wrote that moment."""

    def __init__(self, callbacks: Iterable[Callback], model: Any, params: dict[str, Any]) -> None:
        self.callbacks = list(callbacks)
        for callback in self.callbacks:
            if not isinstance(callback, Callback):
                raise TypeError(f"callbacks are made from ls_core.callbacks.Callback; {callback!r} is not")
        self.callbacks.sort(key=lambda callback: callback.place)
        for callback in self.callbacks:
            callback.set_params(params)
            callback.set_model(model)
        self._moments = {
            moment: [
                getattr(callback, f"on_{moment}")
                for callback in self.callbacks
                if getattr(getattr(callback, f"on_{moment}"), "__func__", None) is not getattr(Callback, f"on_{moment}")
            ]
            for moment in MOMENTS
        }

    def call(self, moment: str, *args: Any) -> None:
        for method in self._moments[moment]:
            method(*args)

    def bear(self, problem: NonFiniteError) -> None:
        """Raise ``problem``, unless a callback lets the run go on."""
        if not any(callback.on_non_finite(problem) for callback in self.callbacks):
            raise problem
