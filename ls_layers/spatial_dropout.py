"""What the spatial dropouts share: the mask has a size of 1 along the axes of space."""

from __future__ import annotations

from typing import Any

from ls_core.types import Array

from .dropout import Dropout


class SpatialDropout(Dropout):
    """Dropout of whole channels; a subclass says over how many axes of ``space``."""

    space: int

    def __init__(self, rate: float, data_format: str | None = None, seed: int | None = None, **options: Any) -> None:
        super().__init__(rate, seed=seed, **options)
        if data_format not in (None, "channels_last", "channels_first"):
            raise ValueError(f"{type(self).__name__}: data_format is 'channels_last' or 'channels_first', not {data_format!r}")
        self.data_format = data_format or "channels_last"

    def mask_shape(self, x: Array) -> tuple[int, ...]:
        ones = (1,) * self.space
        if self.data_format == "channels_first":
            self.check_rank(x, self.space + 2, f"batch, channels, {self.space} of space")
            return (*x.shape[:2], *ones)
        self.check_rank(x, self.space + 2, f"batch, {self.space} of space, channels")
        return (x.shape[0], *ones, x.shape[-1])
