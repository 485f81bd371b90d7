"""Stable hashes of bytes: the same number on every machine and in every run, as Python's own hash() is not.

All arithmetic is modulo 2^64. Where TensorFlow, and so Keras, hashes strings into buckets it uses these two functions.
"""

from __future__ import annotations

from collections.abc import Iterator

_BITS = (1 << 64) - 1
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


def _turn(x: int, n: int) -> int:
    """Rotate right by n bits."""
    x &= _BITS
    return (x >> n | x << (64 - n)) & _BITS


def _fold(x: int) -> int:
    return x ^ (x >> 47)


def _mix(u: int, v: int, factor: int) -> int:
    a = _fold(((u ^ v) & _BITS) * factor & _BITS)
    return _fold(((v ^ a) & _BITS) * factor & _BITS) * factor & _BITS


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")


def _weak(data: bytes, at: int, a: int, b: int) -> tuple[int, int]:
    """32 bytes and two seeds to two words."""
    w, x, y, z = (_word(data, at + i) for i in (0, 8, 16, 24))
    a += w
    b = _turn(b + a + z, 21)
    c = a
    a += x + y
    b += _turn(a, 44)
    return (a + z) & _BITS, (b + c) & _BITS


def farmhash64(data: bytes) -> int:
    """FarmHash's 64-bit fingerprint.

    Source: G. Pike, FarmHash, ``Fingerprint64``.

    >>> farmhash64(b'') == 0x9AE16A3B2F90404F, farmhash64(b'A') % 3
    (True, 1)
    """
    n = len(data)
    factor = (_K2 + 2 * n) & _BITS
    if n == 0:
        return _K2
    if n < 4:
        y = data[0] + (data[n >> 1] << 8)
        z = n + (data[-1] << 2)
        return _fold(y * _K2 & _BITS ^ z * _K0 & _BITS) * _K2 & _BITS
    if n < 8:
        return _mix(n + (int.from_bytes(data[:4], "little") << 3), int.from_bytes(data[-4:], "little"), factor)
    if n <= 16:
        a, b = _word(data, 0) + _K2, _word(data, n - 8)
        return _mix(_turn(b, 37) * factor + a, (_turn(a, 25) + b) * factor, factor)
    if n <= 64:
        a, b = _word(data, 0) * (_K1 if n <= 32 else _K2), _word(data, 8)
        c, d = _word(data, n - 8) * factor, _word(data, n - 16) * _K2
        y = _turn(a + b, 43) + _turn(c, 30) + d
        z = _mix(y, a + _turn(b + _K2, 18) + c, factor)
        if n <= 32:
            return z
        e, f = _word(data, 16) * factor, _word(data, 24)
        g, h = (y + _word(data, n - 32)) * factor, (z + _word(data, n - 24)) * factor
        return _mix(_turn(e + f, 43) + _turn(g, 30) + h, e + _turn(f + a, 18) + g, factor)
    return _farmhash_long(data)


def _farmhash_long(data: bytes) -> int:
    """More than 64 bytes: rounds of 64 bytes, and a closing one over the last 64 with another factor."""
    n, seed = len(data), 81
    x = (seed * _K2 + _word(data, 0)) & _BITS
    y = (seed * _K1 + 113) & _BITS
    z = _fold((y * _K2 + 113) & _BITS) * _K2 & _BITS
    state = x, y, z, (0, 0), (0, 0)
    for at in range(0, (n - 1) // 64 * 64, 64):
        state = _round(data, at, *state, _K1, 1)
    x, y, z, v, w = state
    factor = (_K1 + ((z & 0xFF) << 1)) & _BITS
    w = (w[0] + ((n - 1) & 63)) & _BITS, w[1]
    v = (v[0] + w[0]) & _BITS, v[1]
    w = (w[0] + v[0]) & _BITS, w[1]
    x, y, z, v, w = _round(data, n - 64, x, y, z, v, w, factor, 9)
    return _mix(_mix(v[0], w[0], factor) + _fold(y) * _K0 + z, _mix(v[1], w[1], factor) + x, factor)


Pair = tuple[int, int]


def _round(data: bytes, at: int, x: int, y: int, z: int, v: Pair, w: Pair, factor: int, times: int) -> tuple[int, int, int, Pair, Pair]:
    x = _turn(x + y + v[0] + _word(data, at + 8), 37) * factor
    y = _turn(y + v[1] + _word(data, at + 48), 42) * factor
    x = (x ^ w[1] * times) & _BITS
    y = (y + v[0] * times + _word(data, at + 40)) & _BITS
    z = _turn(z + w[0], 33) * factor & _BITS
    v = _weak(data, at, v[1] * factor, x + w[0])
    w = _weak(data, at + 32, z + w[1], y + _word(data, at + 16))
    return z, y, x, v, w  # x and z change places


def siphash64(data: bytes, key: tuple[int, int]) -> int:
    """SipHash-2-4 with a key of two 64-bit integers: without the key nobody can make strings collide on purpose.

    Source: Aumasson and Bernstein 2012, SipHash: a fast short-input PRF, section 2.

    >>> hex(siphash64(bytes(range(15)), (0x0706050403020100, 0x0F0E0D0C0B0A0908)))
    '0xa129ca6149be45e5'
    """
    k0, k1 = key
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]
    for word in _words(data):
        v[3] ^= word
        _sip_rounds(v, 2)
        v[0] ^= word
    v[2] ^= 0xFF
    _sip_rounds(v, 4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def _words(data: bytes) -> Iterator[int]:
    """The data as 64-bit words; the last one carries the length in its highest byte."""
    whole = len(data) // 8 * 8
    for at in range(0, whole, 8):
        yield _word(data, at)
    yield int.from_bytes(data[whole:], "little") | (len(data) & 0xFF) << 56


def _sip_rounds(v: list[int], rounds: int) -> None:
    for _ in range(rounds):
        v[0] = (v[0] + v[1]) & _BITS
        v[2] = (v[2] + v[3]) & _BITS
        v[1] = _turn(v[1], 51) ^ v[0]  # rotations to the left by 13, 16, 32, 17, 21, 32
        v[3] = _turn(v[3], 48) ^ v[2]
        v[0] = _turn(v[0], 32)
        v[2] = (v[2] + v[1]) & _BITS
        v[0] = (v[0] + v[3]) & _BITS
        v[1] = _turn(v[1], 47) ^ v[2]
        v[3] = _turn(v[3], 43) ^ v[0]
        v[2] = _turn(v[2], 32)


def bucket(value: object, buckets: int, salt: tuple[int, int] | None = None) -> int:
    """The bucket, 0 to buckets - 1, of a value's text: FarmHash without a salt, SipHash with one.

    >>> [bucket(letter, 3) for letter in 'ABCDE']
    [1, 0, 1, 1, 2]
    """
    data = str(value).encode()
    return (farmhash64(data) if salt is None else siphash64(data, salt)) % buckets
