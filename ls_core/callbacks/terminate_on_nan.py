"""TerminateOnNaN: end the run in order when the loss is NaN or infinite."""

from __future__ import annotations

import math
from typing import Any

from ..errors import NonFiniteError
from .callback import Callback


class TerminateOnNaN(Callback):
    """End the run when the loss became NaN or infinite; without it ``fit`` raises NonFiniteError.

    The weights are those before the step (on a CUDA device, where the loss is looked at after the step, those behind it),
    ``on_train_end`` is called, and ``fit`` returns its History.

    Parameters
    ----------
    raise_error : bool
        True: raise NonFiniteError after all, and at once on every backend.

    Source: Keras 3, ``keras.callbacks.TerminateOnNaN``.
    """

    def __init__(self, raise_error: bool = False) -> None:
        super().__init__()
        self.raise_error = raise_error

    def on_non_finite(self, problem: NonFiniteError) -> bool:
        if not self.raise_error:
            print(f"the run ends: {problem}")
            self.model.stop_training = True
        return not self.raise_error

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        loss = logs["loss"]
        if not math.isfinite(loss) and not self.model.stop_training:
            problem = NonFiniteError(f"the loss is {loss} at batch {batch}")
            if not self.on_non_finite(problem):
                raise problem
