"""Every read and write of the CUDA kernels, watched in the emulator: each kind of fault is caught, and no kernel of LS has one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ls_core
from ls_core.cuda import Source
from ls_core.cuda.launch import SOURCES, Struct
from ls_core.testing.cuda_emulator import EmulatorError, compiler, cuda_kernels, thread_order
from ls_core.testing.cuda_watch import Traffic, Watch, watching

from .cuda_traffic import line, measure
from .kernel_rounds import ROUNDS, launch_all

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C++ compiler: g++ (or $CXX) runs the CUDA sources on the CPU")

HOSTILE = """
#include "common.cuh"
KERNEL no_barrier(const T *x, T *y) {
    __shared__ T turned[64];
    turned[threadIdx.x] = x[threadIdx.x];
    y[threadIdx.x] = turned[63 - threadIdx.x];
}
KERNEL exchange_for_a_barrier(const T *x, T *y) {
    __shared__ T turned[32];
    turned[threadIdx.x % 32] = x[threadIdx.x % 32];
    __shfl_xor_sync(0xffffffff, x[0], 1);
    y[threadIdx.x % 32] = turned[31 - threadIdx.x % 32];
}
KERNEL one_barrier_too_few(const T *x, T *y) {
    __shared__ T part[64];
    part[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    for (unsigned half = 32; half > 0; half /= 2)
        if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
    if (threadIdx.x == 0) y[blockIdx.x] = part[0];
}
KERNEL no_barrier_before_the_next_round(const T *x, T *y) {
    __shared__ T one[1];
    for (int k = 0; k < 2; ++k) {
        if (threadIdx.x == 0) one[0] = x[k];
        __syncthreads();
        if (blockIdx.x == 0) y[64 * k + threadIdx.x] = one[0];
    }
}
KERNEL blocks_write_one_number(const T *x, T *y) { if (threadIdx.x == 0) y[0] = 1; }
KERNEL all_write_the_same(const T *x, T *y) { if (blockIdx.x == 0) y[0] = 1; }
KERNEL reads_another_block(const T *x, T *y) { y[64 * blockIdx.x + threadIdx.x] = blockIdx.x ? y[threadIdx.x] : 1; }
KERNEL writes_what_another_block_read(const T *x, T *y) {
    if (threadIdx.x == 0) { if (blockIdx.x) y[0] = 1; else y[1] = y[0]; }
}
KERNEL plain_histogram(const T *x, T *y) { y[(int)x[threadIdx.x] % 4] += 1; }
KERNEL half_atomic(const T *x, T *y) { if (threadIdx.x % 2) atomicAdd(&y[0], (T)1); else y[threadIdx.x] = y[0]; }
KERNEL reads_outside(const T *x, T *y) { y[64 * blockIdx.x + threadIdx.x] = x[64 * blockIdx.x + threadIdx.x + 1]; }
KERNEL writes_outside(const T *x, T *y) { y[64 * blockIdx.x + threadIdx.x + 1] = x[threadIdx.x]; }
KERNEL far_away(const T *x, T *y) { y[threadIdx.x] = x[(Int)1 << 40]; }
KERNEL never_written(const T *x, T *y) {
    __shared__ T part[64];
    if (threadIdx.x > 0) part[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[64 * blockIdx.x + threadIdx.x] = part[threadIdx.x];
}
KERNEL written_by_the_block_before(const T *x, T *y) {
    __shared__ T part[64];
    if (blockIdx.x == 0) part[threadIdx.x] = 1;
    __syncthreads();
    y[64 * blockIdx.x + threadIdx.x] = part[threadIdx.x];
}
KERNEL misaligned(const T *x, T *y) { if (threadIdx.x + blockIdx.x == 0) y[0] = (T)*(const double *)(x + 1); }
KERNEL past_a_row(const T *x, T *y) {
    __shared__ T part[2][32];
    part[threadIdx.x / 32][threadIdx.x % 32] = x[threadIdx.x];
    __syncthreads();
    y[64 * blockIdx.x + threadIdx.x] = part[threadIdx.x / 32][threadIdx.x % 32 + 1];
}
// no faults
KERNEL atomic_histogram(const T *x, T *y) { atomicAdd(&y[(int)x[threadIdx.x] % 4], (T)1); }
KERNEL copy(const T *x, T *y) { y[64 * blockIdx.x + threadIdx.x] = x[64 * blockIdx.x + threadIdx.x]; }
KERNEL twice(const T *x, T *y) { const Int i = 64 * blockIdx.x + threadIdx.x; y[i] = x[i] + x[127 - i]; }
KERNEL columns(const T *x, T *y) { const Int i = 64 * blockIdx.x + threadIdx.x; y[i] = x[i % 16 * 8 + i / 16]; }
KERNEL first_for_all(const T *x, T *y) { y[64 * blockIdx.x + threadIdx.x] = x[0]; }
KERNEL every_other_thread(const T *x, T *y) { if (threadIdx.x % 2) y[64 * blockIdx.x + threadIdx.x] = x[threadIdx.x]; }
#define TURNED(name, width)                                                                    \\
    KERNEL name(const T *x, T *y) {                                                            \\
        __shared__ T tile[32][width];                                                          \\
        for (int k = threadIdx.x / 32; k < 32; k += 2) tile[k][threadIdx.x % 32] = x[k];       \\
        __syncthreads();                                                                       \\
        T sum = 0;                                                                             \\
        for (int k = 0; k < 32; ++k) sum += tile[threadIdx.x % 32][k];                         \\
        y[64 * blockIdx.x + threadIdx.x] = sum;                                                \\
    }
TURNED(turned, 32)
TURNED(turned_with_a_gap, 33)
struct Table { Int count; const T *x; T *y; double by; };
KERNEL from_table(const __grid_constant__ Table table) { table.y[64 * blockIdx.x + threadIdx.x] = table.x[threadIdx.x]; }
"""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "hostile.cu").write_text(HOSTILE, encoding="utf-8")
    source = Source(str(folder / "hostile.py"), "hostile.cu")
    yield source
    del SOURCES[source.path]


@pytest.fixture
def watch() -> Iterator[Watch]:
    with cuda_kernels(), watching() as watch:
        yield watch


def run(source: Source, kernel: str, size: int = 128, dtype: str = "float32", first: int = 0) -> Any:
    """Two blocks of 64 threads, an x and a y of ``size`` numbers; x begins ``first`` numbers into its memory."""
    x, y = (ls_core.to_device(np.arange(first + size).astype(dtype), "standin") for _ in range(2))
    source.run(kernel, dtype, (2,), (64,), x[first:], y[first:])
    return y.get()


FAULTS = {
    "no_barrier": r"a race: .* reads shared memory by `y\[threadIdx.x\] = turned.*`; .* was there by `turned\[threadIdx.x\] = x",
    "exchange_for_a_barrier": "a race: .* shared memory .* no barrier between",
    "one_barrier_too_few": r"a race: .* shared memory by `if \(threadIdx.x < half\) part",
    "no_barrier_before_the_next_round": r"a race: .* shared memory by .* one\[0\];`; .* by `if \(threadIdx.x == 0\) one\[0\] = x\[k\]",
    "blocks_write_one_number": r"a race: block 1, thread 0 writes y\[0\] of 128 .* block 0, thread 0 was there",
    "all_write_the_same": r"a race: block 0, thread 1 writes y\[0\] of 128 .* block 0, thread 0 was there",
    "reads_another_block": r"a race: block 1, thread 0 reads y\[0\]",
    "writes_what_another_block_read": r"a race: block 1, thread 0 writes y\[0\]",
    "plain_histogram": r"a race: block 0, thread 4 reads y\[0\]",
    "half_atomic": r"a race: ",
    "reads_outside": r"block 1, thread 63 reads outside all arrays, near x\[128\] of 128, by `KERNEL reads_outside",
    "writes_outside": r"block 1, thread 63 writes outside all arrays, near y\[128\] of 128",
    "far_away": "reads outside all arrays",
    "never_written": "block 0, thread 0 reads shared memory before this block wrote it, by `y",
    "written_by_the_block_before": "block 1, thread 0 reads shared memory before this block wrote it",
    "misaligned": r"reads 8 bytes at a place that is no multiple of that, x\[1\] of 128",
    "past_a_row": "has an index out of bounds, 32, in `y",
}


@pytest.mark.usefixtures("watch")
@pytest.mark.parametrize("kernel", FAULTS)
def test_a_fault_is_seen(hostile: Source, kernel: str) -> None:
    with pytest.raises(EmulatorError, match=rf"hostile.cu: {kernel}<float32>: .*{FAULTS[kernel]}"):
        run(hostile, kernel)
    run(hostile, "copy")  # and the next launch is not concerned


@pytest.mark.usefixtures("watch")
@pytest.mark.parametrize("kernel", ["one_barrier_too_few", "blocks_write_one_number", "all_write_the_same"])
def test_right_numbers_excuse_nothing(hostile: Source, kernel: str) -> None:
    """In another order these give the same bits, or would on a GPU most of the time; the race is there in each order."""
    for order in range(3):
        with thread_order(order), pytest.raises(EmulatorError, match="a race"):
            run(hostile, kernel)


@pytest.mark.usefixtures("watch")
def test_addresses_in_a_struct(hostile: Source) -> None:
    x, y = (ls_core.to_device(np.arange(128, dtype=np.float32), "standin") for _ in range(2))

    def table(x: Any, y: Any) -> None:
        hostile.run("from_table", "float32", (2,), (64,), Struct(type(x), [2, x, y, 1.0], "qqqd", 4, {1}))

    table(x, y)
    with pytest.raises(EmulatorError, match=r"writes outside all arrays, near table\[100\] of 100"):
        table(x, y[:100])


def traffic(watch: Watch, source: Source, kernel: str, **named: Any) -> Traffic:
    run(source, kernel, **named)
    return watch.traffic.pop((source.path.name, kernel, named.get("dtype", "float32")))


def test_sectors(hostile: Source, watch: Watch) -> None:
    copied = traffic(watch, hostile, "copy")
    assert (copied.efficiency, copied.moved, copied.read["x"].touched, copied.written["y"].sectors) == (1.0, 1.0, 512, 16)
    assert traffic(watch, hostile, "copy", first=1).efficiency == 4 / 5, "a warp's 128 bytes lie in five sectors"
    assert traffic(watch, hostile, "copy", first=8).efficiency == 1.0
    assert traffic(watch, hostile, "copy", dtype="float64").efficiency == 1.0
    both = traffic(watch, hostile, "twice")
    assert (both.read["x"].times, both.written["y"].times, both.efficiency) == (2.0, 1.0, 1.0)
    turned = traffic(watch, hostile, "columns")
    assert turned.read["x"].least / turned.read["x"].sectors == 1 / 4, "a warp touches two numbers in each of 16 sectors"
    one = traffic(watch, hostile, "first_for_all").read["x"]
    assert (one.asked, one.touched, one.sectors) == (4 * 4, 4, 4), "one sector for each of four warps"
    half = traffic(watch, hostile, "every_other_thread").written["y"]
    assert (half.least, half.sectors) == (8, 16)


def test_banks(hostile: Source, watch: Watch) -> None:
    for kernel, dtype, worst in (
        ("turned", "float32", 32),
        ("turned_with_a_gap", "float32", 1),
        ("turned", "float64", 16),  # half a warp at a time
        ("turned_with_a_gap", "float64", 1),
    ):
        seen = traffic(watch, hostile, kernel, dtype=dtype)
        assert seen.worst_conflict == worst
        assert (seen.passes == seen.fewest_passes) == (worst == 1)
    assert traffic(watch, hostile, "copy").worst_conflict == 0


def test_atomics_exclude_each_other(hostile: Source, watch: Watch) -> None:
    np.testing.assert_array_equal(run(hostile, "atomic_histogram")[:4], np.arange(4) + 32)
    assert watch.traffic[("hostile.cu", "atomic_histogram", "float32")].written["y"].touched == 16


# --- the kernels of LS --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("watch")
@pytest.mark.parametrize("name", ROUNDS)
def test_no_fault(name: str) -> None:
    """A fault would be an error of the launch; test_every_kernel_is_launched shows that these rounds miss no kernel."""
    launch_all(name)


# Kernels whose warps touch more sectors than what they ask for would fill: the share that it would fill, and why.
SCATTERED = {
    "enter_ids": (0.5, "an id's slot in a hash table may be anywhere"),
    "find_owners": (0.7, "the same slots"),
    "depthwise_backward_x": (0.5, "a thread adds up the M neighbours of a channel; the first-level cache keeps them"),
    "depthwise_forward": (0.7, "the M kernels of a channel read the same x"),
    "max_pool_backward": (0.5, "dy is read where x is the maximum, and nowhere else"),
    "group_norm_sums": (0.9, "a mean for each group of channels"),
}
# Requests of shared memory that want several words of a bank: how many at most, and why.
CONFLICTS = {"steps": (4, "h is written once in a step, with the samples of a unit side by side, which all threads then read at once")}
# Arrays as large as a layer's input, and the kernels that read them again by nature.
LARGE = {
    *("x", "x_", "dy", "y", "z", "t", "s", "s_", "d", "p", "drawn", "values", "columns", "dscores", "keep", "kept"),
    *("gates", "product", "hs", "cs", "qs", "tanh_c", "dhs", "dh", "dc", "M"),
}
AGAIN = {
    "fused_attention": "tiles: keys and values for every 32 queries, and the other way round",
    "additive": "each query with each key",
    "pool": "windows overlap",
    "windows": "windows overlap",
    "depthwise": "windows overlap",
    "winograd_input": "tiles of 6 x 6 inputs overlap",
    "steps": "the state of the step before",
    "batch_norm_statistics": "sums of chunks, few",
    "crossentropy_backward": "kept holds two numbers of a row",
    "sum_rows": "the places of each id",
}
# Rounds that launch other families' kernels too; docs/cuda.md has the figures of their own.
RELATIVES = {"rms_normalization", "additive_attention"}


@pytest.mark.parametrize("name", ROUNDS)
def test_traffic(name: str) -> None:
    """Where sizes fill whole sectors, warps touch no more of them than needed, no bank twice, and no large array is read twice."""
    page = (Path(__file__).parent.parent / "docs/cuda.md").read_text(encoding="utf-8")
    documented = {row.split()[1]: row for row in page.splitlines() if row.startswith("| ") and "% |" in row}
    for (_, kernel), seen in measure([name]).items():
        if name not in RELATIVES:
            assert documented.get(kernel, line(kernel, seen)) == line(kernel, seen), "docs/cuda.md"
        assert seen.efficiency >= SCATTERED.get(kernel, (0.98,))[0], kernel
        assert seen.worst_conflict <= max((most for part, (most, _) in CONFLICTS.items() if part in kernel), default=1), kernel
        if not any(part in kernel for part in AGAIN):
            assert {array: use.times for array, use in seen.read.items() if array in LARGE and use.times > 1.01} == {}, kernel
