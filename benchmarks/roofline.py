"""The roofline of a machine, measured: how fast it multiplies matrices and moves bytes, which nothing on it can beat.

Work of ``products`` operations in matrix products and ``nbytes`` bytes needs at least

    max(products / peak, nbytes / bandwidth(nbytes))

seconds. The bandwidth depends on how much is moved, because small arrays stay in a cache: it is the fastest of copying,
reading and filling arrays of that size or larger. Operations outside matrix products are reported but bound nothing: a
fused kernel may do fewer of them than its reference.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ls_core.blas import blas_threads
from ls_core.threads import run_blocks, set_thread_count, split, thread_count


@dataclass(frozen=True)
class Work:
    """What a call must do: operations in all, those in matrix products, and bytes read and written once.

    ``shortcut``: by how much a known algorithm has fewer products (Winograd's F(4 x 4, 3 x 3): 4; the triangle of causal
    attention: 2). A figure may then lie that far above the roofline of the products as they are defined.
    ``reads``: the part of ``nbytes`` that arguments have.
    """

    flops: float
    products: float
    nbytes: float
    dtype: str = "float32"
    shortcut: float = 1.0
    reads: float = 0.0


@dataclass
class Roofline:
    """Peaks in operations and bytes per second."""

    device: str
    threads: int
    peak: dict[str, float]  # by dtype
    bandwidths: dict[int, float]  # by bytes moved
    copy: float  # copying arrays that no cache holds
    measure_again: Callable[[], Roofline] | None = field(default=None, repr=False)

    def bandwidth(self, nbytes: float) -> float:
        """The fastest that ``nbytes`` were moved at, by the next smaller size measured or any larger one."""
        sizes = sorted(self.bandwidths)
        floor = max((s for s in sizes if s <= nbytes), default=sizes[0])
        return max(self.bandwidths[s] for s in sizes if s >= floor)

    def seconds(self, work: Work, with_shortcuts: bool = False) -> float:
        """The least time that ``work`` takes."""
        return max(self._compute(work) / (work.shortcut if with_shortcuts else 1.0), self._memory(work))

    def _compute(self, work: Work) -> float:
        return work.products / self.peak[work.dtype] if work.products else 0.0

    def _memory(self, work: Work) -> float:
        return work.nbytes / self.bandwidth(work.nbytes) if work.nbytes else 0.0

    def bound(self, work: Work) -> str:
        """Which of the two it is."""
        return "compute" if self._compute(work) > self._memory(work) else "memory"

    def describe(self, work: Work) -> str:
        """The two limits in words."""
        text = f"{work.nbytes / 1e6:.3g} MB at {self.bandwidth(work.nbytes) * 1e-9:.0f} GB/s"
        if work.products:
            fewer = f" / {work.shortcut:g}" if work.shortcut != 1 else ""
            text = f"{work.products * 1e-9:.3g} GFLOP{fewer} at {self.peak[work.dtype] * 1e-9:.0f} GFLOP/s, {text}"
        return text

    def again(self) -> None:
        """Measure once more and keep the best of both."""
        if self.measure_again is not None:
            new = self.measure_again()
            self.peak = {k: max(v, new.peak[k]) for k, v in self.peak.items()}
            self.bandwidths = {k: max(v, new.bandwidths[k]) for k, v in self.bandwidths.items()}
            self.copy = max(self.copy, new.copy)

    def as_json(self) -> dict[str, Any]:
        """For a file: GFLOP/s and GB/s."""
        return {
            "device": self.device,
            "threads": self.threads,
            "gemm_gflops": {k: v * 1e-9 for k, v in self.peak.items()},
            "copy_gbytes": self.copy * 1e-9,
            "gbytes_by_size": {str(k): v * 1e-9 for k, v in self.bandwidths.items()},
        }


def _best(run: Callable[[], Any], seconds: float) -> float:
    """The fastest of the calls that fit into ``seconds``; at least three."""
    best, count, end = float("inf"), 0, time.perf_counter() + seconds
    while count < 3 or time.perf_counter() < end:
        began = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - began)
        count += 1
    return best


def _host_peak(dtype: str, threads: int, sizes: tuple[int, ...], seconds: float) -> float:
    """The fastest product: by one thread, by BLAS' own threads, by one product in each thread, and compiled by Numba."""
    found = _compiled_peak(dtype, sizes, seconds)
    for n in sizes:
        a, b = (np.full((n, n), 0.5, dtype=dtype) for _ in range(2))
        outs = [np.empty((n, n), dtype=dtype) for _ in range(threads)]

        def product(begin: int, end: int, a: Any = a, b: Any = b, outs: Any = outs) -> None:
            np.matmul(a, b, out=outs[begin])

        for count in sorted({1, threads}):
            with blas_threads(count):
                found = max(found, 2 * n**3 / _best(lambda one=product: one(0, 1), seconds))  # type: ignore[misc]
        blocks = [(i, i + 1) for i in range(threads)]
        if threads > 1:
            found = max(found, threads * 2 * n**3 / _best(lambda one=product, blocks=blocks: run_blocks(one, blocks), seconds))  # type: ignore[misc]
    return found


