"""EventFile: what TensorBoard reads, written by hand.

A file is a row of records (the framing of TFRecord)::

    length    8 bytes, little-endian
    crc       4 bytes: masked CRC-32C of the length
    data      an Event message
    crc       4 bytes: masked CRC-32C of the data

An Event is a Protocol Buffers message: fields one after the other, each a tag ``number * 8 + kind`` and a value. Kind 0
is a varint (7 bits a byte, the low ones first, the top bit set on all but the last), 1 is 8 bytes, 2 is a varint length
with that many bytes, 5 is 4 bytes. The fields that are used here, by number::

    Event           1 wall_time (double)  2 step (varint)  3 file_version (string)  5 summary (Summary)
    Summary         1 value (Value, repeated)
    Value           1 tag (string)  2 simple_value (float)  5 histo (HistogramProto)
    HistogramProto  1 min  2 max  3 num  4 sum  5 sum_squares (doubles)  6 bucket_limit  7 bucket (packed doubles)

Source: the message definitions event.proto and summary.proto, and tfrecord's format, of TensorFlow's documentation.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np

from .log_file import LogFile


def _table() -> list[int]:
    table = []
    for i in range(256):
        for _ in range(8):
            i = i >> 1 ^ (0x82F63B78 if i & 1 else 0)  # Castagnoli's polynomial, reflected
        table.append(i)
    return table


_TABLE = _table()


def crc32c(data: bytes) -> int:
    """The CRC-32C of ``data``.

    >>> hex(crc32c(b'123456789'))
    '0xe3069283'
    """
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def masked_crc(data: bytes) -> bytes:
    """The CRC as a record holds it: rotated by 15 bits, plus a constant."""
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def record(data: bytes) -> bytes:
    """``data`` framed as one record."""
    length = struct.pack("<Q", len(data))
    return length + masked_crc(length) + data + masked_crc(data)


def varint(number: int) -> bytes:
    """A number in 7 bits a byte; a negative one as 64 bits of two's complement.

    >>> varint(300).hex()
    'ac02'
    """
    number &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def double_field(number: int, value: float) -> bytes:
    return varint(number * 8 + 1) + struct.pack("<d", value)


def float_field(number: int, value: float) -> bytes:
    return varint(number * 8 + 5) + np.float32(value).tobytes()


def int_field(number: int, value: int) -> bytes:
    return varint(number * 8) + varint(value)


def bytes_field(number: int, value: bytes) -> bytes:
    return varint(number * 8 + 2) + varint(len(value)) + value


def scalar_value(tag: str, value: float) -> bytes:
    """A Value with one number."""
    return bytes_field(1, tag.encode()) + float_field(2, value)


def histogram_value(tag: str, values: np.ndarray, buckets: int = 30) -> bytes:
    """A Value with the histogram of ``values``; those that are not finite are left out."""
    values = values.astype(np.float64).ravel()
    values = values[np.isfinite(values)]
    if values.size == 0:
        values = np.zeros(1)
    counts, edges = np.histogram(values, bins=buckets)
    numbers = (values.min(), values.max(), values.size, values.sum(), (values * values).sum())
    histo = b"".join(double_field(i + 1, float(each)) for i, each in enumerate(numbers))
    histo += bytes_field(6, edges[1:].astype("<f8").tobytes()) + bytes_field(7, counts.astype("<f8").tobytes())
    return bytes_field(1, tag.encode()) + bytes_field(5, histo)


def event(wall_time: float, step: int, values: list[bytes]) -> bytes:
    """An Event whose Summary holds ``values``."""
    return double_field(1, wall_time) + int_field(2, step) + bytes_field(5, b"".join(bytes_field(1, each) for each in values))


class EventFile:
    """A file of events in ``folder``, which is made with the first one.

    >>> import tempfile
    >>> file = EventFile(tempfile.mkdtemp())
    >>> file.scalars(0, {'loss': 0.5})
    >>> file.log.path.name.startswith('events.out.tfevents.')
    True
    """

    def __init__(self, folder: Any) -> None:
        name = f"events.out.tfevents.{time.time_ns() // 10**9:010d}.{socket.gethostname()}.{os.getpid()}"
        folder = Path(os.fspath(folder))
        number = sum(1 for path in folder.glob(f"{name}*")) if folder.is_dir() else 0
        self.log = LogFile(folder / (f"{name}.{number}" if number else name))

    def scalars(self, step: int, numbers: dict[str, float]) -> None:
        """Add an event with these numbers, by tag."""
        self._write(step, [scalar_value(tag, number) for tag, number in numbers.items()])

    def histograms(self, step: int, arrays: dict[str, np.ndarray]) -> None:
        """Add an event with the histograms of these arrays, by tag."""
        self._write(step, [histogram_value(tag, array) for tag, array in arrays.items()])

    def _write(self, step: int, values: list[bytes]) -> None:
        if self.log.is_empty():
            self.log.path.parent.mkdir(parents=True, exist_ok=True)
            self.log.write(record(double_field(1, time.time()) + bytes_field(3, b"brain.Event:2")))
        self.log.write(record(event(time.time(), step, values)))

    def get_state(self) -> dict[str, Any]:
        return {"name": self.log.path.name, **self.log.get_state()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on with the file that a run before has written."""
        if state["size"] is not None:
            self.log = LogFile(self.log.path.with_name(Path(state["name"]).name))
            self.log.set_state({"size": state["size"]})
