"""How the work of a backend is waited for and timed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Clock:
    """One backend's clock.

    ``event`` records a mark on the device's queue and ``elapsed`` gives the seconds between two of them; a backend whose
    calls return before the work is done needs both. The host needs none.
    """

    synchronize: Callable[[], None] = lambda: None
    event: Callable[[], Any] | None = None
    elapsed: Callable[[Any, Any], float] | None = None


HOST = Clock()


def cuda_clock() -> Clock:
    """CuPy's: events on the current stream."""
    import cupy

    def event() -> Any:
        mark = cupy.cuda.Event()
        mark.record()
        return mark

    def elapsed(a: Any, b: Any) -> float:
        return float(cupy.cuda.get_elapsed_time(a, b)) * 1e-3

    return Clock(lambda: cupy.cuda.get_current_stream().synchronize(), event, elapsed)


def torch_clock() -> Clock:
    """PyTorch's on CUDA."""
    import torch

    def event() -> Any:
        mark = torch.cuda.Event(enable_timing=True)
        mark.record()
        return mark

    return Clock(torch.cuda.synchronize, event, lambda a, b: float(a.elapsed_time(b)) * 1e-3)
