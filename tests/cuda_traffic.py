"""What each CUDA kernel reads and writes, counted in the emulator: ``python -m tests.cuda_traffic softmax``; without a name, all.

The rounds are those of kernel_rounds.py, with sizes that fill whole sectors where they may, so that what is lost is the kernel's doing.
A line for each kernel: the fewest sectors of 32 bytes that could hold what its warps ask for, as a share of those they touch; the worst
conflict in shared memory (how many words of one bank a request wants); and how often it reads and writes each array's numbers.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

import ls_core
from ls_core.testing.cuda_emulator import cuda_kernels
from ls_core.testing.cuda_watch import Traffic, Use, watching

from .kernel_rounds import ROUNDS, Place


class Whole(Place):
    """Sizes are the largest multiple of 32 that may be, or of 8; rows are for a warp, or for a block of threads."""

    def size(self, low: int, high: int) -> int:
        drawn = super().size(low, high)
        return next((high // step * step for step in (32, 8) if high >= step), drawn)

    def row(self, low: int = 1) -> int:
        return 512 if self.flip() else 2048


def measure(names: Iterable[str], dtype: str = "float32") -> dict[tuple[str, str], Traffic]:
    """The traffic of the kernels, (file, kernel), that these rounds launch; an Embedding's sums in both ways."""
    with cuda_kernels(), watching() as watch:
        for name in names:
            ROUNDS[name][0](Whole("standin", dtype, 1))
            with ls_core.use_deterministic():
                ROUNDS[name][0](Whole("standin", dtype, 2))
    return {(file, kernel): traffic for (file, kernel, _), traffic in watch.traffic.items()}


def line(kernel: str, traffic: Traffic) -> str:
    def times(uses: dict[str, Use]) -> str:
        return ", ".join(f"{name} {use.times:.3g}" for name, use in uses.items()) or "-"

    conflict = traffic.worst_conflict or "-"
    return f"| {kernel} | {traffic.efficiency:.0%} | {conflict} | {times(traffic.read)} | {times(traffic.written)} |"


def main(patterns: list[str]) -> int:
    names = [name for name in ROUNDS if not patterns or any(pattern in name for pattern in patterns)]
    print("| kernel | sectors | banks | reads | writes |\n|---|---:|---:|---|---|")
    for (_, kernel), traffic in sorted(measure(names).items()):
        print(line(kernel, traffic))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
