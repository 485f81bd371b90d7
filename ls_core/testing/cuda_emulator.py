"""CUDA kernels on the stand-in device: the ``.cu`` sources, compiled by g++, with fibers for threads. No GPU is needed.

``cuda_kernels()`` runs every CUDA override on arrays of backend 'standin': the same sources, the same Python that launches
them, the same grids. So layers, losses and whole training steps go through them, and what a GPU would do wrong shows here:

- an argument of another type than the kernel's parameter, or not C-contiguous, is an error before the launch, and so is a struct of
  another size;
- each array is copied between guards, of NaN where the kernel only reads: a read outside spoils the result, a write
  outside is an error;
- two arguments that share memory are an error where the kernel writes to one of them;
- threads that part at a barrier are an error; ``order`` changes whose turn is first, so a missing barrier shows.

What it cannot show: speed, rounding of the GPU's own exp and tanh, limits of registers and memory. Races, also those that leave the
bits right, and what memory moves for a warp are shown by ``cuda_watch``.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..cuda.launch import Dim, Source, Struct, set_launcher
from ..cuda.overrides import FAMILIES, OVERRIDES, register_for
from .standin_array import StandInArray
from .standin_graph import recorded

HEADER = Path(__file__).with_name("cuda_emulator.h")
C_TYPES = {"float32": "float", "float64": "double", "float16": "_Float16", "bfloat16": "BFloat16"}
FAILURES = {1: "threads part at a barrier: some wait where others have left", 2: "an exchange with a thread that has left its warp"}
GUARD = 8192  # bytes before and after each array
NAN, MARK = 255, 0x5A  # what they hold where the kernel reads, and where it writes (a NaN would survive being computed with)

launched: set[tuple[str, str]] = set()  # (file, kernel) of every launch, for the test that misses none
watcher: Watcher | None = None  # who looks at every read and write (cuda_watch.py)
_order = 0


class EmulatorError(Exception):
    """A kernel, or its launch, that would be wrong on a GPU."""


class Given(NamedTuple):
    """An array of a launch: the device's, its copy between guards, its place among the arguments, whether the kernel may write."""

    array: StandInArray
    guarded: np.ndarray
    place: int
    written: bool


class Watcher(Protocol):
    def library(self, source: Source, dtype: str) -> ctypes.CDLL: ...
    def run(self, call: Callable[[], int], source: Source, kernel: str, dtype: str, given: list[Given]) -> int: ...


def compiler() -> str | None:
    """The C++ compiler, or None where there is none."""
    return shutil.which(os.environ.get("CXX", "g++"))


@functools.cache
def _folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"ls-cuda-emulator-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():  # code is loaded from it
        return Path(tempfile.mkdtemp(prefix=folder.name))
    return folder


def _compile(*arguments: str, code: str) -> str:
    found = compiler()
    assert found is not None, "no C++ compiler: see compiler()"
    done = subprocess.run([found, "-std=c++17", *arguments, "-x", "c++", "-"], input=code, capture_output=True, text=True)
    if done.returncode:
        raise EmulatorError(f"g++ refuses the source:\n{done.stderr[:4000]}")
    return done.stdout


@functools.cache
def signatures(source: Source) -> dict[str, list[str]]:
    """The kernels in a source, those that macros write among them, with the names of their parameters."""
    text = _compile("-E", "-P", "-DLS_T=float", "-D__global__=LS_GLOBAL", code=source.text)
    found = re.findall(r"LS_GLOBAL\s+void\s+(\w+)\s*\(([^)]*)\)", text)
    return {name: [each.split()[-1].strip("*") for each in given.split(",")] for name, given in found}


def kernels_of(source: Source) -> tuple[str, ...]:
    """The names of the kernels in a source."""
    return tuple(signatures(source))


@functools.cache
def library(source: Source, dtype: str) -> ctypes.CDLL:
    """The source compiled for ``dtype``."""
    code = program(source, HEADER.read_text(encoding="utf-8"))
    return ctypes.CDLL(str(built(source.path.stem, code, "-O1", f"-DLS_T={C_TYPES[dtype]}")))


