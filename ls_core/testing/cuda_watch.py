"""What a CUDA kernel reads and writes, watched access by access in the emulator: faults, and the traffic of its warps.

``watching()`` compiles each source a second time with g++'s ``-fsanitize=thread,bounds-strict``, of which only the calls are used that it
writes before every access: ``cuda_watch_runtime.h`` answers them. A launch with one of these faults is an error:

- a race: two threads touch one number, one of them writes it (not both by an atomic), and no ``__syncthreads`` lies between them, which
  for threads of different blocks is always so; an exchange within a warp is no barrier for memory;
- an access outside all arrays of the launch, or at a place that is no multiple of its size; an index past an array of known length;
- shared memory that is read before this block has written it.

``Traffic`` counts, for each kernel, what its warps ask for and what memory moves for that. See docs/cuda.md, "What a warp reads".
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..cuda.launch import Source
from . import cuda_emulator
from .cuda_emulator import C_TYPES, HEADER, EmulatorError, Given, built, program, signatures
from .standin_array import StandInArray

HOOKS, RUNTIME = (Path(__file__).with_name(name) for name in ("cuda_watch.h", "cuda_watch_runtime.h"))
# As the source has them: nothing vectorised, joined or moved that nvcc would not move too.
FLAGS = ("-O1", "-g1", "-fsanitize=thread,bounds-strict", "-fno-tree-vectorize", "-fno-threadsafe-statics")
# Without g++'s own libtsan; and what is __shared__ in a template is this library's own.
LINK = ("-nodefaultlibs", "-lstdc++", "-lm", "-lgcc_s", "-lc", "-fno-gnu-unique", "-Wl,-Bsymbolic", "-Wl,--no-as-needed")
SECTOR = 32  # bytes that memory moves at least


def _members(names: str) -> list[tuple[str, type]]:
    return [(name, ctypes.c_ulonglong) for name in names.split()]


class _Array(ctypes.Structure):
    _fields_ = _members("begin bytes item phase")


class _Counts(ctypes.Structure):
    _fields_ = _members("asked sectors least touched")


class _Shared(ctypes.Structure):
    _fields_ = _members("requests passes least worst")


class _Fault(ctypes.Structure):
    _fields_ = _members("kind pc other_pc write shared array offset size block thread other_block other_thread")


@dataclass
class Use:
    """How an array is read, or written: bytes a warp asks for (each once), sectors moved, the fewest that could hold them,
    bytes of different numbers."""

    asked: int = 0
    sectors: int = 0
    least: int = 0
    touched: int = 0

    def add(self, more: Use | _Counts) -> None:
        self.asked += more.asked
        self.sectors += more.sectors
        self.least += more.least
        self.touched += more.touched

    @property
    def times(self) -> float:
        """How often a number is asked for, in the mean."""
        return self.asked / self.touched if self.touched else 0.0


@dataclass
class Traffic:
    """What the launches of one kernel move: ``read`` and ``written`` by argument; shared memory's requests and the passes they take."""

    read: dict[str, Use] = field(default_factory=dict)
    written: dict[str, Use] = field(default_factory=dict)
    passes: int = 0
    fewest_passes: int = 0
    worst_conflict: int = 0

    def total(self) -> Use:
        total = Use()
        for use in (*self.read.values(), *self.written.values()):
            total.add(use)
        return total

    @property
    def efficiency(self) -> float:
        """The fewest sectors that could hold what was asked for, as a share of those touched."""
        total = self.total()
        return total.least / total.sectors if total.sectors else 1.0

    @property
    def moved(self) -> float:
        """Bytes in the sectors touched as a multiple of the different bytes: 1 where each is moved once and none for nothing."""
        total = self.total()
        return SECTOR * total.sectors / total.touched if total.touched else 0.0