def _compiled_peak(dtype: str, sizes: tuple[int, ...], seconds: float) -> float:
    """The fastest product of those that LS has compiled, whose threads take some rows each; 0 without Numba.

    BLAS may be held to the kernels of an older processor, or know no newer ones: then it isn't what the machine can do.
    """
    if importlib.util.find_spec("numba") is None:
        return 0.0
    from ls_layers.accelerated.products import product

    found = 0.0
    for n in sizes:
        a, b, c = (np.full((n, n), 0.5, dtype=dtype) for _ in range(3))

        def rows(begin: int, end: int, a: Any = a, b: Any = b, c: Any = c, n: int = n) -> None:
            product(c, a, False, b, False, begin, end, 0, n, 0, n, False)

        rows(0, n)  # compiles
        found = max(found, 2 * n**3 / _best(lambda rows=rows, n=n: run_blocks(rows, split(n)), seconds))  # type: ignore[misc]
    return found


def _host_bandwidth(nbytes: int, seconds: float) -> tuple[float, float]:
    """(the fastest of copying, reading and filling, copying alone) for ``nbytes`` moved, one thread or all."""
    n = nbytes // 4
    x, y = np.full(n, 0.5, dtype=np.float32), np.zeros(n, dtype=np.float32)
    half = n // 2
    repeat = max(1, 2_000_000 // nbytes)  # so that the clock's own time doesn't count

    def over(work: Callable[[int, int], Any], count: int, spread: bool) -> float:
        def many() -> None:
            for _ in range(repeat):
                work(0, count)

        if not spread:
            return nbytes / _best(many, seconds) * repeat

        def part(begin: int, end: int) -> None:
            for _ in range(repeat):
                work(begin, end)

        return nbytes / _best(lambda: run_blocks(part, split(count)), seconds) * repeat

    copies = [over(lambda i, j: np.copyto(y[i:j], x[i:j]), half, spread) for spread in (False, True)]
    reads = [over(lambda i, j: np.dot(x[i:j], x[i:j]), n, spread) for spread in (False, True)]
    fills = [over(lambda i, j: y[i:j].fill(0.0), n, spread) for spread in (False, True)]
    return max(copies + reads + fills), max(copies)


SIZES = tuple(2**k for k in range(14, 29, 2))  # 16 KiB to 256 MiB


def host_roofline(threads: int = 1, quick: bool = False) -> Roofline:
    """The processor's, with ``threads`` threads. ``quick``: smaller sizes and fewer tries, for tests."""
    seconds = 0.004 if quick else 0.04
    before = thread_count()
    set_thread_count(threads)
    try:
        sizes = (256,) if quick else (512, 1024, 1536)
        peak = {dtype: _host_peak(dtype, threads, sizes, 2 * seconds) for dtype in ("float32", "float64")}
        moved = {n: _host_bandwidth(n, seconds) for n in (SIZES[:5] if quick else SIZES)}
    finally:
        set_thread_count(before)
    bandwidths = {n: best for n, (best, _) in moved.items()}
    return Roofline("CPU", threads, peak, bandwidths, moved[max(moved)][1], lambda: host_roofline(threads, quick))


def cuda_roofline(clock: Any, quick: bool = False) -> Roofline:
    """The CUDA device's, by CuPy; ``clock`` is ``measure.cuda_clock()``."""
    import cupy

    def best(run: Callable[[], Any], times: int = 20) -> float:
        run()
        found = float("inf")
        for _ in range(times):
            start = clock.event()
            run()
            stop = clock.event()
            clock.synchronize()
            found = min(found, clock.elapsed(start, stop))
        return found

    peak, n = {}, 1024 if quick else 8192
    for dtype in ("float32", "float64"):
        a, b, out = (cupy.full((n, n), 0.5, dtype=dtype) for _ in range(3))
        peak[dtype] = 2 * n**3 / best(lambda a=a, b=b, out=out: cupy.matmul(a, b, out=out))  # type: ignore[misc]
    bandwidths, copy = {}, 0.0
    for nbytes in (2**k for k in range(16, 25 if quick else 32, 2)):
        x, y = (cupy.zeros(nbytes // 8, dtype=cupy.float32) for _ in range(2))
        copy = nbytes / best(lambda x=x, y=y: cupy.copyto(y, x))  # type: ignore[misc]
        bandwidths[nbytes] = max(copy, nbytes / 2 / best(lambda y=y: y.fill(0)))  # type: ignore[misc]
    name = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)["name"].decode()
    return Roofline(name, 1, peak, bandwidths, copy, lambda: cuda_roofline(clock, quick))
