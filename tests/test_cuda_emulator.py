"""What the emulator of CUDA refuses: kernels and launches that would be wrong on a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ls_core
from ls_core.cuda import Source
from ls_core.cuda.launch import SOURCES, Struct
from ls_core.testing import cuda_emulator
from ls_core.testing.cuda_emulator import EmulatorError, compiler, cuda_kernels, thread_order

needs_compiler = pytest.mark.skipif(compiler() is None, reason="no C++ compiler: g++ (or $CXX) runs the CUDA sources on the CPU")


@pytest.fixture
def emulated() -> Iterator[None]:
    with cuda_kernels():
        yield


FAULTS = """
#include "common.cuh"
KERNEL no_barrier(const T *x, T *y) {
    __shared__ T turned[64];
    turned[threadIdx.x] = x[threadIdx.x];
    y[threadIdx.x] = turned[63 - threadIdx.x];
}
KERNEL parted(const T *x, T *y) { if (threadIdx.x < 32) __syncthreads(); }
KERNEL parted_warp(const T *x, T *y) { if (threadIdx.x > 3) return; y[threadIdx.x] = __shfl_xor_sync(0xffffffff, x[0], 16); }
KERNEL writes_outside(const T *x, T *y) { y[64] = 1; }
KERNEL reads_outside(const T *x, T *y) { y[threadIdx.x] = x[threadIdx.x + 1]; }
KERNEL in_place(T *x, T *y) { y[threadIdx.x] = x[threadIdx.x]; }
KERNEL wants_ids(const Int *ids, T *y, Int n, double p) { }
struct Table { Int count; const T *x; T *y; double by; };
KERNEL from_table(const __grid_constant__ Table table) {
    if (threadIdx.x < table.count) table.y[threadIdx.x] = table.x[threadIdx.x] * table.by;
}
"""


@pytest.fixture
def faults(tmp_path: Path) -> Iterator[Source]:
    (tmp_path / "faults.cu").write_text(FAULTS, encoding="utf-8")
    source = Source(str(tmp_path / "faults.py"), "faults.cu")
    yield source
    del SOURCES[source.path]


@needs_compiler
@pytest.mark.usefixtures("emulated")
def test_faults_are_seen(faults: Source) -> None:
    x, y = (ls_core.to_device(np.arange(64.0), "standin") for _ in range(2))

    def run(kernel: str, *args: Any) -> Any:
        faults.run(kernel, "float64", (1,), (64,), *args)
        return y.get()

    with thread_order(0):
        forward = run("no_barrier", x, y)
    with thread_order(1):
        assert (run("no_barrier", x, y) != forward).any(), "without a barrier the order of the threads shows"
    for kernel, message in (
        ("parted", "threads part at a barrier"),
        ("parted_warp", "left its warp"),
        ("writes_outside", "writes outside an array of shape"),
    ):
        with pytest.raises(EmulatorError, match=message):
            run(kernel, x, y)
    assert np.isnan(run("reads_outside", x, y)[63])
    half = ls_core.to_device(np.arange(64.0), "standin")
    for args, message in (
        ((x, x), "argument 1 shares"),
        ((half[::2], y), "is not C-contiguous"),
        ((x.astype("float32"), y), "holds float32, the kernel wants float64"),
        ((x, np.arange(64.0)), "wants float64\\*: an array of the device"),
        ((x,), "takes 2 arguments"),
    ):
        with pytest.raises(EmulatorError, match=message):
            run("in_place", *args)
    ids = x.astype("int64")
    for numbers, message in (((1.0, 1.0), "argument 2 is float, the kernel wants int64"), ((1, np.float64(1)), "wants float64")):
        with pytest.raises(EmulatorError, match=message):
            run("wants_ids", ids, y, *numbers)
    with pytest.raises(EmulatorError, match="has no kernel 'absent'"):
        run("absent", x, y)
    with pytest.raises(EmulatorError, match="CUDA allows 1024 threads"):
        faults.run("in_place", "float64", (1,), (2048,), x, y)


@needs_compiler
@pytest.mark.usefixtures("emulated")
def test_structs(faults: Source) -> None:
    x, y = (ls_core.to_device(np.arange(64.0), "standin") for _ in range(2))

    def run(*members: Any, length: int = 4) -> Any:
        faults.run("from_table", "float64", (1,), (64,), Struct(type(x), [*members], "qqqd"[: len(members)], length, {1}))
        return y.get()

    np.testing.assert_array_equal(run(3, x, y, 2.0)[:4], [0, 2, 4, 3])
    np.testing.assert_array_equal(run(3, x, y)[:4], [0, 0, 0, 3])  # what is not given is 0
    assert np.isnan(run(64, x[:63], y, 1.0)[63])
    for members, message in (
        ((64, x, y[:63], 1.0), "writes outside an array of shape"),
        ((3, x, x, 1.0), "writes to argument 0, member 2, whose memory argument 0, member 1 shares"),
        ((3, x[::2], y, 1.0), "argument 0, member 1, of shape"),
    ):
        with pytest.raises(EmulatorError, match=message):
            run(*members)
    with pytest.raises(EmulatorError, match="argument 0 is Struct, the kernel wants struct of 32"):
        run(3, x, y, 2.0, length=5)


@needs_compiler
def test_errors_of_the_compiler_are_shown(tmp_path: Path) -> None:
    (tmp_path / "broken.cu").write_text('#include "common.cuh"\nKERNEL broken(T *y) { y[0] = nowhere; }', encoding="utf-8")
    source = Source(str(tmp_path / "broken.py"), "broken.cu")
    try:
        with pytest.raises(EmulatorError, match="nowhere"):
            cuda_emulator.library(source, "float32")
    finally:
        del SOURCES[source.path]


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert compiler() is None
