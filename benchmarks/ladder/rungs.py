"""What a ladder is: one computation, written again and again, each time faster, each compared with the same reference."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ls_core.kernel import Kernel
from ls_core.threads import split

ROOT = Path(__file__).resolve().parent.parent.parent
SIZES = ("tiny", "small", "large")  # tiny is for tests
ELEMENTS = 1 << 16  # of a block: 256 KiB in float32, half of a common second-level cache


@dataclass(frozen=True)
class Rung:
    """One way to compute it. ``text`` is two sentences: what changed, and what that does."""

    name: str
    run: Callable[..., Any]  # the arguments -> y
    text: str
    source: str  # a file of this repository
    slow: bool = False  # Python loops, which take minutes at the large size
    device: bool = False  # the arguments live on a CUDA device
    given: Callable[..., tuple[Any, ...]] = lambda *arguments: arguments  # what run takes, for the ladder's arguments


@dataclass(frozen=True)
class Ladder:
    """``arguments(size)`` draws numbers in float32; ``kept(*numbers)`` adds to them what a forward keeps for this backward."""

    title: str
    formula: str
    shapes: dict[str, str]
    arguments: Callable[[str], tuple[Any, ...]]
    kernel: Kernel
    rungs: list[Rung]
    shortcut: float = 1.0
    kept: Callable[..., tuple[Any, ...]] = lambda *numbers: numbers

    def numbers(self, size: str, dtype: str = "float32") -> tuple[Any, ...]:
        """The arguments of the rungs."""
        return self.kept(*(a.astype(dtype, copy=False) if isinstance(a, np.ndarray) else a for a in self.arguments(size)))


def rung(name: str, run: Callable[..., Any], **options: Any) -> Rung:
    """A function as a rung; its docstring is the explanation."""
    return Rung(name, run, " ".join((inspect.getdoc(run) or "").split()), _file(run), **options)


def ls_rungs(kernel: Kernel, cuda: str, cuda_text: str, given: Callable[..., tuple[Any, ...]] | None = None) -> list[Rung]:
    """LS's own: its reference, what it runs on the processor, and what it runs on a GPU (``cuda``: the source).

    ``given(function, *arguments)``: what LS's functions take for the ladder's arguments, where that differs. What a forward
    keeps for its backward is left out.
    """
    forward = kernel.__name__.endswith("_forward")

    def make(name: str, function: Callable[..., Any], text: str, source: str, device: bool = False) -> Rung:
        def run(*arguments: Any) -> Any:
            result = function(*arguments)
            return result[0] if forward and isinstance(result, tuple) else result

        def convert(*arguments: Any) -> tuple[Any, ...]:
            return given(function, *arguments) if given else arguments

        return Rung(name, run, text, source, device=device, given=convert)

    fast = kernel._table.get(np.ndarray, kernel.reference)
    text = "LS's override for the processor, which `use_references()` switches off. The layer calls it by the reference's name."
    if fast is kernel.reference:
        text = "LS has no faster override for it on this machine. The layer runs the reference."
    return [
        make("LS reference", kernel.reference, "What LS takes as the truth. It is written to be read.", _file(kernel.reference)),
        make("LS", kernel, text, _file(fast)),
        make("CUDA", kernel, cuda_text, cuda, device=True),
    ]


def _file(function: Callable[..., Any]) -> str:
    path = Path(inspect.getsourcefile(inspect.unwrap(getattr(function, "py_func", function))) or "")
    return path.resolve().relative_to(ROOT).as_posix() if path.resolve().is_relative_to(ROOT) else path.name


def normal(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Normal numbers in float32."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def parts(rows: int, each: int) -> list[tuple[int, int]]:
    """(begin, end) for each thread of the pool; one alone where ``rows`` of ``each`` numbers are too little to share."""
    return split(rows, max(1, ELEMENTS // 4 // each))


def row_blocks(rows: int, columns: int) -> list[tuple[int, int]]:
    """(begin, end) of blocks of rows that hold about ELEMENTS numbers.

    >>> row_blocks(5, 1 << 15)
    [(0, 2), (2, 4), (4, 5)]
    """
    each = max(1, ELEMENTS // columns)
    return [(i, min(i + each, rows)) for i in range(0, rows, each)]
