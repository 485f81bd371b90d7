"""LambdaCallback: functions for the moments of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .callback import MOMENTS, Callback


class LambdaCallback(Callback):
    """Call functions at the moments that they are given for.

    Parameters
    ----------
    on_epoch_begin, on_epoch_end : callable, optional
        ``function(epoch, logs)``.
    on_train_begin, on_train_end : callable, optional
        ``function(logs)``.
    on_train_batch_begin, on_train_batch_end : callable, optional
        ``function(batch, logs)``.
    **others
        Any other moment of ``Callback``: ``on_test_end=...``.

    Raises
    ------
    TypeError
        There is no such moment.

    Source: Keras 3, ``keras.callbacks.LambdaCallback``.

    Examples
    --------
    >>> say = LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs))
    >>> say.on_epoch_end(0, {'loss': 0.5})
    0 {'loss': 0.5}
    """

    def __init__(
        self,
        on_epoch_begin: Callable[..., Any] | None = None,
        on_epoch_end: Callable[..., Any] | None = None,
        on_train_begin: Callable[..., Any] | None = None,
        on_train_end: Callable[..., Any] | None = None,
        on_train_batch_begin: Callable[..., Any] | None = None,
        on_train_batch_end: Callable[..., Any] | None = None,
        **others: Callable[..., Any],
    ) -> None:
        super().__init__()
        given = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **others,
        }
        for name, function in given.items():
            if name.removeprefix("on_") not in MOMENTS:
                raise TypeError(f"LambdaCallback: there is no moment {name!r}; the moments are {', '.join(f'on_{m}' for m in MOMENTS)}")
            if function is not None:
                setattr(self, name, _called(function, name))


def _called(function: Callable[..., Any], name: str) -> Callable[..., None]:
    """``function`` with logs filled in where the moment brings none."""
    counted = "batch" in name or "epoch" in name

    def call(*args: Any) -> None:
        logs = args[1:] if counted else args
        function(*args[: int(counted)], logs[0] if logs else None)

    return call
