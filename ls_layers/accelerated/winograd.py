"""Convolution 3 x 3 with a quarter of the multiplications: Winograd's F(4x4, 3x3), on NumPy.

A tile of 4 x 4 outputs reads a patch d of 6 x 6 inputs. With the matrices below (each acts on both axes of its operand)

    y = A' [ (G W G') * (B' d B) ] A,   * element by element, summed over the channels

so a tile takes 36 products instead of 144, and for all tiles together they are 36 products of matrices: (tiles, C) @ (C, F).
The gradient of the kernel is the same, transposed: ``dW = G' [ (B' d B) * (A dy A') ] G``.

It evaluates polynomials at 0, +-sqrt(1/2), +-sqrt(2) and infinity. The textbook's 0, +-1, +-2 lose four times as many digits:
with these the error in float32 stays near 2e-6 of the largest output at 256 channels. Here the transforms are products too,
in blocks of tiles that stay near the cores, so nothing but copies is left to NumPy.

Lavin and Gray 2016, "Fast algorithms for convolutional neural networks"; Barabasz et al. 2020 and Alam et al. 2022 on the points.

B batch, H x W inputs, P x Q outputs, C channels, F filters; T tiles of a block, n images in it, r tile rows, q tiles in a row.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from ls_core.products import matmul
from ls_core.threads import run_blocks, split, thread_count
from ls_core.types import Array

Pads = tuple[tuple[int, int], ...]
Block = tuple[int, int, int, int]  # images from, to; tile rows from, to
TILES = 128  # in a block: fewer calls, each of which may wait for the interpreter, weigh more than what the cache then misses
IMAGES = 16  # in a block: more, often a power of 2 apart, drive one another out of the cache

_a, _b = math.sqrt(0.5), math.sqrt(2.0)
_POINTS = (0.0, _a, -_a, _b, -_b)
# Row by row: x^4 - 2.5 x^2 + 1 = (x^2 - 1/2)(x^2 - 2); x times it without one root each; x times all of it.
INPUT = np.array(
    [
        [1, 0, -2.5, 0, 1, 0],
        [0, -_b, -2, _a, 1, 0],
        [0, _b, -2, -_a, 1, 0],
        [0, -_a, -0.5, _b, 1, 0],
        [0, _a, -0.5, -_b, 1, 0],
        [0, 1, 0, -2.5, 0, 1],
    ],
    dtype=np.float32,
)
# The powers 0 .. 3 of each point, and infinity's.
OUTPUT = np.array([[p**k for p in _POINTS] + [k == 3] for k in range(4)], dtype=np.float32)
# The powers 0 .. 2 over the product of the distances to the other points; of a kernel both axes are transformed at once.
_G = np.array([[p**k / math.prod(p - q for q in _POINTS if q != p) for k in range(3)] for p in _POINTS] + [[0, 0, 1]])
KERNEL = np.kron(_G, _G).astype(np.float32)  # (36, 9)


def fits(x: Array, W: Array, strides: Any, dilation: Any, outputs: tuple[int, ...], groups: int) -> bool:
    """Whether it is the faster way: 3 x 3 kernels in float32, no strides, enough channels, tiles that the outputs fill.

    And so many tiles that they outweigh the transform of the kernel.
    """
    if not (W.shape[:2] == (3, 3) and W.ndim == 4 and groups == 1 and x.dtype == W.dtype == np.float32):
        return False
    if max(*strides, *dilation) > 1 or min(W.shape[2:]) < 16 or min(outputs) < 1:
        return False
    rows, columns = (-(-o // 4) for o in outputs)
    return x.shape[0] * rows * columns >= 16 and 16 * rows * columns <= 1.75 * math.prod(outputs)


def turned(W: Array) -> Array:
    """The kernel with which the input's gradient is a convolution of dz: (3, 3, C, F) -> (3, 3, F, C)."""
    return W[::-1, ::-1].transpose(0, 1, 3, 2)


def turned_pads(pads: Pads) -> Pads:
    """The padding of that convolution."""
    return tuple((2 - before, 2 - after) for before, after in pads)


def forward(x: Array, W: Array, b: Array | None, pads: Pads) -> Array:
    """x (B, H, W, C), W (3, 3, C, F) -> (B, P, Q, F)."""
    B, *lengths, C = x.shape
    F = W.shape[-1]
    P, Q = (length + before + after - 2 for length, (before, after) in zip(lengths, pads, strict=True))
    U = matmul(KERNEL, W.reshape(9, C * F)).reshape(36, C, F)
    y = np.empty((B, P, Q, F), dtype=x.dtype)
    blocks, size = _plan(B, P, Q)

    def work(begin: int, end: int) -> None:
        patches, tiles = _Patches(x, pads, size), _Tiles((*size, F), y.dtype)
        for i, j, top, bottom in blocks[begin:end]:
            V = patches.transformed(i, j, top)  # (36, T, C)
            np.matmul(V, U, out=tiles.sums)
            tiles.give(b, y[i:j, 4 * top : 4 * bottom])

    run_blocks(work, split(len(blocks)))
    return y