class Watch:
    """Watches every launch; see ``watching``. ``traffic`` has an entry for each (file, kernel, type) launched."""

    def __init__(self) -> None:
        self.traffic: dict[tuple[str, str, str], Traffic] = {}

    def library(self, source: Source, dtype: str) -> ctypes.CDLL:
        return ctypes.CDLL(str(_library(source, dtype)))

    def run(self, call: Callable[[], int], source: Source, kernel: str, dtype: str, given: list[Given]) -> int:
        runtime, n = _runtime(), len(given)
        where = f"{source.path.name}: {kernel}<{dtype}>"
        described = [_Array(_address(one.guarded), one.array.nbytes, one.array.itemsize, _phase(one.array)) for one in given]
        runtime.ls_watch_begin((_Array * n)(*described), n)
        failed = call()
        counts, shared = (_Counts * (2 * n))(), _Shared()
        faults = runtime.ls_watch_end(counts, ctypes.byref(shared))
        names = signatures(source)[kernel]
        if faults:
            found = ctypes.cast(runtime.ls_watch_faults(), ctypes.POINTER(_Fault))
            raise EmulatorError("\n".join(f"{where}: {_tell(found[i], source, dtype, names, given)}" for i in range(faults)))
        traffic = self.traffic.setdefault((source.path.name, kernel, dtype), Traffic())
        for i, one in enumerate(given):
            for uses, count in ((traffic.read, counts[2 * i]), (traffic.written, counts[2 * i + 1])):
                if count.asked:
                    uses.setdefault(names[one.place], Use()).add(count)
        traffic.passes += shared.passes
        traffic.fewest_passes += shared.least
        traffic.worst_conflict = max(traffic.worst_conflict, shared.worst)
        return failed


@contextlib.contextmanager
def watching() -> Iterator[Watch]:
    """Within, and within ``cuda_kernels()``, every launch is watched: a fault is an EmulatorError, traffic is counted."""
    before, cuda_emulator.watcher = cuda_emulator.watcher, Watch()
    try:
        yield cuda_emulator.watcher
    finally:
        cuda_emulator.watcher = before


@functools.cache
def _runtime_path() -> Path:
    return built("cuda_watch", HOOKS.read_text(encoding="utf-8") + RUNTIME.read_text(encoding="utf-8"), "-O2")


@functools.cache
def _runtime() -> ctypes.CDLL:
    library = ctypes.CDLL(str(_runtime_path()))
    library.ls_watch_faults.restype = ctypes.c_void_p
    return library


@functools.cache
def _program(source: Source) -> str:
    return program(source, HOOKS.read_text(encoding="utf-8") + HEADER.read_text(encoding="utf-8"))


@functools.cache
def _library(source: Source, dtype: str) -> Path:
    return built(source.path.stem, _program(source), *FLAGS, f"-DLS_T={C_TYPES[dtype]}", *LINK, str(_runtime_path()))


def _address(guarded: np.ndarray) -> int:
    return guarded.ctypes.data + cuda_emulator.GUARD


def _phase(array: StandInArray) -> int:
    """Where the array lies within 512 bytes on a device, whose memory is given out in multiples of that: a view may begin anywhere."""
    owner = array._a
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    return int(array._a.ctypes.data - owner.ctypes.data) % 512


def _tell(fault: _Fault, source: Source, dtype: str, names: list[str], given: list[Given]) -> str:
    """The fault in words, with the source's lines."""

    def line(pc: int) -> str:
        if not pc:
            return ""
        done = subprocess.run(
            ["addr2line", "-e", str(_library(source, dtype)), hex(_offset(pc, source, dtype))], capture_output=True, text=True
        )
        number = done.stdout.strip().rpartition(":")[2].split()[0]
        return _program(source).splitlines()[int(number) - 1].strip()[:160] if number.isdigit() else "?"

    here = f"`{line(fault.pc)}`"
    who = f"block {fault.block}, thread {fault.thread}"
    place = "shared memory"
    if not fault.shared and given:
        one = given[fault.array]
        offset = ctypes.c_longlong(fault.offset).value
        place = f"{names[one.place]}[{offset / one.array.itemsize:g}] of {one.array.size}"
    does = "writes" if fault.write else "reads"
    if fault.kind == 0:
        return (
            f"a race: {who} {does} {place} by {here}; block {fault.other_block}, thread {fault.other_thread} was there by "
            f"`{line(fault.other_pc)}`, with no barrier between"
        )
    return [
        "",
        f"{who} {does} outside all arrays, near {place}, by {here}",
        f"{who} {does} {fault.size} bytes at a place that is no multiple of that, {place}, by {here}",
        f"{who} reads shared memory before this block wrote it, by {here}",
        f"{who} has an index out of bounds, {ctypes.c_int(fault.offset).value}, in {here}",
    ][fault.kind]


def _offset(pc: int, source: Source, dtype: str) -> int:
    """Where an instruction lies within its library: its address less that of a kernel, which the library knows."""
    path = _library(source, dtype)
    for line in Path("/proc/self/maps").read_text(encoding="ascii").splitlines():
        begin, _, rest = line.partition("-")
        if rest.endswith(str(path)):
            return pc - 1 - int(begin, 16)  # the first mapping is the file's beginning; pc is where the call returns to
    return 0


__all__ = ["Traffic", "Use", "Watch", "watching"]
