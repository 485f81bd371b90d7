"""TensorFile: a safetensors file opened with suspicion; every claim is checked before memory is taken."""

from __future__ import annotations

import json
import math
import os
import zlib
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np

from .errors import FileError

HEADER_LIMIT = 100_000_000  # bytes; the limit of the format's own library
DTYPES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "U16": "uint16",
    "I16": "int16",
    "U32": "uint32",
    "I32": "int32",
    "U64": "uint64",
    "I64": "int64",
    "F16": "float16",
    "F32": "float32",
    "F64": "float64",
}


class TensorFile:
    """The tensors of a safetensors file, each read when it is asked for.

    Raises
    ------
    FileError
        Truncated or oversized; a header that is no JSON, too long, or claims ranges that overlap, leave gaps
        or don't fit shape and dtype.
    """

    def __init__(self, path: Any) -> None:
        self.path = os.fspath(path)
        self.checksums: dict[str, int] = {}  # by name; whoever knows them puts them here, and ``read`` compares
        self._file = open(self.path, "rb")  # noqa: SIM115 - closed by __exit__
        try:
            self._read_header()
        except BaseException:
            self._file.close()
            raise

    def _read_header(self) -> None:
        size = os.fstat(self._file.fileno()).st_size
        start = self._file.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > size - 8:
            raise FileError(f"{self.path} is truncated, or no safetensors file: {size} bytes, its header claims {length}")
        if length > HEADER_LIMIT:
            raise FileError(f"{self.path}: a header of {length} bytes is past the limit of {HEADER_LIMIT}")
        text = self._file.read(length)
        if not text.startswith(b"{"):
            raise FileError(f"{self.path} is no safetensors file: its header does not begin with '{{'")
        header = checked_json(text, f"{self.path}: the header")
        metadata = header.pop("__metadata__", {})
        if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
            raise FileError(f"{self.path}: __metadata__ must map strings to strings")
        self.metadata: dict[str, str] = metadata
        self._begin = 8 + length
        self._entries = {name: self._entry(name, entry) for name, entry in header.items()}
        end = 0
        for name, (_, _, first, last) in sorted(self._entries.items(), key=lambda item: item[1][2:]):
            if first != end:
                raise FileError(f"{self.path}: tensor {name!r} begins at byte {first}, the one before ends at {end}")
            end = last
        if self._begin + end != size:
            raise FileError(
                f"{self.path}: its tensors end at byte {self._begin + end}, the file at {size}; it is truncated or has data behind"
            )

    def _entry(self, name: str, entry: Any) -> tuple[np.dtype[Any], tuple[int, ...], int, int]:
        try:
            kind, shape, (first, last) = entry["dtype"], entry["shape"], entry["data_offsets"]
        except (KeyError, TypeError, ValueError):
            raise FileError(f"{self.path}: the entry of tensor {name!r} has no dtype, shape and data_offsets") from None
        if kind not in DTYPES:
            raise FileError(f"{self.path}: tensor {name!r} has dtype {kind!r}; LS reads {', '.join(DTYPES)}")
        numbers = [*shape, first, last] if isinstance(shape, list) else [None]
        if len(numbers) > 66 or not all(type(n) is int and 0 <= n < 2**62 for n in numbers):
            raise FileError(f"{self.path}: tensor {name!r} has no valid shape or offsets")
        dtype = np.dtype(DTYPES[kind])
        if last - first != math.prod(shape) * dtype.itemsize:
            raise FileError(f"{self.path}: tensor {name!r} of shape {shape} and dtype {kind} can't fill {last - first} bytes")
        return dtype, tuple(shape), first, last

    def names(self) -> list[str]:
        """The tensors' names."""
        return list(self._entries)

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor, without reading it."""
        return self._entries[name][1]

    def read(self, name: str) -> np.ndarray:
        """A tensor, in memory of its own."""
        dtype, shape, first, _ = self._entries[name]
        array = np.empty(shape, dtype)
        self._file.seek(self._begin + first)
        got = self._file.readinto(array.reshape(-1).view(np.uint8).data) if array.size else 0
        if got != array.nbytes:
            raise FileError(f"{self.path}: tensor {name!r} is cut off after {got} of {array.nbytes} bytes")
        if self.checksums.get(name, sum_of(array)) != sum_of(array):
            raise FileError(f"{self.path} is corrupted: the checksum of tensor {name!r} is not the one that was written with it")
        return array

    def __enter__(self) -> TensorFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()


def write_tensor_file(file: BinaryIO, tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    """Write C-ordered arrays in the format of safetensors: the header's length, the header, the arrays' bytes.

    Raises
    ------
    TypeError
        An array has a dtype that the format doesn't know; nothing is written then.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO()
    >>> write_tensor_file(file, {'a': np.zeros(2, 'float32')}, {'made': 'by hand'})
    >>> len(file.getvalue()) % 8, file.getvalue()[8:37]
    (0, b'{"__metadata__": {"made": "by')
    """
    codes = {dtype: code for code, dtype in DTYPES.items()}
    header: dict[str, Any] = {"__metadata__": metadata}
    # the widest items first, so that every array begins at a multiple of its item; then by name: equal tensors make equal files
    order = sorted(tensors, key=lambda name: (-tensors[name].dtype.itemsize, name))
    end = 0
    for name in order:
        array = tensors[name]
        if str(array.dtype) not in codes:
            raise TypeError(f"tensor {name!r} has dtype {array.dtype}, which a safetensors file can't hold; it holds {', '.join(codes)}")
        header[name] = {"dtype": codes[str(array.dtype)], "shape": list(array.shape), "data_offsets": [end, end + array.nbytes]}
        end += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
    for name in order:
        file.write(tensors[name].reshape(-1).view(np.uint8).data)


def sum_of(array: np.ndarray) -> int:
    """The CRC-32 of an array's bytes.

    >>> sum_of(np.arange(3, dtype='uint8'))
    139757951
    """
    return zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)


def checked_json(text: str | bytes, what: str) -> Any:
    """JSON without NaN, Infinity, or a name that stands twice."""

    def no_constant(name: str) -> Any:
        raise FileError(f"{what} holds {name}, which is no JSON")

    def no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise FileError(f"{what} names an entry twice")
        return found

    try:
        return json.loads(text, parse_constant=no_constant, object_pairs_hook=no_doubles)
    except FileError:
        raise
    except (ValueError, RecursionError) as problem:
        raise FileError(f"{what} is no JSON that LS reads: {problem}") from problem