def kernel_gradient(dz: Array, x: Array, pads: Pads) -> Array:
    """dz (B, P, Q, F), x (B, H, W, C) -> dW (3, 3, C, F)."""
    B, P, Q, F = dz.shape
    C = x.shape[-1]
    blocks, size = _plan(B, P, Q)
    parts: dict[int, Array] = {}

    def work(begin: int, end: int) -> None:
        patches, tiles = _Patches(x, pads, size), _Tiles((*size, F), dz.dtype)
        product = np.empty((36, C, F), dtype=dz.dtype)
        dU = np.zeros((36, C, F), dtype=dz.dtype)
        for i, j, top, bottom in blocks[begin:end]:
            V = patches.transformed(i, j, top)  # (36, T, C)
            Z = tiles.transformed(dz[i:j, 4 * top : 4 * bottom])  # (36, T, F)
            np.matmul(V.transpose(0, 2, 1), Z, out=product)
            np.add(dU, product, out=dU)
        parts[begin] = dU

    run_blocks(work, split(len(blocks)))
    return _kernel(parts)


def backward(dz: Array, x: Array, W: Array, pads: Pads) -> tuple[Array, Array]:
    """dz (B, P, Q, F), x (B, H, W, C) -> dx (B, H, W, C), dW (3, 3, C, F).

    dx is a convolution of dz with the turned kernel, whose gradient comes from the same patches of dz: they are transformed once.
    """
    B, H, Q, C = x.shape
    F = dz.shape[-1]
    U = matmul(KERNEL, turned(W).reshape(9, F * C)).reshape(36, F, C)
    dx = np.empty(x.shape, dtype=dz.dtype)
    blocks, size = _plan(B, H, Q)
    parts: dict[int, Array] = {}

    def work(begin: int, end: int) -> None:
        patches, tiles = _Patches(dz, turned_pads(pads), size), _Tiles((*size, C), dz.dtype)
        product = np.empty((36, F, C), dtype=dz.dtype)
        dU = np.zeros_like(product)
        for i, j, top, bottom in blocks[begin:end]:
            V = patches.transformed(i, j, top)  # (36, T, F)
            np.matmul(V, U, out=tiles.sums)
            tiles.give(None, dx[i:j, 4 * top : 4 * bottom])
            Z = tiles.transformed(x[i:j, 4 * top : 4 * bottom])  # (36, T, C)
            np.matmul(V.transpose(0, 2, 1), Z, out=product)
            np.add(dU, product, out=dU)
        parts[begin] = dU

    run_blocks(work, split(len(blocks)))
    return dx, np.ascontiguousarray(turned(_kernel(parts)))


def _kernel(parts: dict[int, Array]) -> Array:
    """The gradient of the kernel (3, 3, ., .) from the threads' parts of the transformed one's."""
    total = sum((parts[begin] for begin in sorted(parts)[1:]), start=parts[0])
    return matmul(KERNEL.T, total.reshape(36, -1)).reshape(3, 3, *total.shape[1:])