def program(source: Source, header: str) -> str:
    """The source behind ``header``, and functions to call its kernels by."""
    names = kernels_of(source)
    given = "void **a, const unsigned *grid, const unsigned *block, int order"
    ends = [
        f'extern "C" int ls_run_{n}({given}) {{ return emulator::launch({n}, a, grid, block, order); }}\n'
        f'extern "C" const char *ls_types_{n}() {{ return emulator::describe({n}); }}'
        for n in names
    ]
    return "\n".join([header, source.text, *ends])


def built(name: str, code: str, *flags: str) -> Path:
    """The library that g++ makes of ``code``; kept on disk under the hash of its text."""
    flags = (*flags, "-ffp-contract=off", "-fPIC", "-shared", "-w")
    path = _folder() / f"{name}-{hashlib.sha256(repr((code, flags)).encode()).hexdigest()[:24]}.so"
    if not path.exists():
        handle, partial = tempfile.mkstemp(dir=_folder())
        os.close(handle)
        _compile(*flags, "-o", partial, code=code)
        os.replace(partial, path)  # whole or not at all, whoever else compiles it now
    return path


@functools.cache
def parameters(source: Source, kernel: str, dtype: str) -> tuple[str, ...]:
    """The types of a kernel's parameters: 'const float32*', 'int64', ..."""
    if kernel not in kernels_of(source):
        raise EmulatorError(f"{source} has no kernel {kernel!r}")
    describe = getattr(library(source, dtype), f"ls_types_{kernel}")
    describe.restype = ctypes.c_char_p
    return tuple(describe().decode().rstrip(";").split(";"))


@recorded
def _launch(source: Source, kernel: str, dtype: str, blocks: Dim, threads: Dim, args: tuple[Any, ...]) -> None:
    where = f"{source.path.name}: {kernel}<{dtype}>"
    wanted = parameters(source, kernel, dtype)
    if len(args) != len(wanted):
        raise EmulatorError(f"{where} takes {len(wanted)} arguments ({', '.join(wanted)}), {len(args)} came")
    grid, block = ((*blocks, 1, 1)[:3], (*threads, 1, 1)[:3])
    if np.prod(block) > 1024 or grid[0] >= 2**31 or max(grid[1:]) > 65535:
        raise EmulatorError(
            f"{where}: a launch of {grid} blocks of {block} threads; CUDA allows 1024 threads, 2**31 - 1 x 65535 x 65535 blocks"
        )
    slots: list[Any] = []
    given: list[Given] = []
    for i, (arg, kind) in enumerate(zip(args, wanted, strict=True)):
        if kind.endswith("*"):
            slots.append(_pointer(arg, kind, f"{where}: argument {i}", i, given))
        elif type(arg) is Struct and kind == f"struct of {8 * arg.length}":
            slots.append(_struct(arg, f"{where}: argument {i}", i, given))
        elif kind == "int64" and type(arg) is int:
            slots.append(ctypes.c_longlong(arg))
        elif kind == "float64" and type(arg) is float:
            slots.append(ctypes.c_double(arg))
        else:
            raise EmulatorError(f"{where}: argument {i} is {type(arg).__name__}, the kernel wants {kind}")
    _check_sharing(args, wanted, where)
    array = ctypes.c_void_p * len(slots)
    addresses = array(*(ctypes.addressof(slot) for slot in slots))
    run = getattr((watcher.library if watcher else library)(source, dtype), f"ls_run_{kernel}")
    call = functools.partial(run, addresses, (ctypes.c_uint * 3)(*grid), (ctypes.c_uint * 3)(*block), _order)
    failed = watcher.run(call, source, kernel, dtype, given) if watcher else call()
    if failed:
        raise EmulatorError(f"{where}: {FAILURES[failed]}")
    for target, guarded, _, written in given:
        if not written:
            continue
        inner = guarded[GUARD : guarded.size - GUARD]
        if (guarded[:GUARD] != MARK).any() or (guarded[guarded.size - GUARD :] != MARK).any():
            raise EmulatorError(f"{where} writes outside an array of shape {target.shape}")
        target._a[...] = inner.view(target.dtype).reshape(target.shape)
    launched.add((source.path.name, kernel))


