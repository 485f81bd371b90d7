"""SwapEMAWeights: measure the moving averages of the weights instead of the weights."""

from __future__ import annotations

from typing import Any

from .callback import Callback


class SwapEMAWeights(Callback):
    """Let validation (and, if asked, the other callbacks at an epoch's end) see the averaged weights.

    Parameters
    ----------
    swap_on_epoch : bool
        Also swap from the end of an epoch to the beginning of the next, so that a ModelCheckpoint listed behind this
        callback saves the averages. Default False.

    Raises
    ------
    ValueError
        The optimiser keeps no averages: give it ``use_ema=True``.

    Source: Keras 3, ``keras.callbacks.SwapEMAWeights``; Polyak and Juditsky 1992.
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        super().__init__()
        self.swap_on_epoch = swap_on_epoch

    def _swap(self, wanted: bool) -> None:
        optimizer = self.model.optimizer
        if not getattr(optimizer, "use_ema", False):
            raise ValueError(f"SwapEMAWeights: {optimizer} keeps no moving averages; make it with use_ema=True")
        if wanted != optimizer.averages_in_use:
            optimizer.swap_averages(self.model.trainable_parameters())

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._swap(False)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.swap_on_epoch:
            self._swap(True)

    def on_train_end(self, logs: Any = None) -> None:
        self._swap(False)
        self.model.optimizer.finalize_variable_values(self.model.trainable_parameters())

    def on_test_begin(self, logs: Any = None) -> None:
        self._swap(True)

    def on_test_end(self, logs: Any = None) -> None:
        self._swap(False)

    on_predict_begin, on_predict_end = on_test_begin, on_test_end

    def get_state(self) -> dict[str, Any]:
        return {"swapped": self.model.optimizer.averages_in_use}

    def set_state(self, state: dict[str, Any]) -> None:
        self.model.optimizer.averages_in_use = state["swapped"]