def _plan(B: int, P: int, Q: int) -> tuple[list[Block], tuple[int, int, int]]:
    """The blocks of tiles, and (n, r, q) of a full one."""
    rows, q = -(-P // 4), -(-Q // 4)
    n, r = _block(B, rows, q, thread_count())
    starts = [(i, top) for i in range(0, B, n) for top in range(0, rows, r)]
    return [(i, min(i + n, B), top, min(top + r, rows)) for i, top in starts], (n, r, q)


@functools.cache
def _block(B: int, rows: int, q: int, threads: int) -> tuple[int, int]:
    """The n and r with which the threads are done first, in blocks of ``TILES`` tiles at most where one row of them is no more.

    Times in units of a tile: the calls of a block take 16 and its r q products along the width 0.4, as measured.
    """

    def time(size: tuple[int, int]) -> float:
        n, r = size
        blocks = -(-B // n) * -(-rows // r)
        return -(-blocks // threads) * (n * r * q + 0.4 * r * q + 16)

    return min(((n, r) for r in range(1, rows + 1) for n in range(1, min(B, IMAGES) + 1) if n * r * q <= TILES or n == r == 1), key=time)


class _Patches:
    """The buffers in which a thread turns blocks of the input into transformed patches.

    The images of a block stand side by side at each position. So what a transform adds up are long rows, and the patches, which
    overlap, are views: first along the height, then of that along the width.
    """

    def __init__(self, x: Array, pads: Pads, size: tuple[int, int, int]) -> None:
        n, r, q = size
        C = x.shape[-1]
        self.x, self.before, self.size = x, tuple(pad[0] for pad in pads), size
        self.padded = np.empty((4 * r + 2, 4 * q + 2, n, C), dtype=x.dtype)
        half = np.empty((6, r, 4 * q + 2, n * C), dtype=x.dtype)
        self.V = np.empty((36, r * q * n, C), dtype=x.dtype)
        windows = np.lib.stride_tricks.as_strided
        row, *_ = self.padded.strides
        self.high = windows(self.padded, (r, 6, half[0, 0].size), (4 * row, row, x.itemsize))
        self.half = half.reshape(6, r, -1).transpose(1, 0, 2)
        *outer, column, each = half.strides
        self.wide = windows(half, (6, r, q, 6, n * C), (*outer, 4 * column, column, each))
        self.whole = self.V.reshape(6, 6, r, q, n * C).transpose(0, 2, 3, 1, 4)
        self.filled: Any = None  # what of ``padded`` the last block filled

    def transformed(self, i: int, j: int, top: int) -> Array:
        """V (36, T, C) of images i to j, from tile row ``top`` on; what lies outside the input counts as zeros."""
        _, r, q = self.size
        above, left = 4 * top - self.before[0], -self.before[1]  # of the padded block, in the input
        given = self.x[i:j, max(above, 0) : max(above + 4 * r + 2, 0), max(left, 0) : max(left + 4 * q + 2, 0)]
        images, height, width, _ = given.shape
        down, right = max(-above, 0), max(-left, 0)
        filled = slice(down, down + height), slice(right, right + width), slice(images)
        if filled != self.filled:  # what the block before left around it must not count
            self.padded[:down] = self.padded[down + height :] = 0
            self.padded[:, :right] = self.padded[:, right + width :] = 0
            self.padded[:, :, images:] = 0
            self.filled = filled
        self.padded[filled] = given.transpose(1, 2, 0, 3)
        np.matmul(INPUT, self.high, out=self.half)
        np.matmul(INPUT, self.wide, out=self.whole)
        return self.V


class _Tiles:
    """The buffers in which a thread makes blocks of outputs from sums of products, or transforms blocks of their gradient."""

    def __init__(self, size: tuple[int, int, int, int], dtype: Any) -> None:
        n, r, q, F = size
        self.size, T = size, n * r * q
        self.image = np.empty((n, 4 * r, 4 * q, F), dtype=dtype)  # for blocks that tiles do not fill
        self.tiles = np.empty((4, 4, r, q, n, F), dtype=dtype)
        self.sums = np.empty((36, T, F), dtype=dtype)
        half = np.empty((24, T, F), dtype=dtype)
        # The matrices act on the last axis but one: along the width of sums and outputs, and along their height.
        self.wide_sums, self.wide_half = self.sums.reshape(6, 6, -1), half.reshape(6, 4, -1)
        self.high_half, self.high_tiles = half.reshape(6, -1), self.tiles.reshape(4, -1)
        self.filled: Any = None  # what of ``image`` the last block filled

    def pixels(self, image: Array) -> Array:
        """(4, 4, r, q, n, F), a view of a block of outputs."""
        n, r, q, F = self.size
        return image.reshape(n, r, 4, q, 4, F).transpose(2, 4, 1, 3, 0, 5)

    def give(self, b: Array | None, y: Array) -> None:
        """y = A' sums A + b."""
        np.matmul(OUTPUT, self.wide_sums, out=self.wide_half)
        np.matmul(OUTPUT, self.high_half, out=self.high_tiles)
        whole = y.shape == self.image.shape
        to = self.pixels(y if whole else self.image)
        if b is None:
            np.copyto(to, self.tiles)
        else:
            np.add(self.tiles, b, out=to)
        if not whole:
            y[...] = self.image[: y.shape[0], : y.shape[1], : y.shape[2]]
            self.filled = None

    def transformed(self, dy: Array) -> Array:
        """A dy A' (36, T, F), where the sums were."""
        image = dy
        if dy.shape != self.image.shape:
            image = self.image
            if dy.shape != self.filled:  # what the block before left beyond it must not count
                image[...] = 0
                self.filled = dy.shape
            image[: dy.shape[0], : dy.shape[1], : dy.shape[2]] = dy
        np.copyto(self.tiles, self.pixels(image))
        np.matmul(OUTPUT.T, self.high_tiles, out=self.high_half)
        np.matmul(OUTPUT.T, self.wide_half, out=self.wide_sums)
        return self.sums


__all__ = ["INPUT", "KERNEL", "OUTPUT", "backward", "fits", "forward", "kernel_gradient", "turned", "turned_pads"]
