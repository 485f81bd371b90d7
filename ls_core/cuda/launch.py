"""Source: a file of CUDA kernels, compiled for a float type when one of them is first launched.

The programs are CUDA C++ in ``.cu`` files beside the Python that launches them; ``common.cuh`` holds what they share. CuPy
compiles them at run time (NVRTC) and keeps the result on disk. Nothing here imports cupy: an array's backend brings it.
"""

from __future__ import annotations

import functools
import re
import struct
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import Backend, on_backend
from ..types import Array, DType

COMMON = Path(__file__).with_name("common.cuh")
# A float type's name in CUDA C++, and the header that knows it.
TYPES = {
    "float32": ("float", None),
    "float64": ("double", None),
    "float16": ("__half", "<cuda_fp16.h>"),
    "bfloat16": ("__nv_bfloat16", "<cuda_bf16.h>"),
}
Dim = tuple[int, ...]  # up to three numbers
Launch = Callable[["Source", str, str, Dim, Dim, tuple[Any, ...]], None]

SOURCES: dict[Path, Source] = {}
_launchers: dict[type, Launch] = {}


class Struct:
    """An argument that a kernel takes by value: a C++ struct whose members have 8 bytes each.

    Parameters
    ----------
    array_type : type
        Of the arrays.
    members : list
        As ``Source.run`` takes arguments: arrays, of which the struct holds the addresses, None, integers and floats.
    kinds : str
        'd' for each float, 'q' for each other one.
    length : int
        Members of the C++ struct; what ``members`` lacks is 0.
    constant : collection of int
        The places of arrays that the kernel only reads.
    """

    __slots__ = ("array_type", "members", "kinds", "length", "constant")

    def __init__(self, array_type: type, members: list[Any], kinds: str, length: int, constant: Collection[int]) -> None:
        self.array_type, self.members, self.kinds, self.length, self.constant = array_type, members, kinds, length, constant

    def pack(self, address: Callable[[int, Array], int]) -> np.ndarray:
        """The struct's bytes, an array of one number; ``address`` gives that of an array, which stands at a place.

        >>> Struct(np.ndarray, [3, None, 0.5], 'qqd', 4, ()).pack(lambda i, array: 0).view('int64')
        array([                  3,                   0, 4602678819172646912,
                                 0])
        """
        plain = (int, float)
        values = [m if type(m) in plain else 0 if m is None else address(i, m) for i, m in enumerate(self.members)]
        return np.frombuffer(struct.pack(f"={self.kinds}{8 * (self.length - len(values))}x", *values), dtype=f"V{8 * self.length}")


class Source:
    """The kernels of one ``.cu`` file.

    >>> source = Source(__file__, 'rows.cu')
    >>> source.run('gather_rows', 'float32', (0,), (32,))    # an empty grid: nothing to do, nothing compiled
    """

    def __init__(self, module_file: str, name: str) -> None:
        self.path = Path(module_file).with_name(name)
        SOURCES[self.path] = self

    @functools.cached_property
    def text(self) -> str:
        """The whole program: each ``#include "..."`` is replaced by that file, the first time it is named."""
        seen: set[Path] = set()

        def expand(path: Path) -> str:
            if path in seen:
                return ""
            seen.add(path)
            lines = []
            for line in path.read_text(encoding="utf-8").splitlines():
                named = re.match(r'#include "(.+)"', line)
                beside = path.with_name(named[1]) if named else path
                lines.append(expand(beside if beside.exists() else COMMON) if named else line)
            return "\n".join(lines)

        return expand(self.path)

    def run(self, kernel: str, dtype: DType, blocks: Dim, threads: Dim, *args: Any) -> None:
        """Launch ``kernel``, compiled for ``dtype``, where the first argument lives; returns before it is done.

        Arguments are C-contiguous arrays, None (a null pointer), integers (``long long``), floats (``double``) and Structs.
        """
        if 0 not in blocks:  # CUDA refuses an empty grid
            kind = args[0].array_type if type(args[0]) is Struct else type(args[0])
            _launchers[kind](self, kernel, str(dtype), blocks, threads, args)

    def __repr__(self) -> str:
        return f"<CUDA source {self.path.name}>"


def options(dtype: str) -> tuple[str, ...]:
    """The compiler's options that make T the type of name ``dtype``.

    >>> options('float16')
    ('-std=c++17', '-DLS_T=__half', '-DLS_INCLUDE=<cuda_fp16.h>')
    """
    name, header = TYPES[dtype]
    return ("-std=c++17", f"-DLS_T={name}", *([f"-DLS_INCLUDE={header}"] if header else []))


def set_launcher(array_type: type, launch: Launch) -> None:
    """Let ``launch`` run the kernels on arrays of ``array_type`` (CuPy's, or those of the emulator in ls_core.testing)."""
    _launchers[array_type] = launch


def _cupy_launcher(cupy: Any) -> Launch:
    @functools.cache
    def function(source: Source, kernel: str, dtype: str) -> Any:
        return module(source, dtype).get_function(kernel)

    @functools.cache
    def module(source: Source, dtype: str) -> Any:
        return cupy.RawModule(code=source.text, options=options(dtype), backend="nvrtc")

    def plain(argument: Any) -> Any:
        if type(argument) is Struct:
            return argument.pack(lambda i, array: array.data.ptr)  # CuPy hands a NumPy array of one number over by value
        return 0 if argument is None else argument  # 0: a null pointer

    def launch(source: Source, kernel: str, dtype: str, blocks: Dim, threads: Dim, args: tuple[Any, ...]) -> None:
        function(source, kernel, dtype)(blocks, threads, tuple(plain(a) for a in args))

    return launch


def _backend_known(backend: Backend) -> None:
    if backend.name == "cupy":
        set_launcher(backend.array_type, _cupy_launcher(backend.xp))


on_backend(_backend_known)


# --- how many blocks and threads --------------------------------------------------------------------------------------

FILLED = 1056  # blocks of 256 threads that an H100 or H200 runs at once: 8 on each of 132 multiprocessors


def each_grid(n: int) -> tuple[Dim, Dim]:
    """Blocks and threads for ``each(n, ...)``: four elements a thread, and one where four would leave multiprocessors without a block.

    >>> each_grid(5000), each_grid(4_000_000)
    (((20,), (256,)), ((3907,), (256,)))
    """
    return (min(-(-n // 256), max(FILLED, -(-n // 1024)), 2**31 - 1),), (256,)


def team_grid(rows: int, size: int) -> tuple[Dim, Dim]:
    """Blocks and threads for a team a row: a warp where rows are short, a block where they are long.

    >>> team_grid(100, 64), team_grid(100, 5000)
    (((13,), (32, 8)), ((100,), (256, 1)))
    """
    return ((-(-rows // 8),), (32, 8)) if size <= 1024 else ((rows,), (256, 1))


def column_grid(rows: int, columns: int) -> tuple[Dim, Dim, int]:
    """Blocks and threads for sums over rows, and how many rows a block has; blocks are (tiles of 32 columns, chunks of rows).

    >>> column_grid(1000, 40)
    ((2, 16), (32, 8), 64)
    """
    chunk = max(64, -(-rows // 512))
    return (-(-columns // 32), max(1, -(-rows // chunk))), (32, 8), chunk


def contiguous(xp: Any, *arrays: Array) -> list[Array]:
    """Each array with its numbers one after the other, copied where they are not; None stays."""
    return [a if a is None or a.flags.c_contiguous else xp.ascontiguousarray(a) for a in arrays]
