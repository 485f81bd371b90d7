"""The errors of LS: each names what was expected, what came, and the fix."""

from __future__ import annotations


class BackendError(RuntimeError):
    """A backend was asked for that this machine cannot give."""


class ShapeError(ValueError):
    """An array's rank or an axis does not fit.

    ``axis`` is the input's axis that does not fit (None for a wrong rank): a container that knows
    which layer made the input adds the axis's origin to the message.
    """

    def __init__(self, message: str, axis: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.axis = axis
        self.origin: str | None = None

    def __str__(self) -> str:
        return f"{self.message} {self.origin}" if self.origin else self.message


class NotBuiltError(RuntimeError):
    """Parameters were asked of a layer that has not seen an input shape yet."""


class CacheError(RuntimeError):
    """A cache was used twice, or by a layer that did not make it."""


class FileError(ValueError):
    """A model file is truncated, too large, foreign or not what it says it is."""


class NonFiniteError(FloatingPointError):
    """A loss became NaN or infinite; the message names the first layer with such a value."""