def _pointer(arg: Any, kind: str, where: str, place: int, given: list[Given]) -> Any:
    """A slot with the address of a guarded copy."""
    if arg is None:
        return ctypes.c_longlong(0)
    if not isinstance(arg, StandInArray):
        raise EmulatorError(f"{where} is {type(arg).__name__}, the kernel wants {kind}: an array of the device")
    name = kind.removeprefix("const ").removesuffix("*")
    if arg.dtype.name != name:
        raise EmulatorError(f"{where} holds {arg.dtype}, the kernel wants {kind}")
    if not arg.flags.c_contiguous:
        raise EmulatorError(f"{where}, of shape {arg.shape}, is not C-contiguous")
    guarded = np.full(arg.nbytes + 2 * GUARD, NAN if kind.startswith("const") else MARK, np.uint8)
    guarded[GUARD : GUARD + arg.nbytes] = arg._a.reshape(-1).view(np.uint8)
    slot = ctypes.c_void_p(guarded.ctypes.data + GUARD)
    slot._keep = guarded  # type: ignore[attr-defined]
    given.append(Given(arg, guarded, place, not kind.startswith("const")))
    return slot


def _struct(arg: Struct, where: str, place: int, given: list[Given]) -> Any:
    """A slot with the struct, its addresses those of guarded copies."""
    kept: list[Any] = []

    def address(i: int, array: Any) -> int:
        name = getattr(array, "dtype", np.dtype(object)).name
        kept.append(_pointer(array, f"const {name}*" if i in arg.constant else f"{name}*", f"{where}, member {i}", place, given))
        return int(kept[-1].value)

    slot = (ctypes.c_char * (8 * arg.length)).from_buffer_copy(arg.pack(address).tobytes())
    slot._keep = kept  # type: ignore[attr-defined]
    return slot


def _check_sharing(args: tuple[Any, ...], wanted: tuple[str, ...], where: str) -> None:
    found: list[tuple[str, StandInArray, bool]] = []
    for i, (arg, kind) in enumerate(zip(args, wanted, strict=True)):
        if isinstance(arg, Struct):
            members = [(j, m) for j, m in enumerate(arg.members) if isinstance(m, StandInArray)]
            found += [(f"{i}, member {j}", m, j not in arg.constant) for j, m in members]
        elif isinstance(arg, StandInArray):
            found.append((f"{i}", arg, not kind.startswith("const")))
    begins = np.array([array._a.ctypes.data for _, array, _ in found])
    ends = begins + [array.nbytes for _, array, _ in found]
    for k, (at, array, writes) in enumerate(found):
        shared = (begins < ends[k]) & (begins[k] < ends) & (np.arange(len(found)) != k) if writes and array.size else []
        for other in np.flatnonzero(shared):
            raise EmulatorError(f"{where} writes to argument {at}, whose memory argument {found[other][0]} shares")


@contextlib.contextmanager
def thread_order(order: int) -> Iterator[None]:
    """Within, threads and blocks get their turn in order (0), backwards (1) or mixed up (2)."""
    global _order
    previous, _order = _order, order
    try:
        yield
    finally:
        _order = previous


@contextlib.contextmanager
def cuda_kernels(*modules: str) -> Iterator[None]:
    """Within, the CUDA overrides of ``modules`` (default: of all families) run on the stand-in device."""
    from . import cublas_emulator as cublas_emulator  # answers for cuBLAS
    from . import standin as standin  # makes the backend known

    set_launcher(StandInArray, _launch)
    register_for("standin", modules or FAMILIES)
    try:
        yield
    finally:
        for kernel, _ in OVERRIDES:
            kernel.overrides.pop("standin", None)
            kernel._fill()


__all__ = ["EmulatorError", "compiler", "cuda_kernels", "kernels_of", "launched", "thread_order"]
